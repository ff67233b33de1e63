import type { Clean } from '../core/redact.ts'
import { endRun, holdRun } from './end.ts'
import { endOwing, openGates, openGrace } from './grace.ts'
import { isCommittedOn, isSuperseded, isTouched, keyOf, ownerOf, type Step } from './ledger.ts'
import type { HostOutcome, RotationOutcome } from './outcome.ts'
import {
  emitStates,
  type Red,
  type Run,
  record,
  runPhase,
  selectCommitted,
  selectCommittedOutcomes,
  selectReachable,
} from './run.ts'
import { type Probed, probeStep, type Stuck, undoStep } from './steps.ts'

/** How often a change that lands after it was found not applied is undone again. */
const LATE_ATTEMPTS = 3

/**
 * Cuts steps, latest first, into batches that may be undone at once: one task's steps on different hosts, which no order
 * bound when they were made.
 */
export function planBatches(steps: readonly Step[]): readonly (readonly Step[])[] {
  const batches: Step[][] = []
  for (const step of [...steps].reverse()) {
    const batch = batches.at(-1)
    const fits = batch?.every(
      other => other.change.what === step.change.what && other.change.host !== step.change.host,
    )
    if (batch && fits) batch.push(step)
    else batches.push([step])
  }
  return batches
}

/**
 * Asks the target about every change that stands, before any is undone: a host of which one is in conflict or does
 * not answer is left as it is, whole, for a person to look at.
 */
async function probeAll(
  run: Run,
  steps: readonly Step[],
  stuck: Map<string, Stuck>,
): Promise<ReadonlyMap<Step, Probed>> {
  const open = steps.filter(step => step.progress !== 'undone' && !isSuperseded(step, steps))
  const probed = new Map<Step, Probed>()
  const askHost = async (host: string): Promise<void> => {
    for (const step of open.filter(({ change }) => change.host === host)) {
      const answer = await probeStep(run, step)
      probed.set(step, answer)
      if (answer.probe !== 'conflict' && answer.probe !== 'unreachable') continue
      const found = await undoStep(run, step, answer)
      if (found) stuck.set(host, found)
      return
    }
  }
  await Promise.all([...new Set(open.map(({ change }) => change.host))].map(askHost))
  return probed
}

/** Undoes every change that stands, latest first. Fills `stuck` with the hosts where that is not possible. */
async function undoAll(run: Run, steps: readonly Step[], stuck: Map<string, Stuck>): Promise<void> {
  const probed = await probeAll(run, steps, stuck)
  for (const batch of planBatches(steps))
    await Promise.all(
      batch.map(async step => {
        const { host } = step.change
        if (step.progress === 'undone' || stuck.has(host)) return
        const found = await undoStep(run, step, probed.get(step))
        if (found) stuck.set(host, found)
      }),
    )
}

/** Makes the running systems match the old values again and proves it, wave by wave. */
async function restoreService(
  run: Run,
  hosts: ReadonlySet<string>,
  stuck: Map<string, Stuck>,
  inForce: 'current' | 'both',
): Promise<void> {
  for (const wave of run.world.waves)
    for (const phase of ['converge', 'verify'] as const) {
      const isAsked = (host: string): boolean => hosts.has(host) && !run.ledger.abandoned.has(host)
      const touched = wave.filter(host => isAsked(host) && isTouched(run.ledger, host) && !stuck.has(host))
      if (touched.length === 0) break
      const red = await runPhase(run, phase, touched, inForce, { isBack: true })
      for (const [host, { status, message }] of red)
        stuck.set(host, {
          state: status === 'failed' ? 'held' : 'in_doubt',
          message: run.deps.clean(
            `the changes are undone, but ${phase} with the old values is red: ${message}`,
          ),
        })
    }
}

/**
 * Changes whose answer was lost and that were not there when asked, but are there now: a write may still have been
 * on its way when its link died.
 */
