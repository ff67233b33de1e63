import type { Outcome, Target } from '../core/module.ts'
import { rest } from './connection-wait.ts'

/**
 * What one look found. `refused` is an answer about the credential and final; `down` is none (no answer, 5xx, a server that starts)
 * and may pass.
 */
export type Look = { readonly kind: 'good' } | { readonly kind: 'refused' | 'down'; readonly why: string }

/** What came of many looks. `flapping`: good now and then, which proves nothing either way. */
export type Steadiness =
  | { readonly kind: 'steady'; readonly looks: number }
  | { readonly kind: 'refused' | 'down' | 'flapping'; readonly looks: number; readonly why: string }

/** The options of modules that look more than once. */
export const steadyParams = {
  successes: { type: 'int', default: 3, doc: 'So many looks in a row have to be good.' },
  retries: {
    type: 'int',
    default: 10,
    doc: 'Looks that may find nothing to go by: no answer, or a server that is not ready.',
  },
  delay: {
    type: 'float',
    default: 1,
    doc: 'Seconds until it is asked again when there was nothing to go by.',
  },
  interval: { type: 'float', default: 0.2, doc: 'Seconds between good looks.' },
} as const
export interface SteadyArgs {
  readonly successes: number
  readonly retries: number
  readonly delay: number
  readonly interval: number
}

/** Looks until so many in a row were good, one was refused, or too many found nothing to go by. Throws what a look throws. */
export async function proveSteady(
  t: Target,
  { successes, retries, delay, interval }: SteadyArgs,
  look: () => Promise<Look>,
): Promise<Steadiness> {
  let [looks, inARow, best, idle] = [0, 0, 0, 0]
  for (;;) {
    const found = await look()
    looks++
    if (found.kind === 'refused') return { ...found, looks }
    if (found.kind === 'good') {
      inARow++
      best = Math.max(best, inARow)
      if (inARow >= successes) return { kind: 'steady', looks }
    } else {
      inARow = 0
      if (++idle > retries) return { kind: best > 0 ? 'flapping' : 'down', why: found.why, looks }
    }
    await rest(t, 1000 * (found.kind === 'good' ? interval : delay))
  }
}

/** The outcome of a module that only looks. In a rotation's verify what flaps holds the run: it is no reason to go back. */
export function outcomeOf(steadiness: Steadiness, what: string): Outcome {
  const values = { looks: steadiness.looks, verdict: steadiness.kind }
  if (steadiness.kind === 'steady') return { changed: false, msg: what, values }
  if (steadiness.kind !== 'flapping') return { changed: false, failed: true, msg: steadiness.why, values }
  const msg = `${steadiness.why}; good now and then in ${steadiness.looks} looks, but never as often in a row as asked for`
  return { changed: false, failed: true, flaky: true, msg, values }
}
