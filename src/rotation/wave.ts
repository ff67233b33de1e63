import type { Phase } from '../core/play.ts'
import type { InForce } from '../core/transaction.ts'
import { isForwardOnly } from './decide.ts'
import { keyOf, ownerOf } from './ledger.ts'
import { note, type Red, type Run, ruleOf, runPhase } from './run.ts'
import { createApply, settleStep } from './steps.ts'

/** With a reason that forbids going back, a red wave is tried this often before a person has to decide. */
const FORWARD_ATTEMPTS = 2

function stopped(run: Run, hosts: readonly string[]): Red {
  const message = run.deps.clean('stopped by the operator')
  return new Map(hosts.map(host => [host, { status: 'failed', message }]))
}

/**
 * Remembers what need not run again. Verify is never remembered: what was green yesterday is asked again before the commit of
 * today; and what it finds red is converged again.
 */
export function remember(
  run: Run,
  phase: Phase,
  hosts: readonly string[],
  red: Red,
  inForce: InForce = 'pending',
): void {
  const { green } = run.ledger
  for (const host of hosts)
    if (phase === 'verify') {
      if (red.has(host)) green.delete(keyOf('converge', host, inForce))
    } else if (!red.has(host)) green.add(keyOf(phase, host, inForce))
}

/**
 * A change whose write failed while its host went on (`rescue`, `ignore_errors`) is not left open: the target says whether it
 * stands. Adds the hosts where it cannot say.
 */
async function settleOpen(run: Run, found: Red): Promise<Red> {
  const red = new Map(found)
  const { steps, dropped, abandoned } = run.ledger
  for (const step of steps) {
    const host = ownerOf(step)
    if (step.progress !== 'intent' || red.has(host)) continue
    if (dropped.has(host) || abandoned.has(step.change.host)) continue
    const why = await settleStep(run, step)
    if (why) red.set(host, why)
  }
  return red
}

async function runStage(run: Run, phase: Phase, wave: readonly string[], inForce: InForce): Promise<Red> {
  if (run.deps.stop?.aborted) return stopped(run, wave)
  const hosts = wave.filter(host => !run.ledger.green.has(keyOf(phase, host, inForce)))
  if (hosts.length === 0) return new Map()
  for (const host of hosts) run.ledger.started.add(keyOf(phase, host, inForce))
  const isChange = phase === 'change' || phase === 'distribute'
  const found = await runPhase(run, phase, hosts, inForce, {
    apply: isChange ? createApply(run, inForce) : undefined,
  })
  const red = isChange ? await settleOpen(run, found) : found
  remember(run, phase, hosts, red, inForce)
  return red
}

/** True when the run can go on without the hosts that are red: never for a reason that forbids going back. */
export function isWithinBudget(run: Run, red: Red): boolean {
  const { dropped } = run.ledger
  const { hosts } = run.world
  const lost = new Set([...dropped, ...red.keys()])
  return (
    !isForwardOnly(run.deps.reason) &&
    lost.size <= ruleOf(run).failureBudget &&
    lost.size < hosts.length &&
    [...lost].every(host => hosts.includes(host))
  )
}

interface WaveEnd {
  readonly red: Red
  /** Verified. */
  readonly green: readonly string[]
}

/** Changes, converges and verifies the hosts of a wave that are not yet that far; without those that are red, as far as the budget goes. */
async function runWave(run: Run, wave: readonly string[], inForce: InForce): Promise<WaveEnd> {
  const red = new Map<string, ValueOf<Red>>()
  const selectRest = (): string[] => wave.filter(host => !red.has(host))
  for (const phase of [inForce === 'both' ? 'distribute' : 'change', 'converge', 'verify'] as const) {
    for (const [host, why] of await runStage(run, phase, selectRest(), inForce)) red.set(host, why)
    if (red.size > 0 && phase !== 'verify' && !isWithinBudget(run, red)) return { red, green: [] }
  }
  return { red, green: selectRest() }
}
type ValueOf<M> = M extends ReadonlyMap<string, infer V> ? V : never

/** The same; for a reason that forbids going back once more when it is red. */
export async function tryWave(
  run: Run,
  wave: readonly string[],
  inForce: InForce = 'pending',
): Promise<WaveEnd> {
  const { reason } = run.deps
  const attempts = isForwardOnly(reason) ? FORWARD_ATTEMPTS : 1
  let end = await runWave(run, wave, inForce)
  for (let attempt = 1; end.red.size > 0 && attempt < attempts; attempt++) {
    note(run, 'warn', `reason ${reason} never goes back: trying the wave again`)
    end = await runWave(run, wave, inForce)
  }
  return end
}
