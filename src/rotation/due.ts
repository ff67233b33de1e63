import { problem } from '../core/error.ts'
import type { Secret } from '../core/secret.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { type Owed, readOwed } from './grace.ts'
import { type JournalRecord, readJournal } from './journal.ts'
import { listRuns, type RunFolder } from './run-folder.ts'

/** A committed rotation of this operator that still owes something. */
export interface DueRun extends RunFolder, Owed {
  readonly hosts: readonly string[]
}

/**
 * Every committed rotation that still owes something, newest first. A value of before that a later rotation of the same secret on
 * the same hosts has driven out is owed by that one alone. Journals that cannot be read are passed over: `rota status` says so.
 */
export async function listDue(state: string): Promise<readonly DueRun[]> {
  const due: DueRun[] = []
  const later = new Set<string>()
  for (const run of await listRuns(state)) {
    const records = await readJournal(run.folder).catch((): readonly JournalRecord[] => [])
    const begin = records.find(record => record.type === 'begin')
    if (!begin || !records.some(({ type }) => type === 'commit')) continue
    const { gates, until } = readOwed(records)
    const hosts = begin.hosts.filter(host => !isLeft(records, host))
    const open = Object.entries(until).filter(([name]) => !hosts.every(host => later.has(`${host} ${name}`)))
    for (const name of namesInGrace(records)) for (const host of hosts) later.add(`${host} ${name}`)
    const isDrivenOut = open.length === 0 && Object.keys(until).length > 0
    if (open.length > 0 || (gates.length > 0 && !isDrivenOut))
      due.push({ ...run, hosts, gates, until: Object.fromEntries(open) })
  }
  return due
}

/** True for a host that ended on its old values while others were committed: nothing is owed for it. */
function isLeft(records: readonly JournalRecord[], host: string): boolean {
  const end = records.findLast(record => record.type === 'end')
  return end?.type === 'end' && end.hosts[host] === 'rolled_back'
}

function namesInGrace(records: readonly JournalRecord[]): readonly string[] {
  const grace = records.findLast(({ type }) => type === 'grace')
  return grace?.type === 'grace' ? Object.keys(grace.until) : []
}

/** The rotation that `rota confirm` and `rota finalise` are about when no run is named. */
export async function findNewestDue(state: string): Promise<RunFolder | undefined> {
  return (await listDue(state))[0]
}

/**
 * Refuses to rotate a secret whose previous value still counts on one of the hosts: a second rotation would drive that value out,
 * and with it what the provider signs with it. Throws E_PREFLIGHT naming the run and its end.
 */
export async function refuseInGrace(
  state: string,
  { hosts, secrets }: Pick<RotationWorld, 'hosts' | 'secrets'>,
  given: ReadonlyMap<string, Secret>,
): Promise<void> {
  const wanted = secrets.filter(
    spec => given.has(spec.name) || (spec.given !== 'optional' && spec.issued === undefined),
  )
  for (const run of await listDue(state)) {
    if (!run.hosts.some(host => hosts.includes(host))) continue
    const spec = wanted.find(({ name }) => run.until[name] !== undefined)
    if (!spec) continue
    const way =
      run.gates.length > 0
        ? `rota confirm ${run.id}, then rota finalise ${run.id}`
        : `rota finalise ${run.id}`
    throw problem(
      'E_PREFLIGHT',
      `${spec.name} is in grace: run ${run.id} lets its previous value count until ${run.until[spec.name]}`,
      { at: spec.at, hint: `${way}; or --force, which ends that value at once` },
    )
  }
}