async function findLate(run: Run, uncertain: readonly Step[], stuck: Map<string, Stuck>): Promise<boolean> {
  let isLate = false
  for (const step of uncertain) {
    if (step.progress !== 'undone') continue
    const { probe } = await probeStep(run, step)
    if (probe !== 'applied') continue
    await record(run, { type: 'undo-intent', step: step.change.step, host: step.change.host })
    step.progress = 'undo-intent'
    // What was red there may have been red because of it.
    stuck.delete(step.change.host)
    isLate = true
  }
  return isLate
}

/**
 * A converge that was cut off can leave a service stopped which has to say what it holds: it is run again where nothing answers.
 * True when there is somebody to ask again.
 */
async function restartSilent(
  run: Run,
  hosts: ReadonlySet<string>,
  stuck: Map<string, Stuck>,
  inForce: 'current' | 'both',
): Promise<boolean> {
  const hasBegun = (host: string): boolean => run.ledger.started.has(keyOf('converge', host, 'pending'))
  const silent = [...stuck.keys()].filter(
    host => hosts.has(host) && hasBegun(host) && stuck.get(host)!.state === 'in_doubt',
  )
  if (silent.length === 0) return false
  const red = await runPhase(run, 'converge', silent, inForce, { isBack: true })
  const awake = silent.filter(host => !red.has(host))
  for (const host of awake) stuck.delete(host)
  return awake.length > 0
}

/** Undoes steps, then converges and verifies; again, should a change land late. Fills `stuck`. */
async function undoSteps(
  run: Run,
  hosts: ReadonlySet<string>,
  steps: readonly Step[],
  stuck: Map<string, Stuck>,
  inForce: 'current' | 'both' = 'current',
): Promise<void> {
  const uncertain = steps.filter(step => step.progress === 'intent')
  for (let attempt = 0; attempt < LATE_ATTEMPTS; attempt++) {
    await undoAll(run, steps, stuck)
    if (await restartSilent(run, hosts, stuck, inForce)) await undoAll(run, steps, stuck)
    await restoreService(run, hosts, stuck, inForce)
    if (!(await findLate(run, uncertain, stuck))) break
  }
}

/** Changes of which something can be known: those on hosts that were given up are left as they are. */
function selectAsked({ ledger: { steps, abandoned } }: Run): readonly Step[] {
  return steps.filter(({ change }) => !abandoned.has(change.host))
}

/** True while no host may have forgotten the new values: their distribution is undone last. */
function isStillDistributed(steps: readonly Step[]): boolean {
  const isGoing = (step: Step): boolean => step.progress === 'undo-intent' || step.progress === 'undone'
  return steps.some(step => step.isDistributed) && !steps.some(step => step.isDistributed && isGoing(step))
}

/**
 * The hosts that stop using what was made ready before that is taken back: all together where the new values were distributed,
 * else each for itself.
 */
function selectUsers(run: Run, hosts: ReadonlySet<string>, steps: readonly Step[]): ReadonlySet<string> {
  const isSender = (host: string): boolean =>
    run.ledger.started.has(`change ${host}`) && isStillDistributed(steps)
  const isUser = (host: string): boolean => {
    const own = steps.filter(step => ownerOf(step) === host)
    return isStillDistributed(own) && own.some(step => !step.isDistributed)
  }
  return new Set([...hosts].filter(run.world.distributes ? isSender : isUser))
}

/**
 * Undoes what belongs to some hosts: changes in reverse order by what the target says, then converge and verify with the old
 * values. Where the new values were distributed, first every host stops sending them (a barrier), then they are forgotten.
 * Resolves with the hosts where that is not possible; a change may be on a host outside the run, where it was delegated to.
 */
async function undoHosts(
  run: Run,
  hosts: ReadonlySet<string>,
  steps: readonly Step[],
): Promise<ReadonlyMap<string, Stuck>> {
  const stuck = new Map<string, Stuck>()
  const { distributes = false } = run.world
  const users = selectUsers(run, hosts, steps)
  const used = steps.filter(step => !step.isDistributed && (distributes || users.has(ownerOf(step))))
  if (users.size > 0) await undoSteps(run, users, used, stuck, 'both')
  if (distributes && stuck.size > 0) {
    const senders = [...stuck.keys()].join(', ')
    const message = run.deps.clean(`accepts both values, since ${senders} may still send the new ones`)
    for (const host of hosts) if (!stuck.has(host)) stuck.set(host, { state: 'held', message })
    return stuck
  }
  await undoSteps(run, hosts, steps, stuck)
  return stuck
}

