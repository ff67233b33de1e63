import { type Exit, problem } from '../core/error.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { abandonHosts, selectAbandonedOutcomes } from './abandon.ts'
import { goBack } from './back.ts'
import { isForwardOnly } from './decide.ts'
import { endRun } from './end.ts'
import { goForward } from './forward.ts'
import { endOwing, openGrace, readOwed } from './grace.ts'
import { freeHosts, takeHosts } from './hold.ts'
import { isForgotten, type JournalRecord, openJournal } from './journal.ts'
import { isTouched, readLedger, readStates } from './ledger.ts'
import { createOutcome, createUniform, type HostOutcome, type RotationOutcome } from './outcome.ts'
import { showSecrets } from './pending.ts'
import { finishCommitted } from './pivot.ts'
import { refuseChange } from './prepare.ts'
import {
  emitStates,
  note,
  type Red,
  type RotationDeps,
  type Run,
  record,
  runPhase,
  selectCommitted,
  sendJournal,
} from './run.ts'

/*
 * Which way an interrupted run goes:
 *
 * 1. The journal decides. A `commit` record: only forward, to the end of `committed`. A record of the phase `undo`: only
 *    back; `resume` then finishes the undo. Turning round twice would need a record of every half-way state.
 * 2. Before either, `resume` goes forward: every change that the journal knows is probed; applied is done, not applied is
 *    written, conflict is held, no answer is in doubt. Then the waves go on where they were; verify is always asked again.
 *    `rollback` goes back: applied is undone, not applied is skipped, conflict is held, no answer is in doubt.
 * 3. When a phase before the commit is red, the table in decide.ts says which way: back, or for a reason that forbids it
 *    forward once more and then held.
 *    What is good only now and then while all else is green holds the run: nobody can say that the new values are to blame.
 * 4. Hosts may part ways (FleetRule): one that was dropped only goes back, one that was committed alone only forward, whatever
 *    the others do. A change belongs to the host whose task it is, also where it was delegated.
 *    A person may give up one that never answers (`abandon`): it is asked nothing more, and what belongs to it elsewhere goes back
 *    like a dropped one's unless it is committed.
 *    One that joins a run whose hosts share values is taken in at the next barrier (`admit`), and then is like any other.
 * 5. A run that is held or in doubt stays open: the same command takes it up again. One that has ended answers the same
 *    for ever, and touches nothing.
 */

async function openRun(
  world: RotationWorld,
  deps: RotationDeps,
  work: (run: Run) => Promise<RotationOutcome>,
): Promise<RotationOutcome> {
  const { disk, processes, isLocked, sealer, now } = deps
  const journal = await openJournal(deps.folder, { disk, processes, isLocked, sealer, now })
  try {
    return await work({ world, deps, journal, ledger: readLedger(journal), warned: new Map() })
  } finally {
    await journal.close()
  }
}

/**
 * Runs a rotation from its beginning to an end: committed, rolled back or refused; or to `held` or `in_doubt`, where `resumeRotation`
 * and `rollbackRotation` take it up. Throws E_LOCKED, E_JOURNAL; a journal that cannot be written stops everything where it
 * is, since nothing may happen that is not recorded first.
 */
export async function runRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  return openRun(world, deps, async run => {
    if (run.ledger.begin)
      throw problem('E_JOURNAL', `run ${deps.run} was begun before`, { hint: `rota resume ${deps.run}` })
    const { reason, plan, invocation } = deps
    await record(run, {
      type: 'begin',
      run: deps.run,
      plan,
      reason,
      hosts: world.hosts,
      ...(invocation !== undefined && { invocation }),
    })
    return goForward(run)
  })
}

/**
 * The outcome of a run with nothing left to do but to give its hosts back: ended, or stopped before its first record was
 * whole. Says so of each host.
 */
async function answerSettled(run: Run): Promise<RotationOutcome | undefined> {
  const { begin, end } = run.ledger
  const settled =
    begin === undefined
      ? createUniform('refused', run.world.hosts, run.deps.clean('the run stopped before it began'))
      : end?.type === 'end'
        ? createOutcome(end.state, new Map([...readStates(end), ...selectAbandonedOutcomes(run)]))
        : undefined
  if (settled) {
    note(run, 'info', `run ${run.deps.run} has ended before; nothing is done now`)
    emitStates(run, settled.hosts)
  }
  if (begin && settled) await freeHosts(run, settled.state)
  return settled
}

