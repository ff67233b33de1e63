import { join } from 'node:path'
import { problem } from '../core/error.ts'
import { type Fence, fenceParams, guardScript, requireHeld } from '../core/fence.ts'
import { joinScripts, sh } from '../core/script.ts'
import { type Disk, realDisk } from './disk.ts'
import { locate, type RunOnHost } from './host-folder.ts'
import { findLast, type JournalRecord, parseJournal, parseLine, type RecordOf } from './journal.ts'
import { lockFolder, realProcesses } from './lock.ts'

/** A second copy of the journal on the targets, so that a run can be taken up when the operator's machine is lost. */
export interface HostJournal {
  /** Resolves when the sealed lines are on the host's disk. */
  append(host: string, lines: string): Promise<void>
}

/** A torn append must not swallow the next one's first line, so each begins with a newline. No program is started but sync. `sync FILE` is newer than plain `sync`. */
const appendLines = guardScript(
  joinScripts(
    locate,
    sh`
umask 077
journal=$folder/$p_run/journal
[ -d "$folder/$p_run" ] || mkdir -p "$folder/$p_run" || exit 1
printf '\n%s' "$p_lines" >>"$journal" || exit 1
sync "$journal" 2>/dev/null || sync
`,
  ),
)

/**
 * Keeps the copy in RUN/journal, mode 0600 in a folder 0700, below /var/lib/rota where the play becomes root, else below
 * ~/.local/state/rota of the user that it runs as; or below the host's `rota_host_folder`. Its text is sealed like the operator's own.
 *
 * A record that no host has confirmed yet goes along with every later one, to whichever host: so the copies together
 * never lack a record before their last, however many hosts are written to at once and whichever of them dies.
 */
export function createHostJournal(
  run: string,
  runOnHost: RunOnHost,
  fenceOf: (host: string) => Promise<Fence>,
): HostJournal {
  const unkept = new Set<string>()
  return {
    async append(host, lines) {
      unkept.add(lines)
      const batch = [...unkept]
      const fence = await fenceOf(host)
      const params = { run, lines: batch.join(''), ...fenceParams(fence) }
      const ran = await runOnHost(host, appendLines, params)
      requireHeld(host, fence, ran)
      if (ran.exit !== 0)
        throw problem(
          'E_JOURNAL',
          `${host}: the journal of run ${run} cannot be written: ${ran.stderr.toString('utf8').trim()}`,
          { hint: 'make room there, or set rota_host_folder to a folder that the play’s user may write' },
        )
      for (const each of batch) unkept.delete(each)
    },
  }
}

function refuse(folder: string, message: string, hint: string): never {
  throw problem('E_JOURNAL', `the journal of ${folder} cannot be made again: ${message}`, { hint })
}

/** Whole lines of all copies by number. What a died append left is passed over. */
function collectLines(copies: ReadonlyMap<string, string>, folder: string): ReadonlyMap<number, string> {
  const lines = new Map<number, string>()
  for (const [host, text] of copies)
    for (const line of text.split('\n')) {
      const record = parseLine(Buffer.from(line))
      if (record === undefined) continue
      const known = lines.get(record.seq)
      if (known !== undefined && known !== line)
        refuse(folder, `${host} has another record ${record.seq}`, 'the copies are not of one run')
      lines.set(record.seq, line)
    }
  return lines
}

/** Hosts that may have been changed: all that the run began with, and of those that were admitted the ones whose values are sealed. */
function selectChanged(records: readonly JournalRecord[]): readonly string[] {
  const begun = findLast(records, 'begin')?.hosts ?? []
  const ready = records.flatMap(record =>
    record.type === 'pending' ? Object.keys(record.secrets ?? {}) : [],
  )
  return [...new Set([...begun, ...ready])]
}

/** The whole records of one copy in order; there may be gaps. For looking at a run, not for going on with it. */
export function readCopy(copy: string): readonly JournalRecord[] {
  const records = copy.split('\n').flatMap(line => parseLine(Buffer.from(line)) ?? [])
  const bySeq = new Map(records.map(record => [record.seq, record]))
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq)
}

/** The first record of a run, in the copy of its journal. */
export function findBegin(journal: string): RecordOf<'begin'> | undefined {
  return findLast(readCopy(journal), 'begin')
}

/** The last record of a run, where that is all that a host keeps of it: the run was over before the host was given back. */
export function findRemains(journal: string): RecordOf<'end'> | undefined {
  const records = readCopy(journal)
  return records.length === 1 ? findLast(records, 'end') : undefined
}

/**
 * Makes a run's journal again from its copies, by host name, or adds to the one that is there what it lacks. Every host of the run must be among
 * them: a copy that is missing may hold the only record of a change. Then `resumeRotation` goes on, for whoever is a
 * recipient. Throws E_JOURNAL naming what is missing.
 */
export async function rebuildJournal(
  folder: string,
  copies: ReadonlyMap<string, string>,
  disk: Disk = realDisk,
): Promise<void> {
  const lines = collectLines(copies, folder)
  const file = join(folder, 'journal')
  const text = [...Array(lines.size).keys()]
    .map(seq => {
      const line = lines.get(seq)
      return `${line ?? refuse(folder, `record ${seq} is on no host`, 'look for the operator’s own run folder')}\n`
    })
    .join('')
  const { records } = parseJournal(Buffer.from(text), file)
  const begin = findLast(records, 'begin')
  const abandoned = records.flatMap(record => (record.type === 'abandon' ? record.hosts : []))
  const missing = selectChanged(records).filter(host => !copies.has(host) && !abandoned.includes(host))
  if (!begin) refuse(folder, 'no copy has its first record', 'fetch the copies anew')
  if (missing.length > 0)
    refuse(
      folder,
      `the copy of ${missing.join(', ')} is missing`,
      'what was changed there is known only there',
    )
  await disk.createFolder(folder)
  if (!(await disk.createWhole(file, text))) await catchUp(folder, file, text, disk)
  await disk.syncFolder(folder)
}

/** A journal that is there gets the records that were made elsewhere since. Throws E_LOCKED while a process here works with it. */
async function catchUp(folder: string, file: string, text: string, disk: Disk): Promise<void> {
  const unlock = await lockFolder(folder, disk, realProcesses)
  try {
    const bytes = (await disk.read(file)) ?? Buffer.alloc(0)
    const { sizeBytes } = parseJournal(bytes, file)
    const known = bytes.subarray(0, sizeBytes).toString('utf8')
    // What is ahead of the copies has everything that they have.
    if (known.startsWith(text)) return
    if (!text.startsWith(known))
      refuse(folder, 'there is one that says otherwise', 'move it away to take the hosts’')
    const journal = await disk.openAppend(file)
    await journal.truncate(sizeBytes)
    await journal.append(Buffer.from(text.slice(known.length)))
    await journal.sync()
    await journal.close()
  } finally {
    await unlock()
  }
}
