import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunEvent } from '../core/event.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import type { LastRotation, OpenRun } from '../policy/standing.ts'
import { listDue } from '../rotation/due.ts'
import { readJournal } from '../rotation/journal.ts'
import { listRuns, type RunFolder, readSummary } from '../rotation/run-folder.ts'

/** What the runs on this machine say of a secret on a host, by `HOST SECRET`. */
export type LastRotations = ReadonlyMap<string, LastRotation>

/**
 * The newest committed rotation of every secret on every host, as the journals and the evidence of this operator's runs tell.
 * A run whose journal cannot be read says nothing.
 */
export async function readLastRotations(state: string): Promise<LastRotations> {
  const found = new Map<string, LastRotation>()
  for (const run of await listRuns(state)) {
    const records = await readJournal(run.folder).catch(() => [])
    const commit = records.find(({ type }) => type === 'commit')
    if (!commit) continue
    const folder = join(run.folder, 'evidence')
    const rotated = (await readRotated(folder)).filter(key => !found.has(key))
    if (rotated.length === 0) continue
    const isOver = records.some(({ type }) => type === 'end')
    // Evidence is closed when the run ends: of one that is under way there is nothing to verify yet.
    const isValid = !isOver || (await verifyEvidence(folder)).problems.length === 0
    for (const key of rotated)
      found.set(key, { at: commit.at, run: run.id, evidence: isValid ? 'valid' : 'invalid' })
  }
  return found
}

/** `HOST SECRET` of every value that the run put in force; read leniently, since what is damaged is said as such. */
async function readRotated(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'events.jsonl'), 'utf8').catch(() => '')
  return text.split('\n').flatMap(line => {
    const event = parseEvent(line)
    return event?.type === 'secret' ? [`${event.host} ${event.secret}`] : []
  })
}

function parseEvent(line: string): RunEvent | undefined {
  try {
    return JSON.parse(line) as RunEvent
  } catch {
    return undefined
  }
}

/** The runs that are about one of the hosts and not over. */
export async function readOpenRuns(state: string, hosts: ReadonlySet<string>): Promise<readonly OpenRun[]> {
  const due = new Map((await listDue(state)).map(run => [run.id, run]))
  const runs = await Promise.all((await listRuns(state)).map(run => readOpen(run, due.get(run.id), hosts)))
  return runs.filter(run => run !== undefined)
}

async function readOpen(
  { id, folder }: RunFolder,
  due: Awaited<ReturnType<typeof listDue>>[number] | undefined,
  hosts: ReadonlySet<string>,
): Promise<OpenRun | undefined> {
  const summary = await readSummary(folder).catch(() => undefined)
  if (!summary?.hosts.some(host => hosts.has(host)) || (!summary.isOpen && !due)) return undefined
  const isAwaiting = (due?.gates.length ?? 0) > 0
  const way = isAwaiting ? `rota confirm ${id}` : `rota finalise ${id}`
  return {
    run: id,
    state: summary.state,
    ways: summary.isOpen ? summary.ways : [way],
    graceUntil: due?.until ?? {},
    isHeld: summary.isOpen,
    isAwaiting,
  }
}