/** The hosts are those that the journal knows, whoever has joined since. */
async function restoreHosts({ ledger, world, deps }: Run): Promise<void> {
  const isThere = ledger.hosts.every(host => world.hosts.includes(host))
  const isSame = isThere && ledger.hosts.length === world.hosts.length
  if (isSame) return
  if (isThere && world.setHosts) return world.setHosts(ledger.hosts)
  throw problem('E_JOURNAL', `run ${deps.run} is of other hosts: ${ledger.hosts.join(', ')}`, {
    hint: 'give the inventory and --limit that the run was begun with',
  })
}

/** Gives the world what the run knew, and the targets the records that they may lack. */
async function restore(run: Run): Promise<void> {
  await restoreHosts(run)
  showSecrets(run)
  if (run.ledger.snapshot !== undefined) run.world.restore(run.ledger.snapshot)
  if (!run.ledger.secrets) {
    if (!run.deps.abandon) return
    throw problem('E_USAGE', `run ${run.deps.run} has changed nothing yet: no host has to be given up`, {
      hint: 'the same command without --abandon',
    })
  }
  await takeHosts(run)
  await abandonHosts(run)
  await sendJournal(run)
}

/** The reason of the run is the journal's, whatever the caller believes. */
function withReason(run: Run): Run {
  const reason = run.ledger.begin?.reason ?? run.deps.reason
  return { ...run, deps: { ...run.deps, reason } }
}

function checkPlan(run: Run): void {
  if (run.ledger.begin?.plan === run.deps.plan) return
  throw problem('E_JOURNAL', `run ${run.deps.run} was begun with another playbook, inventory or variables`, {
    hint: `take the files as they were then; or go back: rota rollback ${run.deps.run}`,
  })
}

/**
 * Takes an interrupted, held or in-doubt run up again and carries it forward (see the rule above). Can itself be killed and
 * run again. Throws E_LOCKED, E_JOURNAL (also for another plan or other hosts), E_SEAL.
 */
export async function resumeRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  return openRun(world, deps, async opened => {
    const settled = await answerSettled(opened)
    if (settled) return settled
    const run = withReason(opened)
    await restore(run)
    if (run.ledger.isUndoing) return goBack(run)
    checkPlan(run)
    return goForward(run)
  })
}

function checkMayGoBack(run: Run): void {
  const { deps, ledger, world } = run
  const state = ledger.end?.state
  if (ledger.isCommitted || (ledger.end?.type === 'end' && ledger.committed.size > 0))
    throw problem(
      'E_HELD',
      `run ${deps.run} is ${state ?? 'committed'}: its old values are no longer in force anywhere`,
      {
        hint: 'to put its backup back: rota run playbooks/rollback.yml -i INVENTORY -e backup=TIMESTAMP',
      },
    )
  if (isForwardOnly(deps.reason) && world.hosts.some(host => isTouched(ledger, host)))
    throw problem(
      'E_HELD',
      `run ${deps.run} has reason ${deps.reason}: going back would put a compromised value in force`,
      {
        hint: `rota resume ${deps.run}`,
      },
    )
}

/**
 * Undoes an interrupted, held or in-doubt run on every host. Can itself be killed and run again. Throws E_HELD for a run that
 * is committed or whose reason never goes back; E_LOCKED, E_JOURNAL, E_SEAL.
 */
export async function rollbackRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  return openRun(world, deps, async opened => {
    const run = withReason(opened)
    checkMayGoBack(run)
    const settled = await answerSettled(run)
    if (settled) return settled
    await restore(run)
    if (run.ledger.begin?.plan !== deps.plan)
      note(run, 'warn', 'the playbook, inventory or variables are not those the run was begun with')
    await finishCommitted(run)
    return goBack(run)
  })
}

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
    const last = run.journal.records.findLast(({ type }) => type !== 'forgotten')
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

type Ended = Extract<JournalRecord, { type: 'held' | 'end' }>

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