function emitGoingBack(run: Run, hosts: readonly string[], red: Red): void {
  run.deps.emit({ type: 'phase.start', phase: 'undo', hosts })
  emitStates(
    run,
    new Map(hosts.map(host => [host, { state: 'rolling_back', message: red.get(host)?.message }] as const)),
  )
}

/** Turns the run around for good: the record says so to every later resume. */
async function turnBack(run: Run, red: Red): Promise<void> {
  const { ledger } = run
  const hosts = selectReachable(run).filter(host => isTouched(ledger, host) && !isCommittedOn(ledger, host))
  if (!ledger.isUndoing) await record(run, { type: 'phase', phase: 'undo', status: 'start', hosts })
  ledger.isUndoing = true
  emitGoingBack(run, hosts, red)
}

/** How hosts that went back ended. */
export function selectBackOutcomes(
  run: Run,
  hosts: readonly string[],
  red: Red,
  stuck: ReadonlyMap<string, Stuck>,
): ReadonlyMap<string, HostOutcome> {
  const untouched = run.deps.clean('was not touched')
  return new Map(
    [...new Set([...hosts, ...stuck.keys()])].map((host): [string, HostOutcome] => {
      const problem = stuck.get(host)
      if (problem) return [host, problem]
      const message: Clean | undefined = red.get(host)?.message
      return [
        host,
        { state: 'rolled_back', message: message ?? (isTouched(run.ledger, host) ? undefined : untouched) },
      ]
    }),
  )
}

/**
 * Undoes the whole run, on every host that has not passed a pivot of its own. Ends `rolled_back`, or `committed` where some hosts
 * are; or stays open as `held` or `in_doubt`, to be taken up again. `red` says why, by host.
 */
export async function goBack(run: Run, red: Red = new Map()): Promise<RotationOutcome> {
  await turnBack(run, red)
  const hosts = selectReachable(run).filter(host => !isCommittedOn(run.ledger, host))
  const steps = selectAsked(run).filter(step => !isCommittedOn(run.ledger, ownerOf(step)))
  const stuck = await undoHosts(run, new Set(hosts), steps)
  const back = selectBackOutcomes(run, hosts, red, stuck)
  const isParted = selectCommitted(run).length > 0
  if (stuck.size > 0) return holdRun(run, new Map([...selectCommittedOutcomes(run), ...back]))
  if (!isParted) return endRun(run, 'rolled_back', back)
  await openGates(run)
  await openGrace(run)
  return endOwing(run, back)
}

/** Leaves red hosts behind: they are undone alone, and the run goes on without them. Resolves with what is in the way. */
export async function dropHosts(run: Run, red: Red): Promise<ReadonlyMap<string, Stuck>> {
  const hosts = [...red.keys()]
  await record(run, { type: 'drop', hosts })
  for (const host of hosts) run.ledger.dropped.add(host)
  return restoreDropped(run, red)
}

/** Undoes what stands of dropped hosts, also when an earlier process left off half way. Resolves with what is in the way. */
export async function restoreDropped(run: Run, red: Red = new Map()): Promise<ReadonlyMap<string, Stuck>> {
  const { dropped, restored, abandoned } = run.ledger
  const steps = selectAsked(run)
  const isOpen = (host: string): boolean =>
    !(restored.has(host) || abandoned.has(host)) ||
    steps.some(step => ownerOf(step) === host && step.progress !== 'undone')
  const hosts = [...dropped].filter(host => isTouched(run.ledger, host) && isOpen(host))
  if (hosts.length === 0) return new Map()
  emitGoingBack(run, hosts, red)
  const own = steps.filter(step => hosts.includes(ownerOf(step)))
  const stuck = await undoHosts(run, new Set(hosts), own)
  const outcomes = selectBackOutcomes(run, hosts, red, stuck)
  emitStates(run, outcomes)
  for (const host of hosts) if (outcomes.get(host)?.state === 'rolled_back') restored.add(host)
  return stuck
}
