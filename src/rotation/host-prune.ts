import { problem } from '../core/error.ts'
import { joinScripts, sh } from '../core/script.ts'
import { locate, type RunOnHost } from './host-folder.ts'
import { parseLine } from './journal.ts'
import { isRunId } from './run-folder.ts'

/** A run's copy of the journal on a host. */
export interface KeptCopy {
  readonly run: string
  /** When the run ended, as its last record says; undefined: it has not, or the copy does not know. */
  readonly ended: Date | undefined
  /** Values are sealed in it: the run can still be finalised from it. */
  readonly hasSealed: boolean
}

/** A line a copy: run, how many records hold something sealed, and the last whole record. */
const listCopies = joinScripts(
  locate,
  sh`
for journal in "$folder"/*/journal; do
  [ -f "$journal" ] || continue
  run=\${journal%/journal}
  sealed=$(grep -c '"sealed":' "$journal")
  last=$(grep '^[0-9][0-9]* [0-9a-f]\{16\} {' "$journal" | tail -n 1)
  printf '%s %s %s\n' "\${run##*/}" "$sealed" "$last"
done
`,
)

/** Only what has ended: the name is looked at again, so that nothing else can be meant. */
const removeCopies = joinScripts(
  locate,
  sh`
for run in $p_runs; do
  case $run in *[!0-9A-Za-z-]*) exit 1 ;; esac
  rm -f "$folder/$run/journal" || exit 1
  rmdir "$folder/$run" || exit 1
done
`,
)

/** The copies of all runs on a host. Throws E_JOURNAL, and what connecting throws. */
export async function readCopies(host: string, runOnHost: RunOnHost): Promise<readonly KeptCopy[]> {
  const { exit, stdout, stderr } = await runOnHost(host, listCopies, {})
  if (exit !== 0) throw problem('E_JOURNAL', `${host} cannot be read: ${stderr.toString('utf8').trim()}`)
  return stdout
    .toString('utf8')
    .split('\n')
    .flatMap(line => {
      const [, run = '', sealed, last = ''] = /^(\S+) (\d+) (.*)$/.exec(line) ?? []
      if (!isRunId(run)) return []
      const record = parseLine(Buffer.from(last))
      const ended = record?.type === 'end' ? new Date(record.at) : undefined
      return [{ run, ended, hasSealed: sealed !== '0' }]
    })
}

/** What may go: runs that ended before then and that nobody can want to finalise from here. */
export function selectPrunable(copies: readonly KeptCopy[], before: Date): readonly string[] {
  return copies.flatMap(({ run, ended, hasSealed }) =>
    ended !== undefined && ended < before && !hasSealed ? [run] : [],
  )
}

/** Removes copies from a host. Throws E_JOURNAL, and what connecting throws. */
export async function removeRuns(host: string, runOnHost: RunOnHost, runs: readonly string[]): Promise<void> {
  const { exit, stderr } = await runOnHost(host, removeCopies, { runs: runs.join(' ') })
  if (exit !== 0)
    throw problem('E_JOURNAL', `${host}: a copy cannot be removed: ${stderr.toString('utf8').trim()}`)
}
