import { problem, RotaError } from '../core/error.ts'
import type { Clean } from '../core/redact.ts'
import type { Apply, Change, InForce } from '../core/transaction.ts'
import { decide, type Probe, selectProbe } from './decide.ts'
import { holdOutside } from './hold.ts'
import { isSuperseded, type Step, toPayload } from './ledger.ts'
import { type Run, record, toMessage } from './run.ts'

/** What the target said of a change, and why it said nothing. */
export interface Probed {
  readonly probe: Probe
  readonly why?: Clean
}

const defaultRetry = { times: 4, waitMs: 1000 }
const NEITHER = 'the target is neither as it was nor as it was to become'
const NO_ANSWER = 'the host does not answer'
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Asks the target what is true of a change. A host that does not answer is asked again, a bounded number of times. */
export async function probeStep(run: Run, { change }: Step): Promise<Probed> {
  const { times, waitMs } = run.deps.retry ?? defaultRetry
  const wait = run.deps.wait ?? sleep
  for (let attempt = 0; ; attempt++)
    try {
      return { probe: selectProbe(change, await run.world.reread(change)) }
    } catch (error) {
      run.deps.hostLocks?.checkHeld()
      if (attempt >= times) return { probe: 'unreachable', why: toMessage(run, error) }
      await wait(waitMs * 2 ** attempt)
    }
}

function emitChange(run: Run, change: Change, as: 'intent' | 'done' | 'undone' | 'held'): void {
  const { host, step, module, what } = change
  run.deps.emit({ type: 'change', host, step, module, what, record: as })
}

async function mark(run: Run, step: Step, progress: 'done' | 'undo-intent' | 'undone'): Promise<void> {
  await record(run, { type: progress, step: step.change.step, host: step.change.host })
  step.progress = progress
  if (progress !== 'undo-intent') emitChange(run, step.change, progress)
}

/** Makes the intent durable. Nothing of the change is sent before this resolves. */
async function announce(run: Run, change: Change, inForce: InForce): Promise<Step> {
  const { step: id, host, module } = change
  const isDistributed = inForce === 'both' || (run.world.isReadying?.(change) ?? false)
  const entry = {
    type: 'intent',
    step: id,
    host,
    module,
    ...(isDistributed && { inForce: 'both' as const }),
  } as const
  await record(run, entry, { payload: toPayload(change), required: true })
  const { steps } = run.ledger
  const old = steps.findIndex(step => step.change.step === id)
  if (old !== -1) steps.splice(old, 1)
  const step: Step = { change, isDistributed, progress: 'intent' }
  steps.push(step)
  emitChange(run, change, 'intent')
  return step
}

/** Writes; when that fails, only the target can say whether it happened. */
async function attempt(run: Run, step: Step, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    const { probe } = await probeStep(run, step)
    if (probe !== 'applied') throw error
  }
  await mark(run, step, 'done')
}

/** Makes a change for the first time in this run. */
async function applyNew(
  run: Run,
  change: Change,
  inForce: InForce,
  write: () => Promise<void>,
): Promise<void> {
  const step = await announce(run, change, inForce)
  try {
    await holdOutside(run, change.host)
  } catch (error) {
    // Nothing was sent to that host.
    await mark(run, step, 'undone')
    throw error
  }
  try {
    await attempt(run, step, write)
  } catch (error) {
    // The compare-and-set answered: somebody else's state stands there and nothing of ours, so there is nothing to undo.
    if (error instanceof RotaError && error.code === 'E_CONFLICT') await mark(run, step, 'undone')
    throw error
  }
}

/**
 * Carries a change that the journal knows forward, by the table's last column. Throws E_CONFLICT or E_UNREACHABLE when the
 * target leaves it open, and what the write throws.
 */
