import type { Clean } from '../core/redact.ts'
import type { Gate } from '../core/transaction.ts'
import { endRun } from './end.ts'
import { findLast, type JournalRecord } from './journal.ts'
import type { HostOutcome, RotationOutcome } from './outcome.ts'
import { type Run, record, selectCommitted, selectCommittedOutcomes } from './run.ts'

/** What a committed rotation still owes: changes at providers, and the end of the values of before. */
export interface Owed {
  /** Gates that nobody has confirmed yet. */
  readonly gates: readonly Gate[]
  /** Until when the value of before counts, by secret name; RFC 3339 UTC. It counts beyond that too, until it is finalised. */
  readonly until: Readonly<Record<string, string>>
}

/** Reads a journal's records. The last of each kind counts; what is finalised owes nothing. */
export function readOwed(records: readonly JournalRecord[]): Owed {
  if (findLast(records, 'end')?.state === 'finalised') return { gates: [], until: {} }
  const gate = findLast(records, 'awaiting', 'confirm')
  return {
    gates: gate?.type === 'awaiting' ? gate.gates : [],
    until: findLast(records, 'grace')?.until ?? {},
  }
}

/** Shuts the gates of every host's play; one that several hosts name is one gate. */
export async function openGates(run: Run): Promise<void> {
  const gates = new Map<string, Gate>()
  for (const host of selectCommitted(run))
    for (const gate of run.world.providerGates?.(host) ?? [])
      if (!gates.has(gate.name)) gates.set(gate.name, gate)
  if (gates.size > 0) await record(run, { type: 'awaiting', gates: [...gates.values()] })
}

/** Begins the window of every secret that has one, now. Of hosts that say different lengths the longest counts. */
export async function openGrace(run: Run): Promise<void> {
  const lengths = new Map<string, number>()
  const committed = selectCommitted(run)
  for (const [host, { pending, current }] of run.ledger.secrets ?? [])
    for (const name of committed.includes(host) ? pending.keys() : []) {
      const ms = current.has(name) ? (run.world.graceMs?.(host, name) ?? 0) : 0
      if (ms > (lengths.get(name) ?? 0)) lengths.set(name, ms)
    }
  if (lengths.size === 0) return
  const now = run.deps.now().getTime()
  const until = [...lengths].map(([name, ms]) => [name, new Date(now + ms).toISOString()])
  await record(run, { type: 'grace', until: Object.fromEntries(until) })
}

/** How a committed run stands with what it owes, and what to say of it. */
function selectStanding(run: Run): { readonly state: HostOutcome['state']; readonly message?: Clean } {
  const { gates, until } = readOwed(run.journal.records)
  if (gates.length > 0) {
    const text = gates.map(({ name, say }) => `${name}: ${say}`).join('; ')
    return { state: 'awaiting_provider', message: run.deps.clean(text) }
  }
  const windows = Object.entries(until).map(([name, time]) => `${name} until ${time}`)
  if (windows.length === 0) return { state: 'committed' }
  return {
    state: 'in_grace',
    message: run.deps.clean(`the values of before still count: ${windows.join(', ')}`),
  }
}

/**
 * Ends a committed run by what it owes; a host on which something after the commit went wrong says that instead. `back`: hosts
 * that ended on their old values.
 */
export async function endOwing(run: Run, back = selectLeft(run)): Promise<RotationOutcome> {
  const standing = selectStanding(run)
  const hosts = new Map([...selectCommittedOutcomes(run, standing), ...back])
  return endRun(run, run.warned.size > 0 ? 'committed_with_warnings' : standing.state, hosts)
}

function selectLeft(run: Run): ReadonlyMap<string, HostOutcome> {
  const committed = selectCommitted(run)
  const left = run.world.hosts.filter(host => !committed.includes(host))
  return new Map(left.map(host => [host, { state: 'rolled_back' }]))
}
