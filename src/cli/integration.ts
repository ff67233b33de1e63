import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import { listDue } from '../rotation/due.ts'
import { stateFolder } from '../rotation/run-folder.ts'
import { type IntegrationFlags, secretFlags } from './integration-flags.ts'
import type { RunFlags } from './options.ts'

const PLAYBOOK = 'playbooks/rotate-integration-secrets.yml'
const webhookSecrets = ['PAYSTACK_SECRET', 'FLUTTERWAVE_WEBHOOK_HASH']

/** `--paystack-secret -` is `--secret PAYSTACK_SECRET=-`. A value in its place is refused, and not shown. */
function toSecrets(flags: IntegrationFlags): readonly string[] {
  return Object.entries(secretFlags).flatMap(([key, [flag, name]]) => {
    const where = flags[key as keyof typeof secretFlags]
    if (where === undefined) return []
    if (/^(-|@.+|fd:\d+|cmd:.+)$/s.test(where)) return [`${name}=${where}`]
    throw problem('E_USAGE', `${flag} does not say where the value is`, {
      hint: `write ${flag} - to be asked or to pipe it in, @FILE, fd:3 or cmd:COMMAND; never the value itself`,
    })
  })
}

/** In the project of the current folder; else the one that came with this program. */
function findPlaybook(): string {
  const places = [resolve(PLAYBOOK), ...['..', '../..'].map(up => resolve(import.meta.dirname, up, PLAYBOOK))]
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `there is no ${PLAYBOOK}`, { hint: `looked for ${places.join(', ')}` })
}

/** `rota rotate-integration-secrets`: `rota run` of its playbook, or `rota finalise` of what it left, by the checklist's arguments. */
export async function integrationCommand(given: IntegrationFlags, version: string): Promise<number> {
  const secrets = toSecrets(given)
  const { finalizePaymentWebhookGrace: finalise, proxmoxTokenId, ...rest } = given
  const flags: RunFlags = Object.fromEntries(Object.entries(rest).filter(([key]) => !(key in secretFlags)))
  if (finalise === undefined) {
    const id = proxmoxTokenId === undefined ? [] : [JSON.stringify({ proxmox_token_id: proxmoxTokenId })]
    const { runCommand } = await import('./run.ts')
    const secret = [...(flags.secret ?? []), ...secrets]
    const more = {
      ...(secret.length > 0 && { secret }),
      ...(id.length > 0 && { extraVars: [...(flags.extraVars ?? []), ...id] }),
    }
    return runCommand([findPlaybook()], { ...flags, ...more }, version)
  }
  if (secrets.length > 0)
    throw problem('E_USAGE', '--finalize-payment-webhook-grace ends previous keys and takes no new ones', {
      hint: 'rotate first, finalise when the providers are changed',
    })
  const { recoverCommand } = await import('./recover.ts')
  return recoverCommand('finalise', finalise === true ? await findWindow() : finalise, flags, version)
}

/** The newest run that left previous keys of webhooks behind. */
async function findWindow(): Promise<string> {
  const due = await listDue(stateFolder(process.env))
  const run = due.find(({ until }) => webhookSecrets.some(name => until[name] !== undefined))
  if (run) return run.id
  throw problem('E_USAGE', 'no previous key of a webhook counts any more, as far as this machine knows', {
    hint: 'rota status shows what is due; for a run of another machine: rota finalise RUN --from-host HOST',
  })
}
