import type { Args } from '../core/params.ts'
import { isSameSecret, Secret } from '../core/secret.ts'
import type { ContainerRecipe, Inspected } from '../resources/docker-container.ts'
import { bytesOf, type Port, pairs, parseEnv, parseNetworks, parsePort, wordsOf } from './docker-words.ts'

/** Options that make a container. */
export const makingParams = {
  image: { type: 'string', doc: 'Image to make it of, when it is not there or was made of another one.' },
  command: { type: 'any', doc: 'Words for the image: a list, or a text split as a shell does.' },
  entrypoint: { type: 'any', doc: 'The same instead of the image’s own program.' },
  env: { type: 'dict', doc: 'Its environment. Values may be secrets: docker reads them from a pipe.' },
  env_file: { type: 'path', doc: 'File of the target with more environment; not compared.' },
  published_ports: {
    type: 'list',
    aliases: ['ports'],
    doc: '`8080:80`, `127.0.0.1:8080:80/udp`; `80` for a port that docker chooses. No ranges.',
  },
  volumes: { type: 'list', doc: '`/host/path:/path:ro`, `volume:/path`.' },
  networks: {
    type: 'any',
    doc: 'List of names, or of dicts: name, aliases, ipv4_address. The first one is its network mode.',
  },
  network_mode: { type: 'string', doc: '`host`, `bridge`, `none`, a network, `container:NAME`.' },
  restart_policy: {
    type: 'string',
    choices: ['always', 'no', 'on-failure', 'unless-stopped'],
    doc: 'When the engine starts it again.',
  },
  restart_retries: { type: 'int', doc: 'With `on-failure`: how often.' },
  labels: { type: 'dict', doc: 'Labels.' },
  user: { type: 'string', doc: 'As whom it runs.' },
  working_dir: { type: 'string', doc: 'Folder it starts in.' },
  hostname: { type: 'string', doc: 'Its host name.' },
  privileged: { type: 'bool', doc: 'All rights of the host.' },
  read_only: { type: 'bool', doc: 'Its own file system cannot be written.' },
  init: { type: 'bool', doc: 'A small init program in front.' },
  memory: { type: 'string', doc: 'Limit: `512m`, `1G`, bytes.' },
  capabilities: { type: 'list', doc: 'Capabilities to add.' },
  etc_hosts: { type: 'dict', doc: 'Name to address.' },
} as const
export type MakingArgs = Args<typeof makingParams>

const withMode = (bind: string): string =>
  /:(?:[a-zA-Z,]+)$/.test(bind) && bind.split(':').length > 2 ? bind : `${bind}:rw`

const isSubset = (wanted: readonly string[], found: readonly string[] | null | undefined): boolean =>
  wanted.every(one => found?.includes(one) ?? false)
const isSameList = (wanted: readonly string[], found: readonly string[] | null): boolean =>
  JSON.stringify(wanted) === JSON.stringify(found ?? [])

function hasPort(found: Inspected, { ip, host, inside }: Port): boolean {
  return (found.HostConfig.PortBindings?.[inside] ?? []).some(
    one =>
      (host === '' || one.HostPort === host) &&
      (ip === '' || ip === '0.0.0.0' ? ['', '0.0.0.0'] : [ip]).includes(one.HostIp),
  )
}

function hasEnv(found: Inspected, name: string, value: string | Secret): boolean {
  const line = found.Config.Env?.find(one => one.startsWith(`${name}=`))
  if (line === undefined) return false
  const held = line.slice(name.length + 1)
  return value instanceof Secret ? isSameSecret(new Secret(held, name), value) : held === value
}

/** One option: the words for `docker container create`, and whether a container that is there has it. Both only when it was given. */
interface Making {
  readonly words?: (args: MakingArgs) => readonly string[]
  readonly has: (found: Inspected, args: MakingArgs) => boolean
}

const text = (
  option: 'hostname' | 'user' | 'working_dir',
  word: string,
  found: (one: Inspected) => string,
): Making => ({
  words: args => [word, args[option]!],
  has: (one, args) => found(one) === args[option],
})
const flag = (
  option: 'init' | 'privileged' | 'read_only',
  word: string,
  found: (one: Inspected) => boolean,
): Making => ({
  words: args => [`${word}=${args[option]!}`],
  has: (one, args) => found(one) === args[option],
})

const isSameMode = (found: string, mode: string): boolean =>
  found === mode || (mode === 'bridge' && found === 'default')
const capabilitiesOf = (args: MakingArgs): readonly string[] =>
  (args.capabilities ?? []).map(one => one.toUpperCase().replace(/^CAP_/, ''))
const hostsOf = (args: MakingArgs): readonly string[] =>
  pairs('etc_hosts', args.etc_hosts).map(([name, address]) => `${name}:${address}`)
/** What of an entrypoint comes before the command: docker takes only its first word. */
const firstWords = (args: MakingArgs): readonly string[] =>
  wordsOf('entrypoint', args.entrypoint)?.slice(1) ?? []

