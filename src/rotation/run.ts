import { RotaError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Phase } from '../core/play.ts'
import type { Clean } from '../core/redact.ts'
import type { Secret } from '../core/secret.ts'
import type {
  Apply,
  FleetRule,
  InForce,
  PhaseResult,
  Reason,
  RotationWorld,
  Sealer,
} from '../core/transaction.ts'
import type { State } from '../core/value.ts'
import type { Disk } from './disk.ts'
import type { HostJournal } from './host-journal.ts'
import type { HostLocks } from './host-lock.ts'
import { type Journal, renderLine } from './journal.ts'
import type { Entry } from './journal-entry.ts'
import { isCommittedOn, type Ledger } from './ledger.ts'
import type { Processes } from './lock.ts'
import type { HostOutcome } from './outcome.ts'

/** What a rotation needs besides its world. */
export interface RotationDeps {
  /** The run folder; the journal is in it. */
  readonly folder: string
  readonly run: string
  /** sha256 of what is going to be done: playbook, inventory, variables. A run goes forward only with the same plan. */
  readonly plan: string
  readonly reason: Reason
  readonly sealer: Sealer
  /** Makes a pending value. Throws RotaError for a bad shape. */
  readonly generate: (shape: { readonly length: number; readonly alphabet: string }, name: string) => Secret
  /** Pending values that the operator gave, by secret name. */
  readonly given: ReadonlyMap<string, Secret>
  /** Keyed fingerprint of a value, for evidence. */
  readonly fingerprint: (secret: Secret) => string
  readonly emit: Emit
  /** The redactor's. */
  readonly clean: (text: string) => Clean
  readonly now: () => Date
  /**
   * Throws when another open run holds one of the hosts. Asked once the run's own begin is on the disk, so that of two that
   * begin at the same moment at least one is refused.
   */
  readonly refuseOverlap?: (() => Promise<void>) | undefined
  /** Resolves when the evidence so far is durable; awaited before the first change and before the commit. Rejects with E_EVIDENCE. */
  readonly settleEvidence?: (() => Promise<void>) | undefined
  /** Aborted by ^C: no phase is begun after it, except to go back. */
  readonly stop?: AbortSignal | undefined
  /** Who is at work, `user@machine`: whose word a confirmation is. */
  readonly operator?: string | undefined
  /** Hosts of an open run that a person gives up as they stand, because they never answer; and why. */
  readonly abandon?: { readonly hosts: readonly string[]; readonly why: string } | undefined
  /** What was typed, sealed; kept with the journal's first record. */
  readonly invocation?: string | undefined
  /** The copies on the hosts, and whose the hosts are. */
  readonly hostJournal?: HostJournal | undefined
  readonly hostLocks?: HostLocks | undefined
  readonly disk?: Disk | undefined
  readonly processes?: Processes | undefined
  /** The caller has locked the run folder, for what it keeps there besides the journal. */
  readonly isLocked?: boolean | undefined
  /** How often and after what pause a host that does not answer is asked again. Default: 4 times, 1 s, doubling. */
  readonly retry?: { readonly times: number; readonly waitMs: number } | undefined
  readonly wait?: ((ms: number) => Promise<void>) | undefined
}

/** A run that is under way in this process. */
export interface Run {
  readonly world: RotationWorld
  readonly deps: RotationDeps
  readonly journal: Journal
  readonly ledger: Ledger
  /** Committed hosts where something after the commit is red, in this process. */
  readonly warned: Map<string, Clean>
}

/** What holds for the hosts of a run where its play says nothing. */
const strictRule: FleetRule = { commit: 'run', failureBudget: 0 }
export function ruleOf({ world }: Run): FleetRule {
  return world.rule ?? strictRule
}

export function toMessage(run: Run, error: unknown): Clean {
  const text = error instanceof Error ? error.message : String(error)
  const hint = error instanceof RotaError && error.hint ? ` (${error.hint})` : ''
  return run.deps.clean(text + hint)
}

/**
 * Makes a record durable here and then on the targets it concerns: one host's, or all of them. A copy that cannot be
 * written stops what goes forward (`required`), but never the way back, and never what is decided already.
 */
export async function record(
  run: Run,
  entry: Entry,
  options: { readonly payload?: State; readonly required?: boolean } = {},
): Promise<void> {
  run.deps.hostLocks?.checkHeld()
  const line = await run.journal.append(entry, options.payload)
  // Until secrets are pending nothing is at stake, and a run that may yet be refused leaves no trace on a host.
  if (!run.journal.records.some(({ type }) => type === 'pending')) return
  if (entry.type === 'pending') await sendJournal(run, options)
  // The copy of a done is not waited for: it goes along with what comes next, and without it the target is asked.
  else if (entry.type === 'done') void send(run, selectKeepers(run, entry), line, {})
  else await send(run, selectKeepers(run, entry), line, options)
}

