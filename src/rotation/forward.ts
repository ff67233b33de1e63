import { problem, RotaError } from '../core/error.ts'
import type { Clean } from '../core/redact.ts'
import { dropHosts, goBack, restoreDropped } from './back.ts'
import { isForwardOnly } from './decide.ts'
import { endRun, holdRun } from './end.ts'
import { takeHosts } from './hold.ts'
import { isCommittedOn, isPromoted, ownerOf } from './ledger.ts'
import { createUniform, type HostOutcome, type RotationOutcome } from './outcome.ts'
import { settleSecrets, showGiven } from './pending.ts'
import { commit, commitHosts, finish, finishCommitted, settleEvidence } from './pivot.ts'
import { emitStates, note, type Red, type Run, ruleOf, runPhase, toMessage } from './run.ts'
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

/** Preflight only reads: a change of state in it is a mistake in the playbook, found before it happens. */
export async function refuseChange(change: { readonly what: Clean }): Promise<never> {
  throw problem('E_PREFLIGHT', `${change.what}: would change the target, and preflight only reads`, {
    hint: 'move the task to a phase that changes things: `backup`, `change` or `finalise`',
  })
}

/** Everything that can fail before the first change. Resolves with the refusal, if there is one. */
async function prepare(run: Run): Promise<RotationOutcome | undefined> {
  const { hosts } = run.world
  try {
    await run.deps.refuseOverlap?.()
    // A host that does not answer is found red by preflight, which says where and why; it is taken when it is first worked on.
    await takeHosts(run)
    showGiven(run)
    for (const phase of ['preflight', 'backup'] as const) {
      if (run.deps.stop?.aborted) return refuse(run, new Map(), 'stopped by the operator')
      const apply = phase === 'preflight' ? refuseChange : undefined
      const red = await runPhase(run, phase, hosts, 'current', apply)
      if (red.size > 0)
        return refuse(run, toMessages(red), `${phase} is red on ${[...red.keys()].join(', ')}`)
    }
    await settleSecrets(run)
    await run.deps.settleEvidence?.()
  } catch (error) {
    const refusal = await refuse(run, new Map(), toMessage(run, error))
    if (error instanceof RotaError && error.code === 'E_LOCKED') throw error
    return refusal
  }
  return undefined
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

/** Every wave in order. Resolves with the outcome when the run stops before its end; `stuck` gets what is in the way of dropped hosts. */
async function runWaves(run: Run, stuck: Map<string, Stuck>): Promise<RotationOutcome | undefined> {
  const { ledger, deps } = run
  for (const wave of run.world.waves) {
    const hosts = wave.filter(host => !ledger.dropped.has(host) && !isCommittedOn(ledger, host))
    if (hosts.length === 0) continue
    emitStates(run, createUniform('running', hosts).hosts)
    const { red, green } = await tryWave(run, hosts)
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
 * Makes every host accept the new values, wave by wave, while all still send the old ones. A barrier: no host is promoted before all are
 * that far, nor when a host has joined that was not. Resolves with the outcome when the run stops before that.
 */
async function runDistribution(run: Run): Promise<RotationOutcome | undefined> {
  if (!run.world.distributes || isPromoted(run.ledger)) return undefined
  for (const wave of run.world.waves) {
    const hosts = wave.filter(host => !run.ledger.dropped.has(host))
    emitStates(run, createUniform('running', hosts).hosts)
    const { red } = await tryWave(run, hosts, 'both')
    if (red.size > 0) return turn(run, red)
  }
  const joined = (await run.world.joined?.()) ?? []
  if (joined.length === 0) return undefined
  const message = run.deps.clean(
    `joined since the run began and does not know the new values: start again, then it is one of the hosts`,
  )
  note(run, 'warn', `${joined.join(', ')}: ${message}`)
  return goBack(
    run,
    new Map(
      run.world.hosts.map(host => [
        host,
        { status: 'failed', message: run.deps.clean(`${joined.join(', ')} ${message}`) },
      ]),
    ),
  )
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
  const stopped = (await runDistribution(run)) ?? (await runWaves(run, stuck))
  if (stopped) return stopped
  if (ruleOf(run).commit === 'run') {
    const unproven = await settleEvidence(run)
    if (unproven) return turn(run, unproven)
    await commit(run)
  }
  return finish(run, stuck)
}
