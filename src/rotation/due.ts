import { problem, type RotaError } from '../core/error.ts'
import type { SecretSpec } from '../core/play.ts'
import { joinScripts, sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { type Owed, readOwed } from './grace.ts'
import { locate, type RunOnHost } from './host-folder.ts'
import { readCopy } from './host-journal.ts'
import { findLast, type JournalRecord, readJournal, selectHosts } from './journal.ts'
import { isLeft } from './outcome.ts'
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
    if (!records.some(({ type }) => type === 'commit')) continue
    const { gates, until } = readOwed(records)
    const hosts = selectHosts(records).filter(host => !isLeft(stateOf(records, host)))
    const open = Object.entries(until).filter(([name]) => !hosts.every(host => later.has(`${host} ${name}`)))
    for (const name of namesInGrace(records)) for (const host of hosts) later.add(`${host} ${name}`)
    const isDrivenOut = open.length === 0 && Object.keys(until).length > 0
    if (open.length > 0 || (gates.length > 0 && !isDrivenOut))
      due.push({ ...run, hosts, gates, until: Object.fromEntries(open) })
  }
  return due
}

const stateOf = (records: readonly JournalRecord[], host: string) => findLast(records, 'end')?.hosts[host]
const namesInGrace = (records: readonly JournalRecord[]): readonly string[] =>
  Object.keys(findLast(records, 'grace')?.until ?? {})

/** The rotation that `rota confirm` and `rota finalise` are about when no run is named. */
export async function findNewestDue(state: string): Promise<RunFolder | undefined> {
  return (await listDue(state))[0]
}

/** Whose rotations let values of before count on a host: all that were ever begun there, by whomever. Reads only. */
const findGrace = joinScripts(
  locate,
  sh`
for journal in "$folder"/*/journal; do
  if [ -r "$journal" ] && grep -q '"type":"grace"' "$journal"; then
    printf 'RUN\n'
    grep -E '"type":"(begin|commit|awaiting|confirm|grace|end)"' "$journal"
  fi
done
exit 0
`,
)

/** The windows that are open on a host, by secret name. A host that does not answer says so in preflight. */
async function findOpenWindows(host: string, runOnHost: RunOnHost): Promise<ReadonlyMap<string, DueRun>> {
  const ran = await runOnHost(host, findGrace, {}).catch(() => undefined)
  const copies = ran?.stdout.toString('utf8').split(/^RUN$/m).map(readCopy) ?? []
  const windows = new Map<string, DueRun>()
  const byAge = copies.flatMap(records => {
    const begin = findLast(records, 'begin')
    return begin && !isLeft(stateOf(records, host)) ? [{ id: begin.run, records }] : []
  })
  for (const { id, records } of byAge.sort((a, b) => (a.id < b.id ? -1 : 1)))
    for (const name of namesInGrace(records)) {
      const owed = readOwed(records)
      // A later rotation of the same secret has driven out what an earlier one left.
      if (owed.until[name] === undefined) windows.delete(name)
      else windows.set(name, { id, folder: '', hosts: [host], ...owed })
    }
  return windows
}

/**
 * Refuses to rotate a secret whose previous value still counts on one of the hosts: a second rotation would drive that value out,
 * and with it what the provider signs with it. The hosts are asked, since the other rotation may be another operator's. Throws
 * E_PREFLIGHT naming the run and its end.
 */
export async function refuseInGrace(
  world: Pick<RotationWorld, 'hosts' | 'secrets' | 'runOnHost'>,
  given: ReadonlyMap<string, Secret>,
): Promise<void> {
  const isWanted = ({ name, given: how, issued }: SecretSpec): boolean =>
    given.has(name) || (how !== 'optional' && issued === undefined)
  const wanted = world.secrets.filter(spec => spec.grace !== undefined && isWanted(spec))
  if (wanted.length === 0) return
  const runOnHost: RunOnHost = (...call) => world.runOnHost(...call)
  const found = await Promise.all(world.hosts.map(host => findOpenWindows(host, runOnHost)))
  for (const [index, windows] of found.entries())
    for (const spec of wanted) {
      const run = windows.get(spec.name)
      if (run) throw inGrace(spec, world.hosts[index]!, run)
    }
}

function inGrace(spec: SecretSpec, host: string, { id, gates, until }: DueRun): RotaError {
  const isMine = `(on the machine where ${id} is; elsewhere add --from-host ${host})`
  const way = gates.length > 0 ? `rota confirm ${id}, then rota finalise ${id}` : `rota finalise ${id}`
  return problem(
    'E_PREFLIGHT',
    `${spec.name} is in grace on ${host}: run ${id} lets its previous value count until ${until[spec.name]}`,
    { at: spec.at, hint: `${way} ${isMine}; or --force, which ends that value at once` },
  )
}