/** Who keeps the copy of a record: the host it is about, or all; also for a delegated change on a host outside the run. */
function selectKeepers(run: Run, entry: Entry): readonly string[] {
  const hosts = selectReachable(run)
  return 'host' in entry && hosts.includes(entry.host) ? [entry.host] : hosts
}

/** The hosts of the run but for those that were given up. */
export function selectReachable({ world, ledger }: Run): readonly string[] {
  return world.hosts.filter(host => !ledger.abandoned.has(host))
}

async function send(
  run: Run,
  hosts: readonly string[],
  lines: string,
  options: { readonly required?: boolean },
): Promise<void> {
  const { hostJournal } = run.deps
  if (!hostJournal) return
  const sent = hosts.map(host => hostJournal.append(host, lines))
  if (options.required) await Promise.all(sent)
  else for (const result of await Promise.allSettled(sent)) noteUnsent(run, result)
}

function noteUnsent(run: Run, result: PromiseSettledResult<void>): void {
  if (result.status === 'rejected')
    note(run, 'warn', `the copy of the journal on a host lacks a record: ${toMessage(run, result.reason)}`)
}

/** Copies the whole journal to every host: when it begins to matter, and when a run is taken up again. */
export async function sendJournal(run: Run, options: { readonly required?: boolean } = {}): Promise<void> {
  await send(run, selectReachable(run), run.journal.records.map(renderLine).join(''), options)
}

export function note(run: Run, level: 'info' | 'warn', text: string): void {
  run.deps.emit({ type: 'note', level, text: run.deps.clean(text) })
}

export function emitStates(run: Run, hosts: ReadonlyMap<string, HostOutcome>): void {
  for (const [host, { state, message }] of hosts)
    run.deps.emit({ type: 'rotation.state', host, state, ...(message && { message }) })
}

/** The hosts for which a phase went wrong, and how. */
export type Red = ReadonlyMap<string, Exclude<PhaseResult, { status: 'ok' }>>

const writeAtOnce: Apply = (_change, write) => write()

function selectRed(run: Run, hosts: readonly string[], results: ReadonlyMap<string, PhaseResult>): Red {
  const silent = {
    status: 'unknown',
    message: run.deps.clean('the phase gave no result for this host'),
  } as const
  return new Map(
    hosts.flatMap(host => {
      const result = results.get(host) ?? silent
      return result.status === 'ok' ? [] : [[host, result] as const]
    }),
  )
}

const both = (inForce: InForce): { readonly inForce?: 'both' } => (inForce === 'both' ? { inForce } : {})

/** What changes hosts is known on them before it begins. Resolves with what is in the way. */
async function announcePhase(
  run: Run,
  phase: Phase,
  hosts: readonly string[],
  inForce: InForce,
  isBack: boolean,
): Promise<{ readonly status: 'unreachable'; readonly message: Clean } | undefined> {
  const required = phase === 'change' || phase === 'distribute' || (phase === 'converge' && !isBack)
  try {
    await record(run, { type: 'phase', phase, ...both(inForce), status: 'start', hosts }, { required })
    return undefined
  } catch (error) {
    run.deps.hostLocks?.checkHeld()
    return { status: 'unreachable', message: toMessage(run, error) }
  }
}

/** Runs a phase between its durable records. An exception of the engine makes every host of it red. */
export async function runPhase(
  run: Run,
  phase: Phase,
  hosts: readonly string[],
  inForce: InForce,
  {
    apply = writeAtOnce,
    isBack = false,
  }: { readonly apply?: Apply | undefined; readonly isBack?: boolean } = {},
): Promise<Red> {
  const unkept = await announcePhase(run, phase, hosts, inForce, isBack)
  if (unkept) return new Map(hosts.map(host => [host, unkept]))
  run.deps.emit({ type: 'phase.start', phase, hosts })
  const results = await run.world.runPhase(phase, hosts, inForce, apply, isBack).catch(error => {
    const message = toMessage(run, error)
    return new Map(hosts.map(host => [host, { status: 'failed', message } as const]))
  })
  const red = selectRed(run, hosts, results)
  const green = hosts.filter(host => !red.has(host))
  if (green.length > 0)
    await record(
      run,
      { type: 'phase', phase, ...both(inForce), status: 'ok', hosts: green },
      { payload: run.world.snapshot() },
    )
  if (red.size > 0)
    await record(run, { type: 'phase', phase, ...both(inForce), status: 'red', hosts: [...red.keys()] })
  return red
}

/** Hosts that have passed a pivot, their own or the run's, but for those that were given up. */
export function selectCommitted(run: Run): readonly string[] {
  return selectReachable(run).filter(host => isCommittedOn(run.ledger, host))
}

/** How they ended, when nothing is owed for them. */
export function selectCommittedOutcomes(
  run: Run,
  otherwise: HostOutcome = { state: 'committed' },
): ReadonlyMap<string, HostOutcome> {
  return new Map(
    selectCommitted(run).map((host): [string, HostOutcome] => {
      const message = run.warned.get(host)
      return [host, message === undefined ? otherwise : { state: 'committed_with_warnings', message }]
    }),
  )
}
