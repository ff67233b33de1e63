import { problem, RotaError } from '../core/error.ts'
import type { Phase } from '../core/play.ts'
import type { Clean } from '../core/redact.ts'
import { goBack } from './back.ts'
import { isForwardOnly } from './decide.ts'
import { endOwing, openGates, openGrace } from './grace.ts'
import { createUniform, type HostOutcome, type RotationOutcome } from './outcome.ts'
import { emitSecrets, settleSecrets, showGiven } from './pending.ts'
import {
  emitStates,
  endRun,
  holdRun,
  note,
  type Red,
  type Run,
  record,
  runPhase,
  takeHosts,
  toMessage,
} from './run.ts'
import { createApply, redoStep, settleStep } from './steps.ts'

/** With a reason that forbids going back, a red wave is tried this often before a person has to decide. */
const FORWARD_ATTEMPTS = 2

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

function stopped(run: Run, hosts: readonly string[]): Red {
  const message = run.deps.clean('stopped by the operator')
  return new Map(hosts.map(host => [host, { status: 'failed', message }]))
}

/**
 * Remembers what need not run again. Verify is never remembered: what was green yesterday is asked again before the commit of
 * today; and what it finds red is converged again.
 */
function remember(run: Run, phase: Phase, hosts: readonly string[], red: Red): void {
  const { green } = run.ledger
  for (const host of hosts)
    if (phase === 'verify') {
      if (red.has(host)) green.delete(`converge ${host}`)
    } else if (!red.has(host)) green.add(`${phase} ${host}`)
}

/**
 * A change whose write failed while its host went on (`rescue`, `ignore_errors`) is not left open: the target says whether it
 * stands. Adds the hosts where it cannot say.
 */
async function settleOpen(run: Run, found: Red): Promise<Red> {
  const red = new Map(found)
  for (const step of run.ledger.steps) {
    const { host } = step.change
    if (step.progress !== 'intent' || red.has(host)) continue
    const why = await settleStep(run, step)
    if (why) red.set(host, why)
  }
  return red
}

async function runStage(run: Run, phase: Phase, wave: readonly string[]): Promise<Red> {
  if (run.deps.stop?.aborted) return stopped(run, wave)
  const hosts = wave.filter(host => !run.ledger.green.has(`${phase} ${host}`))
  if (hosts.length === 0) return new Map()
  for (const host of hosts) run.ledger.started.add(`${phase} ${host}`)
  const apply = phase === 'change' ? createApply(run) : undefined
  const found = await runPhase(run, phase, hosts, 'pending', apply)
  const red = phase === 'change' ? await settleOpen(run, found) : found
  remember(run, phase, hosts, red)
  return red
}

/** Changes, converges and verifies the hosts of a wave that are not yet that far. Resolves with the red ones. */
async function runWave(run: Run, wave: readonly string[]): Promise<Red> {
  for (const phase of ['change', 'converge', 'verify'] as const) {
    const red = await runStage(run, phase, wave)
    if (red.size > 0) return red
  }
  return new Map()
}

/** Holds a run that may not go back: the red hosts need a person, the others wait. */
function holdForward(run: Run, red: Red): Promise<RotationOutcome> {
  // A change may be on a host outside the run, where it was delegated to.
  const all = new Set([...run.world.hosts, ...red.keys()])
  const hosts = [...all].map((host): [string, HostOutcome] => {
    const result = red.get(host)
    if (!result) return [host, { state: 'running', message: run.deps.clean('waits for the other hosts') }]
    return [host, { state: result.status === 'failed' ? 'held' : 'in_doubt', message: result.message }]
  })
  return holdRun(run, new Map(hosts))
}

/** Every wave in order. Resolves with the outcome when one stays red. */
async function runWaves(run: Run): Promise<RotationOutcome | undefined> {
  const attempts = isForwardOnly(run.deps.reason) ? FORWARD_ATTEMPTS : 1
  for (const wave of run.world.waves) {
    emitStates(run, createUniform('running', wave).hosts)
    let red = await runWave(run, wave)
    for (let attempt = 1; red.size > 0 && attempt < attempts; attempt++) {
      note(run, 'warn', `reason ${run.deps.reason} never goes back: trying the wave again`)
      red = await runWave(run, wave)
    }
    if (red.size > 0) return isForwardOnly(run.deps.reason) ? holdForward(run, red) : goBack(run, red)
  }
  return undefined
}

/** The pivot: one record. From here on nothing goes back. */
async function commit(run: Run): Promise<void> {
  await record(run, { type: 'commit' })
  run.ledger.isCommitted = true
}

/** What follows the commit: a failure here is a warning, since nothing of it can be undone. */
async function finish(run: Run): Promise<RotationOutcome> {
  const { hosts } = run.world
  emitSecrets(run)
  emitStates(run, createUniform('committed', hosts).hosts)
  const red = await runPhase(run, 'committed', hosts, 'pending')
  await openGates(run)
  await openGrace(run)
  return endOwing(run, red)
}

/**
 * Carries every change that the journal knows forward before any phase runs again. Resolves with the hosts of which the
 * target leaves it open: they need a person, or an answer.
 */
async function recover(run: Run): Promise<Red> {
  const red = new Map<string, { status: 'failed' | 'unreachable'; message: Clean }>()
  for (const step of [...run.ledger.steps]) {
    const isOpen = step.progress === 'intent' || (step.progress === 'done' && !run.ledger.isCommitted)
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
  if (!run.ledger.isCommitted) {
    const refusal = run.ledger.secrets ? undefined : await prepare(run)
    if (refusal) return refusal
  }
  const open = await recover(run)
  if (open.size > 0) return holdForward(run, open)
  if (run.ledger.isCommitted) return finish(run)
  const stuck = await runWaves(run)
  if (stuck) return stuck
  try {
    await run.deps.settleEvidence?.()
  } catch (error) {
    const message = toMessage(run, error)
    const red: Red = new Map(run.world.hosts.map(host => [host, { status: 'failed', message }]))
    return isForwardOnly(run.deps.reason) ? holdForward(run, red) : goBack(run, red)
  }
  await commit(run)
  return finish(run)
}
