import type { Phase } from '../core/play.ts'
import type { Secret } from '../core/secret.ts'
import type { HostSecrets, InForce } from '../core/transaction.ts'
import type { Value } from '../core/value.ts'
import { type Turn, turnsInForce } from './alternate.ts'
import type { HostState } from './fleet.ts'

type Values = ReadonlyMap<string, Secret>

/**
 * Shows a host's templates the values of its rotation: `secrets` are those that it sends, `stale` those that must no longer be
 * accepted, and `accepted` lists those that it has to accept, the sent one first. `distributes`: the phase, where the play distributes
 * new values before it sends them; there both count from then on until finalise.
 */
export function showSecrets(
  host: HostState,
  values: HostSecrets | undefined,
  inForce: InForce,
  distributes: Phase | false,
  turns: readonly Turn[],
): void {
  if (!values) return
  const { current, pending } = values
  const [secrets, stale] = inForce === 'pending' ? [pending, current] : [current, pending]
  const isOne = distributes === false || inForce === 'current' || distributes.startsWith('finalise')
  const shown = {
    current,
    pending,
    secrets,
    stale,
    accepted: listAccepted(secrets, isOne ? undefined : stale),
  }
  const names = turnsInForce(turns, inForce)
  for (const [name, value] of Object.entries(shown))
    host.secrets.set(name, new Map<Value, Value>([...value, ...(names[name] ?? [])]))
}

function listAccepted(sent: Values, also: Values | undefined): ReadonlyMap<string, readonly Secret[]> {
  const names = new Set([...sent.keys(), ...(also?.keys() ?? [])])
  return new Map(
    [...names].map(name => [name, [sent.get(name), also?.get(name)].filter(value => value !== undefined)]),
  )
}
