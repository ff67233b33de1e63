import { problem } from '../core/error.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { selectAbandonedOutcomes } from './abandon.ts'
import { goBack } from './back.ts'
import { isForwardOnly } from './decide.ts'
import { goForward } from './forward.ts'
import { freeHosts } from './hold.ts'
import { isTouched, readStates } from './ledger.ts'
import { openRun, restore, withReason } from './open-run.ts'
import { createOutcome, createUniform, type RotationOutcome } from './outcome.ts'
import { finishCommitted } from './pivot.ts'
import { emitStates, note, type RotationDeps, type Run, record } from './run.ts'

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
        hint: 'rotate again for other values; what it backed up lies sealed in its run folder; the panel goes back by: rota run playbooks/rollback.yml -i INVENTORY -e backup=TIMESTAMP',
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
