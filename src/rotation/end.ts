import type { RotationState } from '../core/event.ts'
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
  const states = Object.fromEntries([...hosts].map(([host, outcome]) => [host, outcome.state]))
  const rotated = type === 'end' ? selectRotated(run.journal.records) : undefined
  await record(run, { type, state, hosts: states, ...(rotated && { rotated }) })
  if (type === 'end') await freeHosts(run, state)
  emitStates(run, hosts)
  return createOutcome(state, hosts)
}
