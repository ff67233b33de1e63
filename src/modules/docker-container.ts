import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept } from '../resources/file.ts'

/** A container that is there. */
type ContainerState = {
  readonly name: string
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** Asked for at once, and no state that could be read again. */
  readonly isRestarted?: boolean | undefined
  readonly stopSeconds?: number | undefined
}

const readScript = sh`
command -v docker >/dev/null 2>&1 || rt_fail "this host has no docker"
docker container inspect --format '{{.State.Running}} {{.State.Paused}}' "$p_name" 2>/dev/null || { docker version >/dev/null || rt_fail "docker does not answer"; exit 3; }
`
const writeScript = sh`
run() { docker container "$@" "$p_name" </dev/null >&2 8>&- || rt_fail "docker cannot $1 $p_name"; }
stop() {
  if [ -n "\${p_seconds-}" ]; then run "$1" --time "$p_seconds"; else run "$1"; fi
}
if [ "$p_was_paused" = 1 ]; then run unpause; fi
case $p_do in
  start) run start ;;
  stop|restart) stop "$p_do" ;;
esac
if [ "$p_paused" = 1 ]; then run pause; fi
`

async function read(t: Target, name: string): Promise<Pick<ContainerState, 'isRunning' | 'isPaused'>> {
  const ran = await t.run(readScript, { name })
  if (ran.exit === 3)
    throw problem('E_TASK', `there is no container ${name} on ${t.name}`, {
      hint: 'docker_container only starts and stops what is there; make it with compose_stack',
    })
  const [running, paused] = accept(t, ran).stdout.toString().trim().split(' ')
  return { isRunning: running === 'true', isPaused: paused === 'true' }
}

const params = {
  name: { type: 'string', required: true, doc: 'The container, by name or id.' },
  state: {
    type: 'string',
    choices: ['started', 'stopped'],
    default: 'started',
    doc: 'Whether it is to run. Containers are made and removed with compose_stack.',
  },
  restart: { type: 'bool', default: false, doc: 'With `started`: restart it when it runs.' },
  paused: { type: 'bool', doc: 'Whether it is to be paused.' },
  stop_timeout: { type: 'int', doc: 'Seconds that it has for stopping, before it is killed.' },
} as const

export const dockerContainer = defineState<typeof params, ContainerState>({
  name: 'docker_container',
  summary: 'Start, stop, restart or pause a container that is there.',
  notes: ['Options that make a container (image, ports, volumes …) are not supported: see compose_stack.'],
  params,
  returns: { container: { doc: 'Dict: Name, State with Running and Paused.' } },
  examples: `
- community.docker.docker_container: { name: panel-worker, state: stopped }
`,
  prepare(t, args) {
    if (t.undoable && args.restart)
      throw problem('E_TASK', `${args.name}: restart: true cannot be undone`, {
        hint: 'restart in the phase after the change, which is run again when the rotation is undone',
      })
    return args
  },
  async read(t, { name, stop_timeout }) {
    return {
      name,
      ...(await read(t, name)),
      ...(stop_timeout === undefined ? {} : { stopSeconds: stop_timeout }),
    }
  },
  async reread(t, { isRestarted: _, ...state }) {
    return { ...state, ...(await read(t, state.name)) }
  },
  want({ state, restart, paused }, before) {
    const isRunning = state === 'started'
    const isPaused = isRunning && (paused ?? before.isPaused)
    const isRestarted = restart && isRunning && before.isRunning
    return { ...before, isRunning, isPaused, ...(isRestarted ? { isRestarted } : {}) }
  },
  async write(t, before, after) {
    const { isRestarted: _, ...found } = before
    await requireUnchanged(`container ${before.name}`, found, async () => ({
      ...found,
      ...(await read(t, before.name)),
    }))
    const verb =
      before.isRunning === after.isRunning
        ? after.isRestarted
          ? 'restart'
          : ''
        : after.isRunning
          ? 'start'
          : 'stop'
    accept(
      t,
      await t.run(writeScript, {
        name: after.name,
        do: verb,
        seconds: after.stopSeconds,
        was_paused: before.isPaused && (!after.isPaused || verb !== ''),
        paused: after.isPaused && (!before.isPaused || verb !== ''),
      }),
    )
  },
  result: (_args, _before, { name, isRunning, isPaused }) => ({
    container: { Name: `/${name}`, State: { Running: isRunning, Paused: isPaused } },
  }),
  show: ({ name, isRunning, isPaused, isRestarted }) => ({
    header: `container ${name}`,
    text: `${isPaused ? 'paused' : isRunning ? 'running' : 'stopped'}${isRestarted ? ' (restarted)' : ''}\n`,
  }),
})
