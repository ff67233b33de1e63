import { existsSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseDurationMs } from '../core/duration.ts'
import { exits, problem } from '../core/error.ts'
import { openSigner } from '../remote/signer.ts'
import { signMessage } from '../remote/sshsig.ts'
import { APPROVAL_NAMESPACE, type Approval, hashPlanFile, renderApproval } from '../rotation/approval.ts'
import { parsePlan, renderPlan } from '../rotation/plan.ts'
import { readApprovalFile } from './plan.ts'
import { ask, askSecret } from './prompt.ts'
import { loadOperator } from './who.ts'

export interface ApproveFlags {
  readonly key?: string | undefined
  readonly valid: string
  readonly yes?: boolean | undefined
}

/** ssh's own order of preference, without what it does not make any more. */
const defaultKeys = ['id_ed25519', 'id_ed25519_sk', 'id_ecdsa', 'id_rsa']

/**
 * `rota approve PLAN`: shows the plan, asks, and writes PLAN.approval (what is said: the hash of the plan, by whom, until when) and
 * PLAN.approval.sig, which stock `ssh-keygen -Y verify -n approval@rota` checks. Throws E_APPROVAL, E_FILE, E_USAGE.
 */
export async function approveCommand(file: string, flags: ApproveFlags): Promise<number> {
  const bytes = readApprovalFile(file, 'make one: rota plan PLAYBOOK -o plan.json')
  const plan = parsePlan(bytes.toString('utf8'), file)
  const validMs = parseDurationMs(flags.valid)
  if (validMs === undefined)
    throw problem('E_USAGE', `--valid ${flags.valid} is no length of time`, {
      hint: 'write --valid 24h or 7d',
    })
  process.stdout.write(`${renderPlan(plan)}\n`)
  if (!flags.yes) {
    const answer = await ask('Approve this plan? (yes/no)', {
      hidden: false,
      instead: `rota approve ${file} --yes`,
    })
    if (answer.trim() !== 'yes')
      throw problem('E_USAGE', 'not approved', { hint: 'answer yes, or give --yes' })
  }
  const approval = await makeApproval(hashPlanFile(bytes), validMs)
  const text = renderApproval(approval)
  const key = flags.key ?? findKey()
  const signer = await openSigner({
    file: key,
    agent: process.env['SSH_AUTH_SOCK'],
    askPassphrase: () =>
      askSecret(`passphrase of ${key}`, 'passphrase', 'add the key to the ssh agent: ssh-add'),
  })
  const armored = await signMessage(signer, APPROVAL_NAMESPACE, Buffer.from(text)).catch((cause: Error) => {
    throw problem('E_FILE', `cannot sign with ${key}: ${cause.message}`, {
      hint: 'unlock or touch the key, and try again',
      cause,
    })
  })
  writeFileSync(`${file}.approval`, text)
  writeFileSync(`${file}.approval.sig`, armored)
  process.stdout.write(
    `approved until ${approval.expires} with ${signer.fingerprint}: ${file}.approval, ${file}.approval.sig\nnext: rota apply ${file}\n`,
  )
  return exits.ok.code
}

async function makeApproval(plan: string, validMs: number): Promise<Approval> {
  const { user = '', machine = '' } = await loadOperator(undefined)
  const now = Date.now()
  return {
    v: 1,
    plan,
    user,
    machine,
    at: new Date(now).toISOString(),
    expires: new Date(now + validMs).toISOString(),
  }
}

function findKey(): string {
  const folder = join(process.env['HOME'] ?? homedir(), '.ssh')
  const found = defaultKeys.map(name => join(folder, name)).find(file => existsSync(file))
  if (found !== undefined) return found
  throw problem('E_USAGE', `there is no SSH key in ${folder}`, { hint: 'name one: --key FILE' })
}
