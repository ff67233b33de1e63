import { problem } from '../core/error.ts'
import { selectBackOutcomes } from './back.ts'
import { holdRun } from './end.ts'
import { endOwing, openGates, openGrace } from './grace.ts'
import { createUniform, type RotationOutcome } from './outcome.ts'
import { emitSecrets } from './pending.ts'
import {
  emitStates,
  type Red,
  type Run,
  record,
  ruleOf,
  runPhase,
  selectCommitted,
  selectCommittedOutcomes,
  selectReachable,
  toMessage,
} from './run.ts'
import type { Stuck } from './steps.ts'
import { remember } from './wave.ts'

/** What cannot be proven is not committed. Resolves with every host as red when the evidence cannot be written. */
export async function settleEvidence(run: Run): Promise<Red | undefined> {
  try {
    await run.deps.settleEvidence?.()
    return undefined
  } catch (error) {
    const message = toMessage(run, error)
    return new Map(run.world.hosts.map(host => [host, { status: 'failed', message }]))
  }
}

/** With `commit: host`, the pivot of what is green of a wave: one record. Resolves with what forbids it. */
export async function commitHosts(run: Run, hosts: readonly string[]): Promise<Red | undefined> {
  if (ruleOf(run).commit !== 'host' || hosts.length === 0) return undefined
  const unproven = await settleEvidence(run)
  if (unproven) return unproven
  await record(run, { type: 'commit', hosts })
  for (const host of hosts) run.ledger.committed.add(host)
  await finishCommitted(run)
  return undefined
}

/** The pivot of the run: one record. From here on no host goes back but those that were dropped. */
export async function commit(run: Run): Promise<void> {
  await record(run, { type: 'commit' })
  run.ledger.isCommitted = true
}

/**
 * A commit counts when a host has its record: whoever takes the run over reads the hosts alone, and may else go back. Throws
 * E_LOCKED when somebody did, E_HELD when no host can be told now.
 */
async function requireTold(run: Run): Promise<void> {
  const { hostJournal, hostLocks, run: id } = run.deps
  if (!hostJournal) return
  // Nothing new: what no host has confirmed yet goes along.
  const told = await Promise.allSettled(selectReachable(run).map(host => hostJournal.append(host, '')))
  hostLocks?.checkHeld()
  if (told.some(({ status }) => status === 'fulfilled')) return
  throw problem('E_HELD', `run ${id} is committed here, but no host could be told`, {
    hint: `when a host answers: rota resume ${id}`,
  })
}

/**
 * What follows the commit, on each host once: a failure here is a warning, since nothing of it can be undone. Throws
 * E_LOCKED, E_HELD.
 */
export async function finishCommitted(run: Run): Promise<void> {
  const { ledger, warned } = run
  const hosts = selectCommitted(run).filter(
    host => !ledger.green.has(`committed ${host}`) && !warned.has(host),
  )
  if (hosts.length === 0) return
  await requireTold(run)
  emitSecrets(run, hosts)
  emitStates(run, createUniform('committed', hosts).hosts)
  const red = await runPhase(run, 'committed', hosts, 'pending')
  remember(run, 'committed', hosts, red)
  for (const [host, { message }] of red) warned.set(host, message)
}

/** Ends a run whose waves are through. It stays open while the undo of a dropped host is in the way. */
export async function finish(run: Run, stuck: ReadonlyMap<string, Stuck>): Promise<RotationOutcome> {
  await finishCommitted(run)
  await openGates(run)
  await openGrace(run)
  const back = selectBackOutcomes(run, [...run.ledger.dropped], new Map(), stuck)
  if (stuck.size > 0) return holdRun(run, new Map([...selectCommittedOutcomes(run), ...back]))
  return endOwing(run, back)
}
