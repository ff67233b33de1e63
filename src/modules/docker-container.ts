import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import {
  type ContainerRecipe,
  type ContainerState,
  inspectContainer,
  rereadContainer,
  seenOf,
  writeContainer,
} from '../resources/docker-container.ts'
import { differences, makingParams, recipeOf } from './docker-options.ts'
import { dockerRefused } from './docker-words.ts'
import { refuseAll } from './refused.ts'

const params = {
  name: { type: 'string', required: true, doc: 'The container, by name or id.' },
  state: {
    type: 'string',
    choices: ['absent', 'present', 'started', 'stopped'],
    default: 'started',
    doc: 'Whether it is there and runs; `present`: there, running or not.',
  },
  restart: { type: 'bool', default: false, doc: 'With `started`: restart it when it runs.' },
  paused: { type: 'bool', doc: 'Whether it is to be paused.' },
  stop_timeout: { type: 'int', doc: 'Seconds that it has for stopping, before it is killed.' },
  force_kill: {
    type: 'bool',
    default: false,
    aliases: ['forcekill'],
    doc: 'Kill it instead of stopping it.',
  },
  keep_volumes: {
    type: 'bool',
    default: true,
    doc: 'Keep anonymous volumes of a container that is removed.',
  },
  recreate: { type: 'bool', default: false, doc: 'Make it anew though it is as asked for.' },
  pull: {
    type: 'any',
    default: 'missing',
    doc: '`always` (or yes), `missing` (or no), `never`: whether to fetch the image first.',
  },
  comparisons: {
    type: 'dict',
    doc: 'Option to `ignore`: a difference in it does not make the container anew. `*` for all.',
  },
  ...makingParams,
} as const
type ContainerArgs = Args<typeof params>
interface Input {
  readonly args: ContainerArgs
  readonly recipe: ContainerRecipe | null
  readonly pull: 'always' | 'missing' | 'never'
  readonly isIgnored: (option: string) => boolean
}

function parsePull(pull: ContainerArgs['pull']): Input['pull'] {
  if (pull === true) return 'always'
  if (pull === false) return 'missing'
  if (pull === 'always' || pull === 'missing' || pull === 'never') return pull
  throw problem('E_PARAMS', 'docker_container: pull is always, missing or never', {
    hint: 'write pull: missing',
  })
}

function parseIgnored(comparisons: ContainerArgs['comparisons']): Input['isIgnored'] {
  const names = [...(comparisons ?? [])].flatMap(([option, how]) => {
    if (how === 'ignore') return [String(option)]
    if (how === 'strict' || how === 'allow_more_present')
      throw problem(
        'E_PARAMS',
        `docker_container: comparisons: ${String(option)}: only ignore is supported`,
        {
          hint: 'lists such as env, ports and volumes may hold more than asked for; single values and commands have to be the same',
        },
      )
    throw problem('E_PARAMS', `docker_container: comparisons: ${String(option)} is not understood`, {
      hint: 'write ignore',
    })
  })
  return option => names.includes('*') || names.includes(option)
}

function refuseToUndo(name: string, what: string): never {
  throw problem('E_TASK', `${name}: ${what} cannot be undone`, {
    hint: 'do it in the phase after the change, which is run again when the rotation is undone',
  })
}

function prepare(t: Target, args: ContainerArgs): Input {
  if (t.undoable && args.restart) refuseToUndo(args.name, 'restart: true')
  for (const value of args.env?.values() ?? []) if (value instanceof Secret) t.redactor.add(value)
  const pull = parsePull(args.pull)
  return { args, pull, recipe: recipeOf(args.name, args, pull), isIgnored: parseIgnored(args.comparisons) }
}

