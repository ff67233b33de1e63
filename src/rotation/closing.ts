import { type Exit, problem } from '../core/error.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { endRun } from './end.ts'
import { endOwing, openGrace, readOwed } from './grace.ts'
import { findLatest, isForgotten, type RecordOf } from './journal.ts'
import { readStates } from './ledger.ts'
import { openRun, restore, withReason } from './open-run.ts'
import { createOutcome, type HostOutcome, type RotationOutcome } from './outcome.ts'
import { refuseChange } from './prepare.ts'
import { note, type Red, type RotationDeps, type Run, record, runPhase, selectCommitted } from './run.ts'

/** A run whose commit is behind it and that has ended. Throws E_HELD for any other. */
function checkCommitted({ deps, ledger }: Run): void {
  const state = ledger.end?.state
  if ((ledger.isCommitted || ledger.committed.size > 0) && ledger.end?.type === 'end') return
  throw problem('E_HELD', `run ${deps.run} is not finished: ${state ?? 'interrupted'}`, {
    hint: ledger.isUndoing ? `rota rollback ${deps.run}` : `rota resume ${deps.run}`,
  })
}

/**
 * A person's word that what the run waits for at its providers is done: the phase `confirmed` proves what of it can be proven,
 * then the window of the values of before begins anew. Red: the run goes on waiting, and the command can be given again. Throws
 * E_HELD for a run that is not committed.
 */
export async function confirmRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  return openRun(world, deps, async opened => {
    const run = withReason(opened)
    checkCommitted(run)
    const isWaiting = readOwed(run.journal.records).gates.length > 0
    // A confirmation that was killed is confirmed, and yet has to end.
    const last = findLatest(run.journal.records)
    if (!isWaiting && last?.type === 'end') {
      note(run, 'info', `run ${deps.run} waits for nothing`)
      return createOutcome(run.ledger.end!.state, readStates(run.ledger.end as Ended))
    }
    await restore(run)
    if (isWaiting) {
      const red = await runPhase(run, 'confirmed', selectCommitted(run), 'pending', { apply: refuseChange })
      if (red.size > 0) return endUnchanged(run, red, 'awaiting')
      await record(run, { type: 'confirm', by: deps.operator ?? 'nobody knows whom' })
    }
    await openGrace(run)
    return endOwing(run)
  })
}

type Ended = RecordOf<'held' | 'end'>

/** Ends a run that was taken up as it stood before: nothing was changed. */
async function endUnchanged(run: Run, red: Red, exit: Exit): Promise<RotationOutcome> {
  const end = run.ledger.end as Ended
  const hosts = run.world.hosts.map((host): [string, HostOutcome] => [
    host,
    { state: end.hosts[host] ?? end.state, message: red.get(host)?.message },
  ])
  return { ...(await endRun(run, end.state, new Map(hosts))), exit }
}

/** A host that nobody has told of the new value may still send the one of before. Throws E_PREFLIGHT. */
async function refuseJoined({ world, ledger, deps }: Run): Promise<void> {
  const joined = world.distributes ? ((await world.joined?.()) ?? []) : []
  if (joined.length === 0) return
  throw problem(
    'E_PREFLIGHT',
    `${joined.join(', ')} joined after the commit, and may still send the values of before`,
    {
      hint: `see to it that it sends the new values only; then: rota finalise ${deps.run} --limit ${ledger.hosts.join(',')}`,
    },
  )
}

/**
 * The last, separate run of a committed rotation: the phase `finalise` takes the old values away for good. `finalise_preflight` is
 * red: nothing is touched. A red host of `finalise` leaves the run committed_with_warnings; the command can be given again. Throws
 * E_HELD for a run that is not committed, E_AWAITING for one that waits for a provider.
 */
export async function finaliseRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  return openRun(world, deps, async opened => {
    const run = withReason(opened)
    checkCommitted(run)
    const end = run.ledger.end as Ended
    if (end.state === 'finalised') return createOutcome(end.state, readStates(end))
    if (isForgotten(run.journal.records)) {
      note(run, 'info', `run ${deps.run} had nothing to finalise, and its values are forgotten`)
      return createOutcome(end.state, readStates(end))
    }
    const { gates } = readOwed(run.journal.records)
    if (gates.length > 0)
      throw problem('E_AWAITING', `run ${deps.run} waits for ${gates.map(({ name }) => name).join(', ')}`, {
        hint: `when that is done: rota confirm ${deps.run}`,
      })
    await restore(run)
    await refuseJoined(run)
    const hosts = selectCommitted(run)
    const unready = await runPhase(run, 'finalise_preflight', hosts, 'pending', { apply: refuseChange })
    if (unready.size > 0) return endUnchanged(run, unready, 'preflight')
    const red = await runPhase(run, 'finalise', hosts, 'pending')
    const outcomes = world.hosts.map((host): [string, HostOutcome] => {
      if (!hosts.includes(host)) return [host, { state: 'rolled_back' }]
      const message = red.get(host)?.message
      return [
        host,
        message === undefined ? { state: 'finalised' } : { state: 'committed_with_warnings', message },
      ]
    })
    return endRun(run, red.size > 0 ? 'committed_with_warnings' : 'finalised', new Map(outcomes))
  })
}
