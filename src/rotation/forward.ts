import { RotaError } from '../core/error.ts'
import type { Clean } from '../core/redact.ts'
import { admitHosts } from './admit.ts'
import { dropHosts, goBack, restoreDropped } from './back.ts'
import { isForwardOnly } from './decide.ts'
import { endRun, holdRun } from './end.ts'
import { isCommittedOn, ownerOf } from './ledger.ts'
import { createUniform, type HostOutcome, type RotationOutcome } from './outcome.ts'
import { commit, commitHosts, finish, finishCommitted, settleEvidence } from './pivot.ts'
import { prepareHosts } from './prepare.ts'
import { emitStates, note, type Red, type Run, ruleOf, toMessage } from './run.ts'
import { redoStep, type Stuck } from './steps.ts'
import { isWithinBudget, tryWave } from './wave.ts'

/** Refuses the run: nothing was changed on any host. */
async function refuse(run: Run, red: ReadonlyMap<string, Clean>, why: string): Promise<RotationOutcome> {
  const hosts = run.world.hosts.map(host => {
    const message = red.get(host) ?? run.deps.clean(why)
    return [host, { state: 'refused', message }] as const
  })
  return endRun(run, 'refused', new Map(hosts))
}

function toMessages(red: Red): ReadonlyMap<string, Clean> {
  return new Map([...red].map(([host, result]) => [host, result.message]))
}

/** All of that for the run. Resolves with the refusal, if there is one. */
async function prepare(run: Run): Promise<RotationOutcome | undefined> {
  try {
    await run.deps.refuseOverlap?.()
    const found = await prepareHosts(run, run.world.hosts)
    return found && refuse(run, toMessages(found.red), found.why)
  } catch (error) {
    const refusal = await refuse(run, new Map(), toMessage(run, error))
    if (error instanceof RotaError && error.code === 'E_LOCKED') throw error
    return refusal
  }
}

/** Holds a run that may not go back: the red hosts need a person, the others wait. */
function holdForward(run: Run, red: Red): Promise<RotationOutcome> {
  // A change may be on a host outside the run, where it was delegated to.
  const all = new Set([...run.world.hosts, ...red.keys()])
  const hosts = [...all].map((host): [string, HostOutcome] => {
    const result = red.get(host)
    if (result)
      return [host, { state: result.status === 'failed' ? 'held' : 'in_doubt', message: result.message }]
    if (isCommittedOn(run.ledger, host)) return [host, { state: 'committed' }]
    if (run.ledger.dropped.has(host)) return [host, { state: 'rolled_back' }]
    return [host, { state: 'running', message: run.deps.clean('waits for the other hosts') }]
  })
  return holdRun(run, new Map(hosts))
}

/** Hosts that this process has verified, at the two barriers. */
interface Through {
  readonly both: Set<string>
  readonly pending: Set<string>
}

/** Every wave in order. Resolves with the outcome when the run stops before its end; `stuck` gets what is in the way of dropped hosts. */
async function runWaves(
  run: Run,
  stuck: Map<string, Stuck>,
  { pending }: Through,
): Promise<RotationOutcome | undefined> {
  const { ledger, deps } = run
  for (const wave of run.world.waves) {
    const isDone = (host: string): boolean =>
      ledger.dropped.has(host) || isCommittedOn(ledger, host) || pending.has(host)
    const hosts = wave.filter(host => !isDone(host))
    if (hosts.length === 0) continue
    emitStates(run, createUniform('running', hosts).hosts)
    const { red, green } = await tryWave(run, hosts)
    for (const host of green) pending.add(host)
    const unproven = await commitHosts(run, green)
    if (unproven) return turn(run, unproven)
    if (red.size === 0) continue
    if (isFlaky(red) || !isWithinBudget(run, red)) return turn(run, red)
    note(run, 'warn', `the failure budget lets the run go on without ${[...red.keys()].join(', ')}`)
    for (const [host, why] of await dropHosts(run, red)) stuck.set(host, why)
    if (deps.stop?.aborted) return turn(run, red)
  }
  return undefined
}