async function read(t: Target, { args, recipe, pull, isIgnored }: Input): Promise<ContainerState> {
  const image = args.image === undefined ? undefined : { name: args.image, isPulled: pull === 'always' }
  const { found, imageId } = await inspectContainer(t, args.name, image)
  if (found === undefined && recipe === null && args.state !== 'absent')
    throw problem('E_TASK', `there is no container ${args.name} on ${t.name}`, {
      hint: 'give its image, so that it can be made; or make it with compose_stack',
    })
  const asked = found === undefined || args.state === 'absent' ? [] : differences(args, found, imageId)
  const differing = [
    ...asked.filter(option => !isIgnored(option)),
    ...(found && args.recreate ? ['recreate'] : []),
  ]
  if (t.undoable && found !== undefined && (args.state === 'absent' || differing.length > 0))
    refuseToUndo(
      args.name,
      args.state === 'absent' ? 'removing it' : `making it anew (${differing.join(', ')})`,
    )
  return {
    name: args.name,
    ...seenOf(found),
    differing,
    recipe,
    ...(args.stop_timeout === undefined ? {} : { stopSeconds: args.stop_timeout }),
    ...(args.force_kill ? { isKilled: true } : {}),
    ...(args.keep_volumes ? {} : { keepsVolumes: false }),
  }
}

function want({ args }: Input, before: ContainerState): ContainerState {
  const { state, paused, restart } = args
  if (state === 'absent') return { ...before, isThere: false, isRunning: false, isPaused: false }
  const isAnew = !before.isThere || before.differing.length > 0
  const isRunning = state === 'started' || (state === 'present' && before.isRunning)
  const isPaused = isRunning && (paused ?? (before.isPaused && !isAnew))
  const isRestarted = restart && isRunning && before.isRunning && !isAnew
  return {
    ...before,
    isThere: true,
    isRunning,
    isPaused,
    differing: [],
    ...(isRestarted ? { isRestarted } : {}),
  }
}

export const dockerContainer = defineState<typeof params, ContainerState, Input>({
  name: 'docker_container',
  summary: 'Make, start, stop, restart, pause or remove a container.',
  notes: [
    'A container that is there is made anew when an option that was given differs: image, command and single values have to be the same; environment, labels, ports, volumes and networks may hold more.',
    'In the change phase of a rotation it can be made, started and stopped; making it anew and removing it are refused, since they cannot be undone.',
    'Options that are not listed (health checks, devices, limits other than memory …) are refused: see compose_stack.',
  ],
  params,
  refused: {
    ...dockerRefused,
    ...refuseAll(
      'use compose_stack with a compose file, which knows it',
      'auto_remove blkio_weight cap_drop cgroup_parent cgroupns_mode cleanup command_handling container_default_behavior cpu_period cpu_quota cpu_shares cpus cpuset_cpus cpuset_mems default_host_ip detach device_read_bps device_read_iops device_requests device_write_bps device_write_iops devices dns_opts dns_search_domains dns_servers domainname expose exposed exposed_ports groups healthcheck ignore_image image_comparison image_label_mismatch image_name_mismatch interactive ipc_mode kernel_memory kill_signal links log_driver log_opt log_options mac_address memory_reservation memory_swap memory_swappiness mounts networks_cli_compatible oom_killer oom_score_adj output_logs pid_mode pids_limit platform publish_all_ports purge_networks removal_wait_timeout runtime security_opts shm_size stop_signal storage_opts sysctls tmpfs tty ulimits userns_mode uts volume_driver volumes_from',
    ),
  },
  returns: { container: { doc: 'Dict: Name, State with Running and Paused; empty when it is not there.' } },
  examples: `
- community.docker.docker_container:
    name: panel-cache
    image: redis:7
    command: [redis-server, --appendonly, 'yes']
    env: { TZ: UTC }
    published_ports: ['127.0.0.1:6379:6379']
    volumes: ['cache:/data']
    networks: [{ name: backend, aliases: [cache] }]
    restart_policy: unless-stopped
- community.docker.docker_container: { name: panel-worker, state: stopped }
`,
  prepare,
  read,
  reread: rereadContainer,
  want,
  write: writeContainer,
  result: (_args, _before, { name, isThere, isRunning, isPaused }) => ({
    container: isThere ? { Name: `/${name}`, State: { Running: isRunning, Paused: isPaused } } : {},
  }),
  show: ({ name, isThere, isRunning, isPaused, isRestarted, differing }) => {
    const how = isPaused ? 'paused' : isRunning ? 'running' : 'stopped'
    const anew = differing.length > 0 ? ` (differs in ${differing.join(', ')})` : ''
    return {
      header: `container ${name}`,
      text: isThere ? `${how}${isRestarted ? ' (restarted)' : ''}${anew}\n` : '',
    }
  },
})