export async function redoStep(run: Run, step: Step): Promise<void> {
  if (isSuperseded(step, run.ledger.steps)) return
  const { change } = step
  const { probe, why } = await probeStep(run, step)
  const decision = decide(probe, true, run.deps.reason)
  if (decision === 'apply')
    return attempt(run, step, () => run.world.write(change, change.before, change.after))
  if (decision === 'held') throw problem('E_CONFLICT', `${change.what}: ${NEITHER}`)
  if (decision === 'in_doubt') throw problem('E_UNREACHABLE', why ?? NO_ANSWER)
  if (step.progress !== 'done') await mark(run, step, 'done')
}

/** Closes a change whose write failed, without writing: applied is done, not applied is as if undone. Resolves with what is in the way. */
export async function settleStep(
  run: Run,
  step: Step,
): Promise<{ readonly status: 'failed' | 'unreachable'; readonly message: Clean } | undefined> {
  const { probe, why } = await probeStep(run, step)
  if (probe === 'unreachable') return { status: 'unreachable', message: why ?? run.deps.clean(NO_ANSWER) }
  if (probe === 'conflict')
    return { status: 'failed', message: run.deps.clean(`${step.change.what}: ${NEITHER}`) }
  await mark(run, step, probe === 'applied' ? 'done' : 'undone')
  return undefined
}

/**
 * Before the host is changed further, a change whose write failed and was rescued is closed: later its state would stand
 * under another's. Throws E_UNREACHABLE or E_CONFLICT.
 */
async function settleEarlier(run: Run, host: string, underWay: ReadonlySet<string>): Promise<void> {
  for (const step of run.ledger.steps) {
    if (step.change.host !== host || step.progress !== 'intent' || underWay.has(step.change.step)) continue
    const why = await settleStep(run, step)
    if (why) throw problem(why.status === 'unreachable' ? 'E_UNREACHABLE' : 'E_CONFLICT', why.message)
  }
}

/** The `apply` of the change phase: write-ahead for a new change; an old one is carried forward, not made twice. */
export function createApply(run: Run, inForce: InForce): Apply {
  // Delegated tasks of several hosts may be under way on one host.
  const underWay = new Set<string>()
  return async (change, write) => {
    const known = run.ledger.steps.find(step => step.change.step === change.step)
    if (known && known.progress !== 'undone') return redoStep(run, known)
    await settleEarlier(run, change.host, underWay)
    underWay.add(change.step)
    return applyNew(run, change, inForce, write).finally(() => underWay.delete(change.step))
  }
}

/** Why a change could not be undone. */
export interface Stuck {
  readonly state: 'held' | 'in_doubt'
  readonly message: Clean
}

const UNDO_ATTEMPTS = 3

/**
 * Undoes one change by what the target says, never blindly. Resolves with what is in the way, if anything. `probed` saves the
 * first question.
 */
export async function undoStep(run: Run, step: Step, probed?: Probed): Promise<Stuck | undefined> {
  const { change } = step
  let { probe, why } = probed ?? (await probeStep(run, step))
  for (let attempts = 0; ; attempts++) {
    const decision = decide(probe, false, 'scheduled')
    if (decision === 'skip') break
    if (decision === 'in_doubt') return stuck(run, change, 'in_doubt', why ?? NO_ANSWER)
    if (decision === 'held') return stuck(run, change, 'held', NEITHER)
    if (attempts === UNDO_ATTEMPTS) return stuck(run, change, 'held', why ?? 'it cannot be undone')
    if (step.progress !== 'undo-intent') await mark(run, step, 'undo-intent')
    try {
      await run.world.write(change, change.after, change.before)
      break
    } catch (error) {
      const failure = toMessage(run, error)
      ;({ probe, why } = await probeStep(run, step))
      why ??= failure
    }
  }
  await mark(run, step, 'undone')
  return undefined
}

function stuck(run: Run, change: Change, state: Stuck['state'], why: string): Stuck {
  emitChange(run, change, 'held')
  return { state, message: run.deps.clean(`${change.what}: ${why}`) }
}
