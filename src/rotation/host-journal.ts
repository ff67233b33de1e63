import { join } from 'node:path'
import { problem } from '../core/error.ts'
import { type Script, sh } from '../core/script.ts'
import { type Disk, realDisk } from './disk.ts'
import { parseJournal, parseLine } from './journal.ts'

/** A second copy of the journal on the targets, so that a run can be taken up when the operator's machine is lost. */
export interface HostJournal {
  /** Resolves when the sealed lines are on the host's disk. */
  append(host: string, lines: string): Promise<void>
}

/** Runs a script on a host as root; params and stdin as in core/remote.ts. Throws E_UNREACHABLE or E_UNKNOWN. */
export type RunOnHost = (
  host: string,
  script: Script,
  params: { readonly run: string },
  stdin?: string,
) => Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }>

/** A torn append must not swallow the next one's first line, so each begins with a newline. `sync FILE` is newer than plain `sync`. */
const appendLines = sh`
umask 077
folder=/var/lib/rota/$p_run
mkdir -p "$folder" || exit 1
{ printf '\n' && cat; } >>"$folder/journal" || exit 1
sync "$folder/journal" 2>/dev/null || sync
`
const readLines = sh`cat "/var/lib/rota/$p_run/journal"`

/** Keeps the copy in /var/lib/rota/RUN/journal, mode 0600, of each host. Its text is sealed like the operator's own. */
export function createHostJournal(run: string, runOnHost: RunOnHost): HostJournal {
  return {
    async append(host, lines) {
      const { exit, stderr } = await runOnHost(host, appendLines, { run }, lines)
      if (exit !== 0)
        throw problem(
          'E_JOURNAL',
          `${host}: /var/lib/rota/${run}/journal cannot be written: ${stderr.trim()}`,
          {
            hint: 'make room there; the rotation needs root on the host',
          },
        )
    },
  }
}

/** Reads the copy on a host. Throws E_JOURNAL when there is none. */
export async function readHostJournal(host: string, run: string, runOnHost: RunOnHost): Promise<string> {
  const { exit, stdout } = await runOnHost(host, readLines, { run })
  if (exit === 0) return stdout
  throw problem('E_JOURNAL', `${host} has no journal of run ${run}`, {
    hint: `look into /var/lib/rota there`,
  })
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

/**
 * Makes a run's journal again in an empty run folder from its copies, by host name. Every host of the run must be among
 * them: a copy that is missing may hold the only record of a change. Then `resumeRotation` goes on, for whoever is a
 * recipient. Throws E_JOURNAL naming what is missing.
 */
export async function rebuildJournal(
  folder: string,
  copies: ReadonlyMap<string, string>,
  disk: Disk = realDisk,
): Promise<void> {
  const lines = collectLines(copies, folder)
  const text = [...Array(lines.size).keys()].map(seq => {
    const line = lines.get(seq)
    return line ?? refuse(folder, `record ${seq} is on no host`, 'look for the operator’s own run folder')
  })
  const { records } = parseJournal(
    Buffer.from(text.map(line => `${line}\n`).join('')),
    join(folder, 'journal'),
  )
  const begin = records.find(record => record.type === 'begin')
  const missing = begin?.hosts.filter(host => !copies.has(host)) ?? []
  if (!begin) refuse(folder, 'no copy has its first record', 'fetch the copies anew')
  if (missing.length > 0)
    refuse(
      folder,
      `the copy of ${missing.join(', ')} is missing`,
      'what was changed there is known only there',
    )
  await disk.createFolder(folder)
  const isMade = await disk.createWhole(join(folder, 'journal'), text.map(line => `${line}\n`).join(''))
  if (!isMade) refuse(folder, 'there is one', 'rota resume or rota rollback takes it up')
  await disk.syncFolder(folder)
}
