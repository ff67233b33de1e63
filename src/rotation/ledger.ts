import type { RotationState } from '../core/event.ts'
import type { Phase } from '../core/play.ts'
import { type Clean, createRedactor } from '../core/redact.ts'
import type { Secret } from '../core/secret.ts'
import type { Change, HostSecrets, InForce } from '../core/transaction.ts'
import { isSameState, type State } from '../core/value.ts'
import {
  findLast,
  isForgotten,
  type Journal,
  type JournalRecord,
  type RecordOf,
  selectHosts,
} from './journal.ts'
import type { Abandoned } from './journal-entry.ts'
import { dropTerms } from './terms.ts'

/** How far a change has come, as the journal says. Only `undone` says that nothing of it stands. */
export interface Step {
  readonly change: Change
  /** It makes accepted what is not yet used (distribute; the idle user); it is undone only when nobody uses that any more. */
  readonly isDistributed: boolean
  progress: 'intent' | 'done' | 'undo-intent' | 'undone'
}

/** What a journal amounts to: the fold of its records. */
export interface Ledger {
  readonly begin: RecordOf<'begin'> | undefined
  /** Of the run, as far as the journal knows. Grows when hosts are admitted. */
  readonly hosts: string[]
  /** In the order of their intents. Grows as the run goes on. */
  readonly steps: Step[]
  secrets: ReadonlyMap<string, HostSecrets> | undefined
  readonly snapshot: State | undefined
  /** `PHASE HOST` of what was begun going forward. */
  readonly started: Set<string>
  /** `PHASE HOST` of what went well going forward. */
  readonly green: Set<string>
  isUndoing: boolean
  /** The pivot of the run is passed: every host that was not dropped only goes forward. */
  isCommitted: boolean
  /** Hosts that passed their own pivot (`commit: host`). */
  readonly committed: Set<string>
  /** Hosts that the run goes on without. */
  readonly dropped: Set<string>
  /** Of those, the ones that work with the old values again, verified. */
  readonly restored: Set<string>
  /** Hosts that a person gave up: nothing is done or asked there. One that passed no pivot is dropped too. */
  readonly abandoned: Map<string, Abandoned>
  readonly end: RecordOf<'held' | 'end'> | undefined
}

type Sealed = { readonly [key: string]: State | undefined }

/** The payload of an intent. */
export function toPayload(change: Change): State {
  const { owner, become, what, before, after } = change
  return { owner, become, what, before, after }
}

function toChange(record: RecordOf<'intent'>, payload: State): Change {
  const { owner, become, what, before, after } = payload as Sealed
  return {
    step: record.step,
    host: record.host,
    module: record.module,
    ...(typeof owner === 'string' && { owner }),
    become: become as Change['become'],
    // It was Clean when it was sealed; the type does not survive the disk.
    what: createRedactor().clean(what as string),
    before: before!,
    after: after!,
  }
}

export function toSecretsPayload(secrets: ReadonlyMap<string, HostSecrets>): State {
  return [...secrets].map(([host, { current, pending }]) => ({
    host,
    current: [...current].map(([name, value]) => [name, value]),
    pending: [...pending].map(([name, value]) => [name, value]),
  }))
}

function toSecrets(payload: State): ReadonlyMap<string, HostSecrets> {
  const hosts = payload as unknown as readonly {
    readonly host: string
    readonly current: readonly (readonly [string, Secret])[]
    readonly pending: readonly (readonly [string, Secret])[]
  }[]
  return new Map(
    hosts.map(({ host, current, pending }) => [
      host,
      { current: new Map(current), pending: new Map(pending) },
    ]),
  )
}

/** The last of its records counts; a step that was undone may be begun anew. */
function selectSteps(journal: Journal): Step[] {
  // An ended run of which nothing is sealed any more.
  if (isForgotten(journal.records)) return []
  const steps = new Map<string, Step>()
  for (const record of journal.records) {
    if (record.type === 'intent') {
      steps.delete(record.step)
      const change = toChange(record, journal.payload(record))
      steps.set(record.step, { change, isDistributed: record.inForce === 'both', progress: 'intent' })
    } else if ('step' in record) {
      const step = steps.get(record.step)
      if (step) step.progress = record.type
    }
  }
  return [...steps.values()]
}

/** How hosts parted ways, in the order of the records. */
function selectParted(
  records: readonly JournalRecord[],
): Pick<Ledger, 'isCommitted' | 'committed' | 'dropped' | 'restored' | 'abandoned'> {
  const parted = {
    isCommitted: false,
    committed: new Set<string>(),
    dropped: new Set<string>(),
    restored: new Set<string>(),
    abandoned: new Map<string, Abandoned>(),
  }
  const addAll = (set: Set<string>, hosts: readonly string[]): void => {
    for (const host of hosts) set.add(host)
  }
  for (const record of records)
    if (record.type === 'commit') {
      parted.isCommitted ||= record.hosts === undefined
      addAll(parted.committed, record.hosts ?? [])
    } else if (record.type === 'drop') addAll(parted.dropped, record.hosts)
    else if (record.type === 'abandon') abandonIn(parted, record.hosts, record)
    else if (record.type === 'phase' && record.phase === 'verify' && record.status === 'ok')
      addAll(
        parted.restored,
        record.hosts.filter(host => parted.dropped.has(host)),
      )
  return parted
}