const table: Readonly<Partial<Record<keyof MakingArgs, Making>>> = {
  published_ports: {
    words: args => args.published_ports!.map(parsePort).flatMap(port => ['--publish', port.text]),
    has: (found, args) => args.published_ports!.every(port => hasPort(found, parsePort(port))),
  },
  volumes: {
    words: args => args.volumes!.flatMap(one => ['--volume', one]),
    has({ HostConfig, Config }, { volumes = [] }) {
      const binds = volumes.filter(one => one.includes(':'))
      const anonymous = volumes.filter(one => !one.includes(':'))
      const hasBinds = isSubset(binds.map(withMode), HostConfig.Binds?.map(withMode))
      return hasBinds && isSubset(anonymous, Object.keys(Config.Volumes ?? {}))
    },
  },
  networks: {
    has({ NetworkSettings }, args) {
      const names = parseNetworks(args.networks).map(one => one.name)
      return isSubset(names, Object.keys(NetworkSettings.Networks ?? {}))
    },
  },
  network_mode: { has: ({ HostConfig }, args) => isSameMode(HostConfig.NetworkMode, args.network_mode!) },
  restart_policy: {
    words({ restart_policy, restart_retries }) {
      const isCounted = restart_policy === 'on-failure' && restart_retries !== undefined
      return ['--restart', `${restart_policy}${isCounted ? `:${restart_retries}` : ''}`]
    },
    has: ({ HostConfig }, args) => (HostConfig.RestartPolicy.Name || 'no') === args.restart_policy,
  },
  restart_retries: {
    has: ({ HostConfig }, args) => HostConfig.RestartPolicy.MaximumRetryCount === args.restart_retries,
  },
  labels: {
    words: args => pairs('labels', args.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    has: ({ Config }, args) =>
      pairs('labels', args.labels).every(([name, value]) => Config.Labels?.[name] === value),
  },
  user: text('user', '--user', ({ Config }) => Config.User),
  working_dir: text('working_dir', '--workdir', ({ Config }) => Config.WorkingDir),
  hostname: text('hostname', '--hostname', ({ Config }) => Config.Hostname),
  privileged: flag('privileged', '--privileged', ({ HostConfig }) => HostConfig.Privileged),
  read_only: flag('read_only', '--read-only', ({ HostConfig }) => HostConfig.ReadonlyRootfs),
  init: flag('init', '--init', ({ HostConfig }) => HostConfig.Init ?? false),
  memory: {
    words: args => ['--memory', String(bytesOf(args.memory!))],
    has: ({ HostConfig }, args) => HostConfig.Memory === bytesOf(args.memory!),
  },
  capabilities: {
    words: args => capabilitiesOf(args).flatMap(one => ['--cap-add', one]),
    has: ({ HostConfig }, args) =>
      isSubset(
        capabilitiesOf(args),
        HostConfig.CapAdd?.map(one => one.replace(/^CAP_/, '')),
      ),
  },
  etc_hosts: {
    words: args => hostsOf(args).flatMap(one => ['--add-host', one]),
    has: ({ HostConfig }, args) => isSubset(hostsOf(args), HostConfig.ExtraHosts),
  },
  env_file: { words: args => ['--env-file', args.env_file!], has: () => true },
  env: { has: (found, args) => parseEnv(args.env).every(({ name, value }) => hasEnv(found, name, value)) },
  entrypoint: {
    words: args => ['--entrypoint', wordsOf('entrypoint', args.entrypoint)?.[0] ?? ''],
    has: ({ Config }, args) =>
      isSameList((wordsOf('entrypoint', args.entrypoint) ?? []).slice(0, 1), Config.Entrypoint),
  },
  command: {
    has: ({ Config }, args) =>
      isSameList([...firstWords(args), ...(wordsOf('command', args.command) ?? [])], Config.Cmd),
  },
}
const given = (args: MakingArgs): readonly (keyof MakingArgs)[] =>
  (Object.keys(table) as (keyof MakingArgs)[]).filter(
    option => args[option] !== undefined && args[option] !== null,
  )

/** The recipe for `docker container create`. Throws E_PARAMS for what is not understood. */
export function recipeOf(
  name: string,
  args: MakingArgs,
  pull: 'always' | 'missing' | 'never',
): ContainerRecipe | null {
  if (args.image === undefined) return null
  const [first, ...others] = parseNetworks(args.networks)
  const mode = args.network_mode ?? first?.name
  const alias = (first?.words ?? []).map(word => (word === '--alias' ? '--network-alias' : word))
  const isFirst = first !== undefined && mode === first.name
  const connected = isFirst || first === undefined ? others : [first, ...others]
  return {
    words: [
      ...['--name', name],
      ...(pull === 'never' ? ['--pull', 'never'] : []),
      ...(mode === undefined ? [] : ['--network', mode]),
      ...(isFirst ? alias : []),
      ...given(args).flatMap(option => table[option]?.words?.(args) ?? []),
      args.image,
      ...firstWords(args),
      ...(wordsOf('command', args.command) ?? []),
    ],
    env: parseEnv(args.env),
    networks: connected.map(network => [...network.words, network.name, name]),
  }
}

/** Options in which the container is not as asked for. `imageId`: of the image asked for, when the host has it. */
export function differences(
  args: MakingArgs,
  found: Inspected,
  imageId: string | undefined,
): readonly string[] {
  const isSameImage =
    args.image === undefined ||
    (imageId === undefined ? found.Config.Image === args.image : found.Image === imageId)
  const others = given(args).filter(option => !table[option]!.has(found, args))
  return [...(isSameImage ? [] : ['image']), ...others]
}
