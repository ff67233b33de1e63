import { problem, type RotaError } from './error.ts'
import type { Ran, ScriptParams } from './remote.ts'
import { joinScripts, type Script, sh } from './script.ts'

/**
 * A rotation's hold of one host. The file `FOLDER/lock.EPOCH` says who holds the host; a takeover makes the file of the
 * next epoch, so that a process that slept meanwhile is found out by its own number (a fencing token: Kleppmann, "How
 * to do distributed locking", 2016).
 */
export interface Fence {
  /** Absolute, on the host. */
  readonly folder: string
  readonly epoch: number
  /** Of this process alone: numbers are made anew when the folder is. */
  readonly token: string
  /** Told when the host turns out to be another's. */
  readonly onLost: (error: RotaError) => void
}

/** Takes the host when it is not yet held by this process. Throws E_LOCKED, E_JOURNAL, E_UNREACHABLE. */
export type Prove = () => Promise<Fence>

/** Who holds a host, as its lock says. */
export interface HostHolder {
  readonly run: string
  readonly operator: string
  /** RFC 3339, by the operator's clock. */
  readonly since: string
}

/** Only shell builtins: it runs before every script of a rotation. */
const guard = sh`
rt_held=
{ IFS= read -r rt_held <"$p_fence_folder/lock.$p_fence_epoch"; } 2>/dev/null
if [ "$rt_held" != "held $p_fence_token" ] || [ -e "$p_fence_folder/lock.$((p_fence_epoch + 1))" ]; then
  while [ -e "$p_fence_folder/lock.$((p_fence_epoch + 1))" ]; do p_fence_epoch=$((p_fence_epoch + 1)); done
  rt_set fenced "$(cat "$p_fence_folder/lock.$p_fence_epoch" 2>/dev/null)"
  exit 99
fi
`
const guarded = new Map<string, Script>()

/** The script, which begins by proving that the host is still this run's: in the same call, so that nothing comes between. */
export function guardScript(script: Script): Script {
  const known = guarded.get(script.sha256)
  if (known) return known
  const made = joinScripts(guard, script)
  guarded.set(script.sha256, made)
  return made
}

export function fenceParams({ folder, epoch, token }: Fence): ScriptParams {
  return { fence_folder: folder, fence_epoch: epoch, fence_token: token }
}

/** The text of a lock file: state, run, operator and since, a line each. */
export function parseHolder(text: string): HostHolder | undefined {
  const [state = '', run = '', operator = '', since = ''] = text.split('\n')
  return state.startsWith('held ') ? { run, operator, since } : undefined
}

/** Throws E_LOCKED, and tells the fence, when the guard found the host to be another's. */
export function requireHeld(host: string, fence: Fence, { values }: Pick<Ran, 'values'>): void {
  const found = values['fenced']
  if (found === undefined) return
  if (found === '')
    throw problem(
      'E_BECOME',
      `${host}: ${fence.folder}/lock.${fence.epoch} is gone, or this user may not read it`,
      {
        hint: 'every user that the rotation becomes has to read it: let the play itself become root, or set rota_host_folder to a folder that all may enter',
      },
    )
  const holder = parseHolder(found)
  const who = holder ? `${holder.operator} since ${holder.since}` : 'another process, which has ended'
  const error = problem('E_LOCKED', `${host} was taken over from this process by ${who}`, {
    hint: 'nothing more is done from here; the run goes on there',
  })
  fence.onLost(error)
  throw error
}
