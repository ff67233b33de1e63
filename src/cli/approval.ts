import { readdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { problem } from '../core/error.ts'
import { listAgentKeys } from '../remote/agent.ts'
import { type AllowedSigner, parseAllowedSigners, selectSigners } from '../remote/allowed-signers.ts'
import { keyFingerprint } from '../remote/known-hosts.ts'
import { readPublicKey } from '../remote/signer.ts'
import { verifyMessage } from '../remote/sshsig.ts'
import {
  APPROVAL_NAMESPACE,
  type Approver,
  hashPlanFile,
  parseApproval,
  requireApproval,
} from '../rotation/approval.ts'
import { readApprovalFile } from './plan.ts'
import { loadOperator } from './who.ts'

/** An approval that counts, so far. */
export interface CheckedApproval {
  readonly expires: Date
  /** Said in the evidence. */
  readonly evidence: Readonly<Record<string, string>>
  /** Asks again: time has passed, and more of the executor's keys are known (`SHA256:…`). Throws E_APPROVAL. */
  again(keys: readonly string[]): void
  /** Puts plan and approval beside the run's evidence. */
  keep(folder: string): void
}

/**
 * Checks the approval beside a plan: signed for its namespace by a key of allowed_signers, of this very file, not expired, and not
 * by whoever is going to apply it. Throws E_APPROVAL, E_FILE.
 */
export async function checkApproval(
  plan: { readonly file: string; readonly bytes: Buffer },
  allowedSigners: string,
  keyFile: string | undefined,
): Promise<CheckedApproval> {
  const file = `${plan.file}.approval`
  const hint = `somebody else has to approve: rota approve ${plan.file}`
  const text = readApprovalFile(file, hint)
  const armored = readApprovalFile(`${file}.sig`, hint).toString('utf8')
  const signers = parseAllowedSigners(
    readApprovalFile(
      allowedSigners,
      'it says who may approve, a line each: PRINCIPAL KEYTYPE KEY (ssh-keygen(1), ALLOWED SIGNERS)',
    ).toString('utf8'),
    allowedSigners,
  )
  const approver = findApprover(file, text, armored, signers, allowedSigners)
  const approval = parseApproval(text.toString('utf8'), file)
  const { user = '' } = await loadOperator(undefined)
  const own = await loadOwnKeys(keyFile)
  const check = (more: readonly string[] = []): void => {
    const keys = new Set([...own, ...more])
    const named = signers.filter(signer => keys.has(keyFingerprint(signer.publicKey.toString('base64'))))
    const principals = new Set(named.flatMap(signer => signer.principals))
    const executor = { user, keys, principals }
    requireApproval(approval, approver, { plan: hashPlanFile(plan.bytes), now: new Date(), executor })
  }
  check()
  return {
    expires: new Date(approval.expires),
    evidence: {
      approvedBy: `${approver.principals.join(',')} (${approval.user}@${approval.machine}) with ${approver.fingerprint}`,
      approvedAt: approval.at,
      approvedUntil: approval.expires,
      plan: approval.plan,
    },
    again: check,
    keep(folder) {
      for (const [name, content] of [
        [basename(plan.file), plan.bytes],
        [basename(file), text],
        [`${basename(file)}.sig`, armored],
      ] as const)
        writeFileSync(join(folder, name), content, { mode: 0o600 })
    },
  }
}

function findApprover(
  file: string,
  text: Buffer,
  armored: string,
  signers: readonly AllowedSigner[],
  allowedSigners: string,
): Approver {
  const signed = verifyMessage(armored, APPROVAL_NAMESPACE, text)
  if ('why' in signed)
    throw problem('E_APPROVAL', `${file}.sig does not hold: ${signed.why}`, {
      hint: 'approve the plan anew: rota approve PLAN',
    })
  const found = selectSigners(signers, signed.publicKey, APPROVAL_NAMESPACE, new Date())
  if (found.length === 0)
    throw problem(
      'E_APPROVAL',
      `the key ${signed.fingerprint} may not approve: ${allowedSigners} does not list it for ${APPROVAL_NAMESPACE}, or not now`,
      {
        hint: 'have somebody approve who is listed there',
      },
    )
  return { fingerprint: signed.fingerprint, principals: found.flatMap(({ principals }) => principals) }
}

/** Fingerprints of the SSH keys of whoever runs this, as far as they can be known: `~/.ssh/*.pub`, the agent's, and the given one. */
async function loadOwnKeys(keyFile: string | undefined): Promise<ReadonlySet<string>> {
  const folder = join(process.env['HOME'] ?? homedir(), '.ssh')
  const names = listFolder(folder).filter(name => name.endsWith('.pub'))
  const files = [
    ...names.map(name => join(folder, name)),
    ...(keyFile === undefined ? [] : [`${keyFile}.pub`]),
  ]
  const fromFiles = files.flatMap(file => readPublicKey(file) ?? [])
  const socket = process.env['SSH_AUTH_SOCK']
  const held = socket === undefined ? [] : await listAgentKeys(socket).catch(() => [])
  const all = [...fromFiles, ...held.map(({ publicKey }) => publicKey)]
  return new Set(all.map(key => keyFingerprint(key.toString('base64'))))
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
