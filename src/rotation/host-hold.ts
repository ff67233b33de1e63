import { problem } from '../core/error.ts'
import { type HostHolder, parseHolder } from '../core/fence.ts'
import { joinScripts, sh } from '../core/script.ts'
import { locate, type RunOnHost } from './host-folder.ts'
import { highest } from './host-lock.ts'

/** What a host says of who holds it. */
export interface Hold {
  /** How often it was taken or given back; 0: never. */
  readonly epoch: number
  /** undefined: nobody. */
  readonly holder: HostHolder | undefined
  /** The copy of the journal of the run that holds it; undefined when there is none. */
  readonly journal: string | undefined
}

/** Changes nothing: neither the epoch nor the folder. */
const readHoldScript = joinScripts(
  locate,
  highest,
  sh`
find_highest
rt_set epoch "$highest"
[ "$highest" -gt 0 ] || exit 0
rt_set lock "$(cat "$folder/lock.$highest")"
run=\${p_run}
[ -n "$run" ] || { read_lock "$highest"; }
[ -n "$run" ] && [ -e "$folder/$run/journal" ] || exit 0
rt_set copy 1
cat "$folder/$run/journal"
`,
)

/** Reads who holds a host, and that run's copy of the journal (or `run`'s). Throws E_JOURNAL, and what connecting throws. */
export async function readHold(host: string, runOnHost: RunOnHost, run = ''): Promise<Hold> {
  const { exit, stdout, stderr, values } = await runOnHost(host, readHoldScript, { run })
  if (exit !== 0)
    throw problem('E_JOURNAL', `${host} cannot be asked who holds it: ${stderr.toString('utf8').trim()}`)
  return {
    epoch: Number(values['epoch']),
    holder: parseHolder(values['lock'] ?? ''),
    journal: values['copy'] === '1' ? stdout.toString('utf8') : undefined,
  }
}
