import type { Exit } from '../core/error.ts'
import type { RotationState } from '../core/event.ts'
import type { Clean } from '../core/redact.ts'
import type { RotationWorld } from '../core/transaction.ts'

export interface HostOutcome {
  readonly state: RotationState
  readonly message?: Clean | undefined
}

/** How a rotation ended, or where it stands when a person has to decide (`held`, `in_doubt`). */
export interface RotationOutcome {
  readonly state: RotationState
  readonly hosts: ReadonlyMap<string, HostOutcome>
  readonly exit: Exit
}

const exitOf: Readonly<Record<RotationState, Exit>> = {
  running: 'error',
  rolling_back: 'held',
  committed: 'ok',
  committed_with_warnings: 'warnings',
  rolled_back: 'rolledBack',
  held: 'held',
  in_doubt: 'held',
  refused: 'preflight',
  finalised: 'ok',
  awaiting_provider: 'awaiting',
  in_grace: 'ok',
  abandoned: 'failed',
}

/** The state of the run: the worst of its hosts' states. Nobody knows is worse than a person has to decide. */
export function selectRunState(states: Iterable<RotationState>, otherwise: RotationState): RotationState {
  const all = new Set(states)
  const worst = (['in_doubt', 'held', 'committed_with_warnings'] as const).find(state => all.has(state))
  return worst ?? otherwise
}

/** A host that ended on its old values, or as somebody gave it up: nothing is owed for it. */
export function isLeft(state: RotationState | undefined): boolean {
  return state === 'rolled_back' || state === 'abandoned'
}

const forward: readonly RotationState[] = [
  'committed',
  'committed_with_warnings',
  'awaiting_provider',
  'in_grace',
]

/** Where hosts have parted ways, those that ended on their old values are failures, and so is one that was given up. */
export function createOutcome(
  state: RotationState,
  hosts: ReadonlyMap<string, HostOutcome>,
): RotationOutcome {
  const has = (end: RotationState): boolean => [...hosts.values()].some(host => host.state === end)
  const isParted = forward.includes(state) && (has('rolled_back') || has('abandoned'))
  const isShort = state === 'rolled_back' && has('abandoned')
  return { state, hosts, exit: isParted || isShort ? 'failed' : exitOf[state] }
}

/** True for a run that is over for good: nothing of what was sealed for it is needed any more. */
export function isOver(
  state: RotationState,
  { hasFinalise = true }: Pick<RotationWorld, 'hasFinalise'>,
): boolean {
  if (state === 'rolled_back' || state === 'refused' || state === 'finalised') return true
  return !hasFinalise && (state === 'committed' || state === 'committed_with_warnings')
}

/** The same state for every host. */
export function createUniform(
  state: RotationState,
  hosts: readonly string[],
  message?: Clean,
): RotationOutcome {
  return createOutcome(state, new Map(hosts.map(host => [host, { state, message }])))
}
