import { problem } from '../core/error.ts'
import type { Outcome, Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { sh } from '../core/script.ts'

import type { Act } from './act.ts'
import { renderNumber, renderText } from './keyword.ts'

/** A task with `async`. */
export interface Job {
  readonly id: string
  readonly limitS: number
  /** How often it is said that it still runs. */
  readonly pollS: number
  /** `poll: 0`: nobody waits; async_status asks later. */
  readonly isDetached: boolean
}

/** Modules whose work is one program, which can go on alone. */
const detachable: ReadonlySet<string> = new Set(['command', 'shell'])
/** Modules that Ansible runs on the operator's machine first, and refuses with `async` for that. */
const attached: ReadonlySet<string> = new Set(
  'add_host assemble assert async_status copy debug fail fetch group_by include_vars pause raw script set_fact set_stats template unarchive validate_argument_spec wait_for_connection'.split(
    ' ',
  ),
)
const DEFAULT_FOLDER = '~/.ansible_async'
/** Ansible's, in seconds. */
const DEFAULT_POLL_S = 15

/** undefined: the task has no `async`. Throws E_TASK where nothing can be left running. */
export function selectJob(act: Act, module: string): Job | undefined {
  const { task } = act.step.node
  const limitS = renderNumber(act, 'async', task.async) ?? 0
  if (limitS <= 0) return undefined
  if (attached.has(module))
    throw problem('E_TASK', 'async is not supported for this task.', {
      at: act.at,
      hint: `leave out async: ${module} works from the operator's machine; \`timeout:\` limits any task`,
    })
  const pollS = renderNumber(act, 'poll', task.poll) ?? DEFAULT_POLL_S
  const isDetached = pollS === 0
  if (isDetached && act.run.phase !== undefined)
    throw problem('E_TASK', 'a detached task (async with poll: 0) cannot be part of a rotation', {
      at: act.at,
      hint: 'leave out poll: nobody would know what became of it when the rotation is decided',
    })
  if (isDetached && !detachable.has(module))
    throw problem('E_TASK', `${module} cannot be detached (async with poll: 0)`, {
      at: act.at,
      hint: 'leave out poll, and the task runs with a limit of `async` seconds; command and shell can be detached',
    })
  const number = act.run.deps.random(6).readUIntBE(0, 6)
  return { id: `j${String(number).padStart(12, '0').slice(-12)}.${process.pid}`, limitS, pollS, isDetached }
}

/*
 * Starts the job's script in a shell of its own, in its own process group where the host has setsid, with the script's parameters given
 * through a pipe. Beside the file JOB (when it began) that shell writes JOB.out, JOB.err, JOB.pid and at the end JOB.rc: status and time.
 */
const detach = sh`
umask 077
case $p_job_folder in \~/*) p_job_folder=$HOME/\${p_job_folder#\~/} ;; esac
mkdir -p -- "$p_job_folder" || exit 1
job=$p_job_folder/$p_job_id
date +%s >"$job" || exit 1
alone=
if command -v setsid >/dev/null 2>&1; then alone=setsid; fi
# shellcheck disable=SC2016 # the inner shell expands it
{
  for n in $p_job_names; do
    eval "v=\$p_$n"
    v=$(printf '%sx' "$v" | sed "s/'/'\\\\''/g")
    printf "p_%s='%s'\n" "$n" "\${v%x}"
  done
  printf '%s\n' "$p_job_text"
} | $alone /bin/sh -c '
  trap "" HUP
  text=$(cat)
  exec </dev/null
  printf "%s\n" "$$" >"$1.pid"
  rt_set() { if [ "$1" = missing ]; then printf "%s\n" "$2" >&2; fi; }
  rt_fail() { printf "%s\n" "$1" >&2; exit 99; }
  ( umask 022; eval "$text" ) >"$1.out" 2>"$1.err" &
  child=$!
  ( left=$2
    while [ "$left" -gt 0 ] && kill -0 "$child"; do sleep 1; left=$((left - 1)); done
    kill "$child" ) 2>/dev/null &
  wait "$child"
  printf "%s %s\n" "$?" "$(date +%s)" >"$1.part" && mv "$1.part" "$1.rc"
' sh "$job" "$p_job_limit" >/dev/null 2>&1 8>&- &
rt_set results_file "$job"
`

/** The target, on which the first script is not waited for. Gives the outcome of the detached task. */
export async function runDetached(
  act: Act,
  { id, limitS }: Job,
  target: Target,
  start: (target: Target) => Promise<Outcome>,
): Promise<Outcome> {
  const folder = act.scope.get('ansible_async_dir')
  const job = {
    job_id: id,
    job_limit: Math.ceil(limitS),
    job_folder: renderText(act, 'ansible_async_dir', folder) ?? DEFAULT_FOLDER,
  }
  let file: string | undefined
  const outcome = await start({
    ...target,
    async run(script, params = {}, options = {}) {
      if (options.stdin !== undefined) throw noStdin(act)
      const ran = await target.run(detach, { ...params, ...job, ...scriptParams(script.text, params) })
      file = ran.values['results_file']
      return ran
    },
  })
  if (file === undefined) return outcome
  return { changed: true, values: { ansible_job_id: id, started: 1, finished: 0, results_file: file } }
}

function scriptParams(text: string, params: ScriptParams): ScriptParams {
  const given = Object.entries(params).filter(([, value]) => value !== undefined)
  return { job_text: text, job_names: given.map(([name]) => name).join(' ') }
}

function noStdin({ at }: Act): Error {
  return problem('E_TASK', 'a detached task (async with poll: 0) takes no stdin', {
    at,
    hint: 'leave out poll, or let the command read a file',
  })
}

const makeFolder = sh`
case $p_folder in \~/*) p_folder=$HOME/\${p_folder#\~/} ;; esac
umask 077
mkdir -p -- "$p_folder" || exit 1
`

/**
 * Runs a task with `async` that is waited for, and says so. Nothing has to be kept of it; a folder that the playbook names for that is
 * made all the same.
 */
export async function runWaitedFor(
  act: Act,
  job: Job,
  target: Target,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  const folder = renderText(act, 'ansible_async_dir', act.scope.get('ansible_async_dir'))
  if (folder !== undefined && !target.check) await target.run(makeFolder, { folder })
  const say = (state: 'running' | 'ok' | 'failed'): void =>
    act.run.deps.emit({ type: 'host.job', ...act.ref, job: job.id, state })
  const timer = setInterval(() => say('running'), 1000 * job.pollS)
  try {
    const outcome = await work()
    say(outcome.failed ? 'failed' : 'ok')
    return outcome
  } catch (error) {
    say('failed')
    throw error
  } finally {
    clearInterval(timer)
  }
}

/** What a task with `async` that was waited for registers beside its own. */
export function withJob(outcome: Outcome, { id }: Job): Outcome {
  return { ...outcome, values: { ...outcome.values, ansible_job_id: id, started: 1, finished: 1 } }
}
