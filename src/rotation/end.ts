import type { RotationState } from '../core/event.ts'
import { selectAbandonedOutcomes } from './abandon.ts'
import { freeHosts } from './hold.ts'
import { createOutcome, type HostOutcome, type RotationOutcome, selectRunState } from './outcome.ts'
import { selectRotated } from './rotated.ts'
import { emitStates, type Run, record } from './run.ts'

/** Ends the run for good. */
export async function endRun(
  run: Run,
  state: RotationState,
  hosts: ReadonlyMap<string, HostOutcome>,
): Promise<RotationOutcome> {
  return close(run, 'end', state, hosts)
}

/** Leaves the run as it is, to be taken up again when a person has looked. */
export async function holdRun(run: Run, hosts: ReadonlyMap<string, HostOutcome>): Promise<RotationOutcome> {
  const state = selectRunState(
    [...hosts.values()].map(host => host.state),
    'held',
  )
  return close(run, 'held', state, hosts)
}

async function close(
  run: Run,
  type: 'end' | 'held',
  state: RotationState,
  hosts: ReadonlyMap<string, HostOutcome>,
): Promise<RotationOutcome> {
  const all = new Map([...hosts, ...selectAbandonedOutcomes(run)])
  const states = Object.fromEntries([...all].map(([host, outcome]) => [host, outcome.state]))
  const abandoned = Object.fromEntries(run.ledger.abandoned)
  const entry = { type, state, hosts: states, ...(run.ledger.abandoned.size > 0 && { abandoned }) }
  const rotated = type === 'end' ? selectRotated(run.journal.records, states) : undefined
  await record(run, { ...entry, ...(rotated && { rotated }) })
  if (type === 'end') await freeHosts(run, state)
  emitStates(run, all)
  return createOutcome(state, all)
}
