import { problem, type RotaError } from '../core/error.ts'
import { type Fence, type HostHolder, type Prove, parseHolder } from '../core/fence.ts'
import type { ScriptParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { locate, type RunOnHost } from './host-folder.ts'

/** A run's hold of its hosts, on the hosts themselves. */
export interface HostLocks {
  /**
   * Takes a host. What the run itself holds is taken over from whichever process did, by raising the epoch. `known` are the
   * sums of the records that this process knows. Throws E_LOCKED when another run holds the host, E_JOURNAL when its copy
   * ends with a record that is not known here, E_UNREACHABLE.
   */
  take(host: string, known: readonly string[]): Promise<void>
  /** The hold of a host that `take` was called for, whether or not it answered then. */
  prove: (host: string) => Promise<Fence>
  /**
   * Takes a host outside the run, once: false when this process holds it already. When it cannot be taken, the run goes on
   * looking at it as before. Throws E_LOCKED, E_JOURNAL, E_UNREACHABLE, E_UNKNOWN.
   */
  hold(host: string): Promise<boolean>
  /**
   * Gives a host of this run back, whichever process took it; not when the run went on elsewhere, with records that are not
   * among the `known`. `isOver`: of the copy of the journal only the last record is kept, which tells a process that slept that
   * the run went on. Throws E_UNREACHABLE, E_UNKNOWN.
   */
  free(host: string, known: readonly string[], isOver?: boolean): Promise<void>
  /** Throws E_LOCKED once a host was found to be another's. */
  checkHeld(): void
}

/** Who takes hosts, and how they are reached. */
export interface Owner {
  readonly run: string
  /** For people: who takes the hosts. One line. */
  readonly operator: string
  /** Of this process alone. Letters and digits. */
  readonly token: string
  readonly now: () => Date
  readonly runOnHost: RunOnHost
}
export interface HostLockOptions extends Owner {
  /** From now on every script on the host proves this first. */
  readonly setFence: (host: string, prove: Prove) => void
}

/** The epoch is the highest number of `lock.N`. */
export const highest = sh`
find_highest() {
  highest=0
  for file in "$folder"/lock.*; do
    number=\${file##*/lock.}
    case $number in '' | *[!0-9]*) continue ;; esac
    if [ "$number" -gt "$highest" ]; then highest=$number; fi
  done
}
read_lock() {
  state='' run=''
  { IFS= read -r state && IFS= read -r run; } <"$folder/lock.$1"
} 2>/dev/null
# Only one process can make a number: ln does not replace. There is never a gap in the last ones: whoever holds a lower
# one sees the next, and whoever is late with a number finds it made.
make_next() {
  mine=$((highest + 1))
  draft=$folder/.lock.$p_token
  printf '%s\n' "$1" "$p_run" "$p_operator" "$p_since" >"$draft" || exit 1
  if ln "$draft" "$folder/lock.$mine" 2>/dev/null; then made=1; else made=0; fi
  rm -f "$draft"
  if [ "$made" = 0 ]; then
    find_highest
    [ "$highest" -ge "$mine" ] || { printf '%s\n' "cannot link in $folder" >&2; exit 1; }
    return 1
  fi
  sync "$folder" 2>/dev/null || sync
  for file in "$folder"/lock.*; do
    if [ "\${file##*/lock.}" -le $((mine - 16)) ] 2>/dev/null; then rm -f "$file"; fi
  done
}
`

const checkCopy = sh`
# A cut line may stand at the end; whoever wrote its beginning knew it. A copy without a whole line says nothing.
check_copy() {
  [ -e "$folder/$p_run/journal" ] || return 0
  sum=$(grep '^[0-9][0-9]* [0-9a-f]\{16\} {' "$folder/$p_run/journal" | tail -n 1 | cut -d ' ' -f 2)
  [ -n "$sum" ] || return 0
  case " $p_known " in *" $sum "*) ;; *) exit 5 ;; esac
}
`

/** Exit 3: another run holds the host; its lock is on stdout. Exit 5: the run went on elsewhere. Else the epoch and the folder. */
const takeLock = joinScripts(
  locate,
  highest,
  checkCopy,
  sh`
mkdir -p "$folder" || exit 1
check_copy
while :; do
  find_highest
  if [ "$highest" -gt 0 ]; then
    read_lock "$highest" || continue
    case $state in
      held*)
        if [ "$run" != "$p_run" ]; then
          cat "$folder/lock.$highest"
          exit 3
        fi
        ;;
    esac
  fi
  make_next "held $p_token" && break
done
check_copy
printf '%s\n' "$mine" "$folder"
`,
)

/** Does nothing to a host that the run does not hold. Exit 4: it was not held by this run. Exit 5: the run went on elsewhere. */
const freeLock = joinScripts(
  locate,
  highest,
  checkCopy,
  sh`
# The beginnings of lines are as the journal writes them.
keep_end() {
  journal=$folder/$p_run/journal
  [ -e "$journal" ] || return 0
  end=$(grep '^[0-9][0-9]* [0-9a-f]\{16\} {' "$journal" | tail -n 1)
  (umask 077 && printf '\n%s\n' "$end" >"$journal.new" && { sync "$journal.new" 2>/dev/null || sync; } &&
    mv "$journal.new" "$journal")
}
while :; do
  find_highest
  [ "$highest" -gt 0 ] || exit 4
  read_lock "$highest" || continue
  case $state in held*) ;; *) exit 4 ;; esac
  [ "$run" = "$p_run" ] || exit 4
  if [ -n "$p_held" ] && [ "$state" != "held $p_held" ]; then exit 4; fi
  if [ -n "\${p_known+x}" ]; then check_copy; fi
  if [ "$p_over" = 1 ]; then keep_end || exit 1; fi
  make_next "free" && break
done
`,
)

function paramsOf({ run, operator, token, now }: Owner): ScriptParams {
  return { run, operator: operator.replace(/\s+/g, ' '), token, since: now().toISOString() }
}

function heldBy(host: string, { run, operator, since }: HostHolder): RotaError {
  return problem('E_LOCKED', `${host} is held by run ${run} of ${operator} since ${since}`, {
    hint: `there: rota resume ${run}, or rota rollback ${run}. On another machine add --from-host ${host}`,
  })
}

function wentOn(host: string, run: string): RotaError {
  return problem('E_JOURNAL', `run ${run} went on elsewhere: ${host} has records of it that are not here`, {
    hint: `move the run’s folder away, then: rota resume ${run} --from-host ${host}`,
  })
}

function unwritable(host: string, stderr: Buffer): RotaError {
  const said = stderr.toString('utf8').trim()
  return problem('E_JOURNAL', `${host} cannot be locked: ${said}`, {
    hint: 'make room there, or set rota_host_folder to a folder that the play’s user may write',
  })
}

/** Errors after which it is certain that nothing was sent to the host. */
const unsent: ReadonlySet<unknown> = new Set(['E_UNREACHABLE', 'E_HOST_KEY', 'E_AUTH', 'E_BECOME'])

/** Records on the hosts of who holds them. Nothing is taken before `take`. */
export function createHostLocks(options: HostLockOptions): HostLocks {
  const { run, token, runOnHost, setFence } = options
  let lost: RotaError | undefined
  const provers = new Map<string, Prove>()
  /** Hosts that were never reached: there is nothing to give back. */
  const unreached = new Set<string>()
  const holding = new Map<string, Prove>()
  const onLost = (error: RotaError): void => {
    lost ??= error
  }
  const takeNow = async (host: string, known: readonly string[]): Promise<Fence> => {
    const ran = await runOnHost(host, takeLock, { ...paramsOf(options), known: known.join(' ') })
    const text = ran.stdout.toString('utf8')
    if (ran.exit === 3) throw heldBy(host, parseHolder(text) ?? { run: '?', operator: '?', since: '?' })
    if (ran.exit === 5) throw wentOn(host, run)
    if (ran.exit !== 0) throw unwritable(host, ran.stderr)
    const [epoch, folder] = text.split('\n')
    return { folder: folder!, epoch: Number(epoch), token, onLost }
  }
  return {
    async take(host, known) {
      let taking: Promise<Fence> | undefined
      // A host that does not answer now is taken when it is first worked on.
      const prove: Prove = () => {
        taking ??= takeNow(host, known).then(
          fence => {
            unreached.delete(host)
            return fence
          },
          error => {
            taking = undefined
            if (unsent.has(error.code)) unreached.add(host)
            throw error
          },
        )
        return taking
      }
      provers.set(host, prove)
      setFence(host, prove)
      await prove()
    },
    async prove(host) {
      const prove = provers.get(host)
      if (prove) return prove()
      throw problem('E_BUG', `${host} is no host of the run`)
    },
    async hold(host) {
      const known = provers.get(host) ?? holding.get(host)
      if (known !== undefined) {
        await known()
        return false
      }
      const taking = takeNow(host, [])
      holding.set(host, () => taking)
      const fence = await taking.catch(error => {
        holding.delete(host)
        throw error
      })
      provers.set(host, async () => fence)
      setFence(host, async () => fence)
      return true
    },
    async free(host, known, isOver = false) {
      if (unreached.has(host)) return
      await freeHost(host, options, { ...(provers.has(host) ? { held: token } : { known }), isOver })
    },
    checkHeld() {
      if (lost) throw lost
    },
  }
}

export interface FreeOptions {
  /** Only when this very process holds the host: its token. */
  readonly held?: string
  /** Only when the host's copy ends with one of these records: their sums. */
  readonly known?: readonly string[] | undefined
  /** Of the copy of the journal only the last record is kept. */
  readonly isOver?: boolean
}

/** Gives a host back that the run holds, as far as the options allow. Throws E_JOURNAL, E_UNREACHABLE, E_UNKNOWN. */
export async function freeHost(host: string, options: Owner, how: FreeOptions = {}): Promise<void> {
  const { held = '', known, isOver = false } = how
  const params = { ...paramsOf(options), held, known: known?.join(' '), over: isOver ? 1 : 0 }
  const { exit, stderr } = await options.runOnHost(host, freeLock, params)
  if (exit !== 0 && exit !== 4 && exit !== 5) throw unwritable(host, stderr)
}

/** What a colleague finds on a host of a run whose operator is gone. */
export interface Found {
  /** The run holds the host. */
  readonly isHeld: boolean
  /** The run's copy of the journal; undefined when there is none. */
  readonly journal: string | undefined
}

/** Raises the epoch before it reads: the old process can add nothing to what is read here. */
const takeOver = joinScripts(
  locate,
  highest,
  sh`
while :; do
  find_highest
  if [ "$highest" -gt 0 ]; then read_lock "$highest" || continue; else state='' run=''; fi
  case $state in held*) ;; *) break ;; esac
  [ "$run" = "$p_run" ] || break
  make_next "held $p_token" || continue
  rt_set held 1
  break
done
[ -e "$folder/$p_run/journal" ] || exit 4
cat "$folder/$p_run/journal"
`,
)

/** Takes the run's hold of a host over and reads its copy of the journal. Throws E_JOURNAL when it cannot be read. */
export async function takeCopy(host: string, options: Owner): Promise<Found> {
  const { run, runOnHost } = options
  const { exit, stdout, stderr, values } = await runOnHost(host, takeOver, paramsOf(options))
  if (exit !== 0 && exit !== 4)
    throw problem(
      'E_JOURNAL',
      `the journal of run ${run} on ${host} cannot be read: ${stderr.toString('utf8').trim()}`,
    )
  return { isHeld: values['held'] === '1', journal: exit === 0 ? stdout.toString('utf8') : undefined }
}
