import { join } from 'node:path'
import { verifyEvidence } from '../evidence/verify.ts'
import type { LastRotation, OpenRun } from '../policy/standing.ts'
import { listDue } from '../rotation/due.ts'
import { type JournalRecord, readJournal } from '../rotation/journal.ts'
import type { Rotated } from '../rotation/journal-entry.ts'
import { selectRotated } from '../rotation/rotated.ts'
import { listRuns, type RunFolder, readSummary } from '../rotation/run-folder.ts'

/** What the runs on this machine say of a secret on a host, by `HOST SECRET`. */
export type LastRotations = ReadonlyMap<string, LastRotation>

/**
 * The newest committed rotation of every secret on every host, as the journals of this operator's runs tell. A run whose journal
 * cannot be read says nothing: its secrets are taken for older than they are, which is on the safe side.
 */
export async function readLastRotations(state: string): Promise<LastRotations> {
  const found = new Map<string, LastRotation>()
  for (const run of await listRuns(state)) {
    const records = await readJournal(run.folder).catch(() => [])
    const rotated = selectRotated(records)
    const fresh = rotated ? keysOf(rotated).filter(key => !found.has(key)) : []
    if (!rotated || fresh.length === 0) continue
    const isOver = records.some(({ type }) => type === 'end')
    // Evidence is closed when the run ends: of one that is under way there is nothing to verify yet.
    const isValid = !isOver || (await verifyEvidence(join(run.folder, 'evidence'))).problems.length === 0
    for (const key of fresh)
      found.set(key, { at: rotated.at, run: run.id, evidence: isValid ? 'valid' : 'invalid' })
  }
  return found
}

const keysOf = ({ secrets }: Rotated): readonly string[] =>
  Object.entries(secrets).flatMap(([host, names]) => names.map(name => `${host} ${name}`))

/**
 * Finds on a host what other machines rotated there: the journals' copies, without what is sealed. Prints "RUN ID", then its records.
 * Run as a task of a play, so that it is asked as the user that the play becomes.
 */
export const journalsOnHost = `folder=$ROTA_HOST_FOLDER
if [ -n "$folder" ]; then :
elif [ "$(id -u)" = 0 ]; then folder=/var/lib/rota
else folder=$HOME/.local/state/rota
fi
for journal in "$folder"/*/journal; do
  [ -r "$journal" ] || continue
  run=\${journal%/journal}
  printf 'RUN %s\\n' "\${run##*/}"
  sed -n -e 's/,"sealed":"[^"]*"//' -e 's/^[0-9]* [0-9a-f]* //' -e '/"type":"pending"/p' -e '/"type":"commit"/p' -e '/"type":"end"/p' "$journal"
done`

/** What that script printed, as rotations whose evidence lies elsewhere. Lines that are no records are passed over. */
export function parseJournalsOnHost(text: string): LastRotations {
  const found = new Map<string, LastRotation>()
  for (const part of text.split(/^RUN /m).slice(1)) {
    const [run = '', ...lines] = part.split('\n')
    const rotated = selectRotated(lines.flatMap(parseRecord))
    if (!rotated) continue
    const { at } = rotated
    for (const key of keysOf(rotated))
      if ((found.get(key)?.at ?? '') < at) found.set(key, { at, run, evidence: 'elsewhere' })
  }
  return found
}

function parseRecord(line: string): readonly JournalRecord[] {
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null ? [record as JournalRecord] : []
  } catch {
    return []
  }
}

/** Of two sources the later one; of the same run what this machine knows, since it has the evidence. */
export function selectLater(
  own: LastRotation | undefined,
  other: LastRotation | undefined,
): LastRotation | undefined {
  return own && other && other.at > own.at ? other : (own ?? other)
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
