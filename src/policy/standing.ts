import type { Exit } from '../core/error.ts'
import type { Application, Duty } from '../core/policy.ts'
import type { Clean } from '../core/redact.ts'

/** Whether the value is still within its cryptoperiod; `unknown` when nobody knows how old it is. */
export type Timeliness = 'ok' | 'due' | 'overdue' | 'unknown'

/** The last time that rota put a new value of a secret in force on a host. */
export interface LastRotation {
  /** RFC 3339 UTC. */
  readonly at: string
  readonly run: string
  /** Whether the evidence of that run verifies; `elsewhere`: a colleague's machine has it. */
  readonly evidence: 'valid' | 'invalid' | 'elsewhere'
}

/** What came of one task of `agrees` on one host. */
export interface Agreement {
  /** The task's name, or its module. */
  readonly check: string
  /** `unknown`: the place could not be asked. */
  readonly found: 'agrees' | 'differs' | 'unknown'
  readonly message?: Clean | undefined
}

/** A run that is about this host and not over: it waits for a person, or previous values still count. */
export interface OpenRun {
  readonly run: string
  readonly state: string
  /** What to type next. */
  readonly ways: readonly string[]
  /** Until when the previous value counts, by secret: RFC 3339 UTC. */
  readonly graceUntil: Readonly<Record<string, string>>
  /** It stands half way, and a person has to decide. */
  readonly isHeld: boolean
  /** It waits for a change at a provider. */
  readonly isAwaiting: boolean
}

/** How one secret stands on one host: all that `rota status` knows. */
export interface Standing {
  readonly application: string
  readonly host: string
  readonly secret: string
  readonly duty: Duty
  readonly last: LastRotation | undefined
  /** RFC 3339 UTC; of `last`, else what the policy says. */
  readonly rotatedAt: string | undefined
  readonly ageMs: number | undefined
  /** RFC 3339 UTC. */
  readonly dueAt: string | undefined
  readonly timeliness: Timeliness
  readonly agreements: readonly Agreement[]
  readonly graceUntil: string | undefined
}

/** How a secret stands, from what is known of it. Pure. */
export function decideStanding(
  known: {
    readonly application: Application
    readonly host: string
    readonly duty: Duty
    readonly last: LastRotation | undefined
    readonly agreements: readonly Agreement[]
    readonly open: readonly OpenRun[]
  },
  now: Date,
): Standing {
  const { application, host, duty, last, agreements, open } = known
  const rotatedAt = last?.at ?? duty.rotated
  const since = rotatedAt === undefined ? undefined : new Date(rotatedAt).getTime()
  const end = since === undefined ? undefined : since + duty.cryptoperiodMs
  return {
    application: application.name,
    host,
    secret: duty.secret,
    duty,
    last,
    rotatedAt,
    ageMs: since === undefined ? undefined : now.getTime() - since,
    dueAt: end === undefined ? undefined : new Date(end).toISOString(),
    timeliness: selectTimeliness(end, duty.warnMs, now.getTime()),
    agreements,
    graceUntil: open.map(run => run.graceUntil[duty.secret]).find(until => until !== undefined),
  }
}

function selectTimeliness(endMs: number | undefined, warnMs: number, nowMs: number): Timeliness {
  if (endMs === undefined) return 'unknown'
  if (nowMs >= endMs) return 'overdue'
  return nowMs >= endMs - warnMs ? 'due' : 'ok'
}

export interface Report {
  readonly at: string
  readonly standings: readonly Standing[]
  readonly open: readonly OpenRun[]
  /** Hosts that did not answer. */
  readonly unreachable: readonly string[]
}

/** What a cron job or CI has to know first: the worst that was found, in this order. Due is not yet a failure. */
export function decideReportExit({ standings, open, unreachable }: Report): Exit {
  const found = (what: Agreement['found']): boolean =>
    standings.some(({ agreements }) => agreements.some(one => one.found === what))
  if (open.some(({ isHeld }) => isHeld)) return 'held'
  if (standings.some(({ last }) => last?.evidence === 'invalid')) return 'evidence'
  if (found('differs')) return 'drift'
  if (standings.some(({ timeliness }) => timeliness === 'overdue' || timeliness === 'unknown'))
    return 'overdue'
  if (unreachable.length > 0) return 'unreachable'
  if (found('unknown')) return 'failed'
  return open.some(({ isAwaiting }) => isAwaiting) ? 'awaiting' : 'ok'
}