/** Takes hosts out of a run: nothing is done or asked there any more. */
export function abandonIn(
  ledger: Pick<Ledger, 'isCommitted' | 'committed' | 'dropped' | 'abandoned'>,
  hosts: readonly string[],
  { by, why, at }: Abandoned,
): void {
  for (const host of hosts) {
    if (!isCommittedOn(ledger, host)) ledger.dropped.add(host)
    ledger.abandoned.set(host, { by, why, at })
  }
}

/** What `started` and `green` hold: a phase runs twice where all hosts first come to accept both values. */
export function keyOf(phase: Phase | 'undo', host: string, inForce: InForce | undefined): string {
  return `${phase}${inForce === 'both' ? '+both' : ''} ${host}`
}

/** Reads what the journal amounts to. Throws E_SEAL when a payload cannot be opened. */
export function readLedger(journal: Journal): Ledger {
  const { records } = journal
  const phaseRecords = records.filter(record => record.type === 'phase')
  const undoAt = phaseRecords.findIndex(record => record.phase === 'undo')
  const forward = undoAt === -1 ? phaseRecords : phaseRecords.slice(0, undoAt)
  const shot = phaseRecords.findLast(record => record.sealed !== undefined)
  const pending = records.filter(record => record.type === 'pending' && record.sealed !== undefined)
  const steps = selectSteps(journal)
  const selectPhases = (status: 'start' | 'ok'): Set<string> => {
    const found = forward.filter(record => record.status === status)
    return new Set(
      found.flatMap(({ phase, inForce, hosts }) => hosts.map(host => keyOf(phase, host, inForce))),
    )
  }
  return {
    begin: findLast(records, 'begin'),
    hosts: [...selectHosts(records)],
    steps,
    secrets:
      pending.length === 0
        ? undefined
        : new Map(pending.flatMap(record => [...toSecrets(journal.payload(record))])),
    snapshot: shot && journal.payload(shot),
    started: selectPhases('start'),
    // Verify is asked again by every process.
    green: new Set([...selectPhases('ok')].filter(key => !key.startsWith('verify'))),
    isUndoing: undoAt !== -1,
    ...selectParted(records),
    end: findLast(records, 'held', 'end'),
  }
}

/** The host of the run that a change belongs to. */
export function ownerOf({ change }: Step): string {
  return change.owner ?? change.host
}

/** True when the host has passed the pivot, its own or the run's. */
export function isCommittedOn(
  { isCommitted, committed, dropped }: Pick<Ledger, 'isCommitted' | 'committed' | 'dropped'>,
  host: string,
): boolean {
  return committed.has(host) || (isCommitted && !dropped.has(host))
}

/**
 * True when the host's application may run on new values: converge was begun, or something was changed while it was its turn.
 * Not only on the host itself: a task may be delegated.
 */
export function isTouched({ steps, started }: Ledger, host: string): boolean {
  const isConverged = started.has(`converge ${host}`) || started.has(`converge+both ${host}`)
  return (
    isConverged ||
    (steps.length > 0 && (started.has(`change ${host}`) || started.has(`distribute+both ${host}`)))
  )
}

/** True when a later change of the host began where this one ended: the target then holds the later one's state. */
export function isSuperseded(step: Step, steps: readonly Step[]): boolean {
  const later = steps.slice(steps.indexOf(step) + 1)
  return later.some(
    other =>
      other.progress !== 'undone' &&
      other.change.host === step.change.host &&
      continues(step.change, other.change),
  )
}

/** True when one change began where another ended. Each knows its own way to look at a thing, so only what both see is compared. */
function continues(earlier: Change, later: Change): boolean {
  const [ended, began] = [dropTerms(earlier.after), dropTerms(later.before)]
  if (earlier.module === later.module) return isSameState(ended, began)
  const [a, b] = [ended as Sealed, began as Sealed]
  if (typeof a?.['path'] !== 'string' || a['path'] !== b?.['path']) return false
  return Object.keys(a).every(
    name => a[name] === undefined || b[name] === undefined || isSameState(a[name], b[name]),
  )
}

/** States by host of a `held` or `end` record. */
export function readStates(
  record: RecordOf<'held' | 'end'>,
): ReadonlyMap<string, { readonly state: RotationState; readonly message?: Clean }> {
  return new Map(Object.entries(record.hosts).map(([host, state]) => [host, { state }]))
}
