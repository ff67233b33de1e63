import { problem } from '../core/error.ts'
import type { Alternate } from '../core/play.ts'
import { isSameSecret, Secret } from '../core/secret.ts'
import type { Change, InForce } from '../core/transaction.ts'
import type { Value } from '../core/value.ts'
import { type Reading, renderTexts } from './keyword.ts'

/** Of two names the one in force, and the idle one that takes its place. Plain text: a name is no secret. */
export interface Turn {
  readonly name: string
  readonly current: string
  readonly pending: string
}

/** Whose turn it is on a host, from what preflight has read. Throws E_PREFLIGHT when the name in force is neither. */
export function renderTurns(reading: Reading, alternates: readonly Alternate[]): readonly Turn[] {
  return alternates.map(({ name, between, current, at }) => {
    const place = { ...reading, at }
    const names = renderTexts(place, 'between', between)
    const found = reading.templar.render(current, reading.scope)
    if (names.length !== 2 || names[0] === names[1])
      throw problem('E_PLAYBOOK', `${name} alternates between two names`, {
        at,
        hint: 'write between: [app_a, app_b]',
      })
    const inForce = names.find(each => isName(found, each))
    if (inForce === undefined)
      throw problem('E_PREFLIGHT', `${name} is neither of ${names.join(' and ')} now`, {
        at,
        hint: 'put the application on one of them first',
      })
    return { name, current: inForce, pending: names.find(each => each !== inForce)! }
  })
}

/** True for a change of the idle one itself: a state names its user in plain, and what will use it holds more than the name. */
export function isOfIdle({ after }: Change, turns: readonly Turn[]): boolean {
  const texts = typeof after === 'object' && after !== null ? Object.values(after) : []
  return turns.some(({ pending }) => texts.includes(pending))
}

/** What was read from an env file is a secret, though names are none. */
function isName(found: Value, name: string): boolean {
  return found instanceof Secret ? isSameSecret(found, new Secret(name, 'name')) : found === name
}

/** What `pending`, `current`, `secrets` and `stale` hold besides the secrets. */
export function turnsInForce(
  turns: readonly Turn[],
  inForce: InForce,
): Readonly<Record<string, ReadonlyMap<string, Value>>> {
  const pick = (which: 'current' | 'pending') => new Map(turns.map(turn => [turn.name, turn[which]] as const))
  const [current, pending] = [pick('current'), pick('pending')]
  return inForce === 'pending'
    ? { current, pending, secrets: pending, stale: current }
    : { current, pending, secrets: current, stale: pending }
}
