import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { argvParams, listParams, type ScriptParams } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'

/** How a container is made. Plain data. */
export type ContainerRecipe = {
  /** Words for `docker container create`, the image and its command last. No secrets: these are seen. */
  readonly words: readonly string[]
  /** Environment; the engine's client reads it from a pipe. */
  readonly env: readonly { readonly name: string; readonly value: string | Secret }[]
  /** Words for `docker network connect`, for each network after the first. */
  readonly networks: readonly (readonly string[])[]
}

/** A container by its name. */
export type ContainerState = {
  readonly name: string
  readonly isThere: boolean
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** Options in which it differs from what was asked for: it has to be made anew. */
  readonly differing: readonly string[]
  readonly recipe: ContainerRecipe | null
  /** Asked for at once, and no state that could be read again. */
  readonly isRestarted?: boolean | undefined
  readonly stopSeconds?: number | undefined
  readonly isKilled?: boolean | undefined
  readonly keepsVolumes?: boolean | undefined
}

/** What `docker container inspect` says, as far as it is compared. */
export interface Inspected {
  readonly Image: string
  readonly State: { readonly Running: boolean; readonly Paused: boolean }
  readonly Config: {
    readonly Image: string
    readonly Env: readonly string[] | null
    readonly Cmd: readonly string[] | null
    readonly Entrypoint: readonly string[] | null
    readonly Labels: Readonly<Record<string, string>> | null
    readonly User: string
    readonly WorkingDir: string
    readonly Hostname: string
    readonly Volumes: Readonly<Record<string, unknown>> | null
  }
  readonly HostConfig: {
    readonly Binds: readonly string[] | null
    readonly PortBindings: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>
    > | null
    readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number }
    readonly NetworkMode: string
    readonly Privileged: boolean
    readonly ReadonlyRootfs: boolean
    readonly Memory: number
    readonly CapAdd: readonly string[] | null
    readonly ExtraHosts: readonly string[] | null
    readonly Init: boolean | null
  }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> | null }
}

const readScript = sh`
rt_need docker
if [ -n "$p_pull" ]; then docker pull -q "$p_pull" </dev/null >&2 8>&- || rt_fail "docker cannot pull $p_pull"; fi
if [ -n "$p_image" ]; then
  if id=$(docker image inspect --format '{{.Id}}' "$p_image" 2>/dev/null); then rt_set image "$id"; fi
fi
docker container inspect "$p_name" 2>/dev/null || { docker version >/dev/null || rt_fail "docker does not answer"; exit 3; }
`

const writeScript = sh`
quiet() { docker "$@" </dev/null >/dev/null 8>&- || rt_fail "docker cannot $1 $2 $p_name"; }
run() { quiet container "$@" "$p_name"; }
stop() {
  if [ -n "\${p_seconds-}" ]; then run "$1" --time "$p_seconds"; else run "$1"; fi
}
take() {
  count=$1 prefix=$2
  shift 2
  i=0
  while [ "$i" -lt "$count" ]; do eval "set -- \"\$@\" \"\$\${prefix}$i\""; i=$((i + 1)); done
  "$@"
}
create() { docker container create --env-file /dev/fd/7 "$@" 7<&0 </dev/null >/dev/null 8>&-; }
environment() {
  newline='
'
  i=0
  while [ "$i" -lt "$p_envc" ]; do
    name='' value=''
    eval "name=\$p_envn$i value=\$p_envv$i"
    case $value in *"$newline"*) printf '%s\n' "env $name holds a line end, which docker cannot take" >&2; return 1 ;; esac
    printf '%s=%s\n' "$name" "$value"
    i=$((i + 1))
  done
}
if [ "$p_was_paused" = 1 ]; then run unpause; fi
if [ "$p_remove" = 1 ]; then
  if [ "$p_was_running" = 1 ]; then if [ "$p_kill" = 1 ]; then run kill; else stop stop; fi; fi
  if [ "$p_volumes" = 1 ]; then run rm; else run rm --volumes; fi
fi
if [ "$p_create" = 1 ]; then
  environment >/dev/null || exit 1
  environment | take "$p_argc" p_arg create || rt_fail "docker cannot create $p_name"
  network=0
  while [ "$network" -lt "$p_netc" ]; do
    words=0
    eval "words=\$p_net\${network}c"
    take "$words" "p_net\${network}w" quiet network connect
    network=$((network + 1))
  done
fi
case $p_do in
  start) run start ;;
  stop) if [ "$p_kill" = 1 ]; then run kill; else stop stop; fi ;;
  restart) stop restart ;;
esac
if [ "$p_paused" = 1 ]; then run pause; fi
`