/**
 * Makes every host accept the new values, wave by wave, while it still sends the old ones. A barrier: no host is promoted before all are
 * that far, those that joined meanwhile included. Resolves with the outcome when the run stops before that.
 */
async function runDistribution(run: Run, { both }: Through): Promise<RotationOutcome | undefined> {
  if (!run.world.distributes) return undefined
  const { ledger } = run
  for (;;) {
    for (const wave of run.world.waves) {
      const isDone = (host: string): boolean =>
        ledger.dropped.has(host) || ledger.started.has(`change ${host}`) || both.has(host)
      const hosts = wave.filter(host => ledger.secrets?.has(host) && !isDone(host))
      if (hosts.length === 0) continue
      emitStates(run, createUniform('running', hosts).hosts)
      const { red, green } = await tryWave(run, hosts, 'both')
      if (red.size > 0) return turn(run, red)
      for (const host of green) both.add(host)
    }
    const { hosts, red } = await admitHosts(run)
    if (red.size > 0) return turn(run, red)
    if (hosts.length === 0) return undefined
  }
}

/** To the barrier before the commit, for as long as hosts join. Resolves with the outcome when the run stops before that. */
async function runToCommit(run: Run, stuck: Map<string, Stuck>): Promise<RotationOutcome | undefined> {
  const through: Through = { both: new Set(), pending: new Set() }
  for (;;) {
    const stopped = (await runDistribution(run, through)) ?? (await runWaves(run, stuck, through))
    if (stopped) return stopped
    const { hosts, red } = await admitHosts(run)
    if (red.size > 0) return turn(run, red)
    if (hosts.length === 0) return undefined
  }
}

/** The credentials are green and the service is good now and then: whether that is the rotation's doing, a person has to say. */
function isFlaky(red: Red): boolean {
  return [...red.values()].every(result => result.isFlaky === true)
}

/** A run that cannot go on goes back; for a reason that forbids that, or where only a flake is red, it waits for a person. */
function turn(run: Run, red: Red): Promise<RotationOutcome> {
  return isForwardOnly(run.deps.reason) || isFlaky(red) ? holdForward(run, red) : goBack(run, red)
}

/**
 * Carries every change that the journal knows forward before any phase runs again. Resolves with the hosts of which the
 * target leaves it open: they need a person, or an answer.
 */
async function recover(run: Run): Promise<Red> {
  const red = new Map<string, { status: 'failed' | 'unreachable'; message: Clean }>()
  const { steps, dropped, abandoned } = run.ledger
  for (const step of [...steps]) {
    const owner = ownerOf(step)
    const isOpen =
      !dropped.has(owner) &&
      !abandoned.has(step.change.host) &&
      (step.progress === 'intent' || (step.progress === 'done' && !isCommittedOn(run.ledger, owner)))
    if (!isOpen || red.has(step.change.host)) continue
    try {
      await redoStep(run, step)
    } catch (error) {
      const isSilent = (error as { code?: unknown }).code === 'E_UNREACHABLE'
      red.set(step.change.host, {
        status: isSilent ? 'unreachable' : 'failed',
        message: toMessage(run, error),
      })
    }
  }
  return red
}

/** From wherever the journal stands to the commit and its end; or back, when a phase before the commit is red and the reason allows. */
export async function goForward(run: Run): Promise<RotationOutcome> {
  const refusal = run.ledger.secrets ? undefined : await prepare(run)
  if (refusal) return refusal
  if (run.world.hosts.every(host => run.ledger.dropped.has(host))) return goBack(run)
  const stuck = new Map(await restoreDropped(run))
  const open = await recover(run)
  if (open.size > 0) return holdForward(run, open)
  if (run.ledger.isCommitted) return finish(run, stuck)
  await finishCommitted(run)
  const stopped = await runToCommit(run, stuck)
  if (stopped) return stopped
  if (ruleOf(run).commit === 'run') {
    const unproven = await settleEvidence(run)
    if (unproven) return turn(run, unproven)
    await commit(run)
  }
  return finish(run, stuck)
}
