import { createHash } from 'node:crypto'
import { problem, type RotaError } from '../core/error.ts'

/** The namespace of approvals: `ssh-keygen -Y verify -n …` */
export const APPROVAL_NAMESPACE = 'approval@rota'

/** What an approver signs. */
export interface Approval {
  readonly v: 1
  /** sha256 of the plan's file. */
  readonly plan: string
  readonly user: string
  readonly machine: string
  /** RFC 3339 UTC. */
  readonly at: string
  readonly expires: string
}

export function hashPlanFile(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The text that is signed: one line of JSON. */
export function renderApproval(approval: Approval): string {
  return `${JSON.stringify(approval)}\n`
}

function refuse(message: string, hint: string): RotaError {
  return problem('E_APPROVAL', message, { hint })
}

/** Throws E_APPROVAL for any other text. */
export function parseApproval(text: string, file: string): Approval {
  try {
    const found = JSON.parse(text) as Approval
    const isWhole =
      found.v === 1 &&
      [found.plan, found.user, found.at, found.expires].every(each => typeof each === 'string')
    if (isWhole && !Number.isNaN(Date.parse(found.expires))) return found
  } catch {
    // Said below.
  }
  throw refuse(`${file} is no approval`, 'approve the plan anew: rota approve PLAN')
}

/** Whoever is about to apply a plan. */
export interface Executor {
  readonly user: string
  /** `SHA256:…` of every SSH key that is known to be theirs. */
  readonly keys: ReadonlySet<string>
  /** Names that allowed_signers gives to those keys. */
  readonly principals: ReadonlySet<string>
}
/** Whoever signed, as allowed_signers knows them. */
export interface Approver {
  readonly fingerprint: string
  readonly principals: readonly string[]
}

/**
 * Decides whether an approval, whose signature was checked, counts for this plan, now, for this executor. Throws E_APPROVAL:
 * of another plan, expired, or by the executor themselves, whom their key, their name in allowed_signers or their user tells.
 */
export function requireApproval(
  approval: Approval,
  approver: Approver,
  context: { readonly plan: string; readonly now: Date; readonly executor: Executor },
): void {
  const { plan, now, executor } = context
  if (approval.plan !== plan)
    throw refuse('the approval is of another plan', 'have this one approved: rota approve PLAN')
  if (Date.parse(approval.expires) <= now.getTime())
    throw refuse(
      `the approval expired at ${approval.expires}`,
      'have the plan approved anew: rota approve PLAN',
    )
  const another = 'a second person has to approve: somebody else, with their own key and account'
  if (executor.keys.has(approver.fingerprint))
    throw refuse(`the approver’s key ${approver.fingerprint} is the executor’s own`, another)
  const name = approver.principals.find(each => executor.principals.has(each))
  if (name !== undefined)
    throw refuse(`the approver ${name} is the executor: another key of theirs is here`, another)
  if (approval.user === executor.user)
    throw refuse(`the approver is the user ${approval.user}, and so is the executor`, another)
}