/** What is there under the name; undefined: nothing. `imageId`: of the image asked for, when the host has it. */
export async function inspectContainer(
  t: Target,
  name: string,
  image: { readonly name: string; readonly isPulled: boolean } | undefined,
): Promise<{ readonly found: Inspected | undefined; readonly imageId: string | undefined }> {
  const pull = image?.isPulled && !t.check ? image.name : ''
  const ran = await t.run(readScript, { name, image: image?.name ?? '', pull })
  const imageId = ran.values['image']
  if (ran.exit === 3) return { found: undefined, imageId }
  const [found] = JSON.parse(accept(t, ran).stdout.toString()) as readonly Inspected[]
  return { found, imageId }
}

type Seen = Pick<ContainerState, 'isThere' | 'isRunning' | 'isPaused'>
export function seenOf(found: Inspected | undefined): Seen {
  const isRunning = found?.State.Running ?? false
  return { isThere: found !== undefined, isRunning, isPaused: found?.State.Paused ?? false }
}

/** What the host holds now of that container; whether it was made as asked for is not looked at again. */
export async function rereadContainer(
  t: Target,
  { isRestarted: _, ...state }: ContainerState,
): Promise<ContainerState> {
  return { ...state, ...seenOf((await inspectContainer(t, state.name, undefined)).found) }
}

function recipeParams(recipe: ContainerRecipe | null): ScriptParams {
  const { words = [], env = [], networks = [] } = recipe ?? {}
  return {
    ...argvParams(words),
    envc: env.length,
    ...listParams(
      'envn',
      env.map(one => one.name),
    ),
    ...listParams(
      'envv',
      env.map(one => one.value),
    ),
    netc: networks.length,
    ...Object.assign(
      {},
      ...networks.map((one, i) => ({ [`net${i}c`]: one.length, ...listParams(`net${i}w`, one) })),
    ),
  }
}

function verbOf(before: ContainerState, after: ContainerState, isAnew: boolean): string {
  if (!after.isThere) return ''
  if (isAnew) return after.isRunning ? 'start' : ''
  if (before.isRunning === after.isRunning) return after.isRestarted ? 'restart' : ''
  return after.isRunning ? 'start' : 'stop'
}

/** Compare-and-set: what is there is read just before. Throws E_CONFLICT, and E_TASK with what docker says. */
export async function writeContainer(
  t: Target,
  before: ContainerState,
  after: ContainerState,
): Promise<void> {
  const seen = ({ isThere, isRunning, isPaused }: ContainerState): Seen => ({ isThere, isRunning, isPaused })
  await requireUnchanged(`container ${before.name}`, seen(before), async () =>
    seen(await rereadContainer(t, before)),
  )
  const isAnew = after.isThere && (!before.isThere || before.differing.length > after.differing.length)
  const verb = verbOf(before, after, isAnew)
  if (isAnew && after.recipe === null)
    throw problem('E_TASK', `the container ${after.name} is gone, and nothing says how to make it`, {
      hint: 'give its image',
    })
  const remove = before.isThere && (!after.isThere || isAnew)
  accept(
    t,
    await t.run(writeScript, {
      name: after.name,
      do: verb,
      remove,
      create: isAnew,
      kill: after.isKilled ?? false,
      volumes: after.keepsVolumes ?? true,
      was_running: before.isRunning,
      seconds: after.stopSeconds,
      was_paused: before.isPaused && (!after.isPaused || verb !== '' || remove),
      paused: after.isPaused && (!before.isPaused || verb !== '' || isAnew),
      ...recipeParams(after.recipe),
    }),
  )
}
