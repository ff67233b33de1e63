import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { problem } from '../core/error.ts'
import type { Address } from '../core/remote.ts'
import type { Login } from './login.ts'
import { checkSshOptions, parseSshArgs } from './ssh-args.ts'

/** What `ssh -G` says: lower-case keywords to their values, in order. */
export type SshConfig = ReadonlyMap<string, readonly string[]>

function parseSshConfig(text: string): SshConfig {
  const config = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space < 0) continue
    const keyword = line.slice(0, space)
    config.set(keyword, [...(config.get(keyword) ?? []), line.slice(space + 1)])
  }
  return config
}

/** Keywords that have no bearing on what a Login holds. Debian's and Red Hat's own files hold no others. */
const harmless =
  /^(sendenv|setenv|hashknownhosts|gssapi\w*|forwardx11\w*|tcpkeepalive|serveralive\w*|visualhostkey|loglevel|permitlocalcommand|control\w+|ciphers|macs|kexalgorithms|compression)$/

/** Whether these config files could change how a host is reached; if not, the 10 ms of `ssh -G` are saved. */
export function hasBearing(texts: readonly string[]): boolean {
  return texts.some(text =>
    text.split('\n').some(line => {
      const [keyword = '', ...rest] = line.trim().split(/[\s=]+/)
      if (keyword === '' || keyword.startsWith('#') || harmless.test(keyword.toLowerCase())) return false
      if (/^(host|match)$/i.test(keyword)) return /^match$/i.test(keyword)
      return !(/^include$/i.test(keyword) && rest.every(isEmptyGlob))
    }),
  )
}

/** An Include of a folder's *.conf that has none: as every Debian has it. */
function isEmptyGlob(pattern: string): boolean {
  if (!pattern.endsWith('/*.conf') || !pattern.startsWith('/')) return false
  try {
    return !readdirSync(dirname(pattern)).some(file => file.endsWith('.conf'))
  } catch {
    return true
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** HashKnownHosts matters only to those who may write a new host's key. */
async function loadSshConfig({ host, sshArgs: args, hostKeyChecking }: Wanted): Promise<SshConfig> {
  const files = [join(homedir(), '.ssh/config'), '/etc/ssh/ssh_config']
  const isNeeded = args.length > 0 || hasBearing(files.map(readIfThere))
  // ssh refuses to start for an account without a name, as containers run them.
  const { username } = account()
  if (!isNeeded && (hostKeyChecking !== 'accept-new' || username === undefined)) return new Map()
  try {
    const { stdout } = await promisify(execFile)('ssh', ['-G', ...args, '--', host])
    return parseSshConfig(stdout)
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw problem('E_UNREACHABLE', `${host}: ssh cannot read its configuration${said && `: ${said}`}`, {
      hint: `try: ssh -G ${[...args, host].join(' ')}`,
      cause,
    })
  }
}

/** Who runs this, by the system's list of users. */
function account(): { readonly username?: string; readonly home: string } {
  try {
    const { username, homedir: home } = userInfo()
    return { username, home }
  } catch {
    return { home: homedir() }
  }
}

/** What a Login is made from, for a host of the inventory and for a hop on the way to it alike. */
type Wanted = Pick<
  Address,
  | 'name'
  | 'host'
  | 'port'
  | 'user'
  | 'identityFiles'
  | 'knownHostsFiles'
  | 'hostKeyChecking'
  | 'sshArgs'
  | 'connectTimeoutMs'
  | 'password'
  | 'passphrase'
>

/** Asks `ssh -G` how to reach a host, so that whatever ssh_config and ssh's arguments say holds here. Throws E_UNREACHABLE, E_VARS. */
export async function resolveLogin(wanted: Wanted): Promise<Login> {
  const options = parseSshArgs(wanted.name, wanted.sshArgs)
  checkSshOptions(wanted.name, options)
  const config = await loadSshConfig(wanted)
  const first = (keyword: string): string | undefined => {
    const value = config.get(keyword)?.[0]
    return value === 'none' ? undefined : value
  }
  const host = first('hostname') ?? wanted.host
  const port = wanted.port ?? Number(first('port') ?? 22)
  const user = wanted.user ?? first('user') ?? account().username
  if (user === undefined)
    throw problem('E_UNREACHABLE', `${wanted.name}: nobody says as whom to log in`, {
      hint: 'give -u NAME, or ansible_user in the inventory: this account has no name here',
    })
  const alias = first('hostkeyalias')
  const expand = (text: string): string => expandTokens(text, { host, port, user, alias: wanted.host })
  // ssh -G leaves out a file that is not there; here it is kept, so that a refused login can say so.
  const typed = options.flatMap(({ flag, value }) => (flag === 'i' && value !== undefined ? [value] : []))
  const given = config.get('identityfile')?.filter(file => !DEFAULT_IDENTITIES.includes(file)) ?? []
  // As ssh does: its default files are tried only where none is named.
  const named = [...wanted.identityFiles, ...typed, ...given]
  const proxy = first('proxycommand')
  const revoked = first('revokedhostkeys')
  return {
    name: wanted.name,
    host,
    port,
    user,
    knownAs: alias ?? host,
    knownPort: alias === undefined ? port : 22,
    knownHostsFiles: wanted.knownHostsFiles ?? knownHostsFiles(config),
    revokedHostKeys: revoked && expand(revoked),
    hostKeyChecking: wanted.hostKeyChecking,
    isHashingNames: first('hashknownhosts') === 'yes',
    identityFiles: [...new Set((named.length > 0 ? named : DEFAULT_IDENTITIES).map(expand))],
    isIdentityGiven: named.length > 0,
    identitiesOnly: first('identitiesonly') === 'yes',
    certificateFiles: (config.get('certificatefile') ?? []).filter(file => file !== 'none').map(expand),
    agent: agentOf(config.get('identityagent')?.[0]),
    password: wanted.password,
    passphrase: wanted.passphrase,
    connectTimeoutMs: timeoutOf(first('connecttimeout')) ?? wanted.connectTimeoutMs,
    via: await resolveJumps(first('proxyjump'), wanted),
    proxyCommand: proxy && expand(proxy),
  }
}

/** ssh_config(5), IdentityFile: the files tried by default that ssh2 can use. */
const DEFAULT_IDENTITIES = [
  '~/.ssh/id_rsa',
  '~/.ssh/id_ecdsa',
  '~/.ssh/id_ecdsa_sk',
  '~/.ssh/id_ed25519',
  '~/.ssh/id_ed25519_sk',
  '~/.ssh/id_xmss',
  '~/.ssh/id_dsa',
]

function knownHostsFiles(config: SshConfig): string[] {
  const files = [...(config.get('userknownhostsfile') ?? []), ...(config.get('globalknownhostsfile') ?? [])]
  if (files.length === 0) return [join(homedir(), '.ssh/known_hosts'), '/etc/ssh/ssh_known_hosts']
  // ssh asks the system's list of users for the home; the file that is read without `ssh -G` is the one that has to be meant.
  const own = join(account().home, '.ssh/known_hosts')
  return files
    .flatMap(line => line.split(' '))
    .filter(file => file !== 'none')
    .map(file => (file === own ? join(homedir(), '.ssh/known_hosts') : file.replace(/^~(?=\/)/, homedir())))
}

/** ConnectTimeout in seconds; ssh -G turns `1m` into them. */
function timeoutOf(seconds: string | undefined): number | undefined {
  return seconds === undefined || !(Number(seconds) > 0) ? undefined : Number(seconds) * 1000
}

function agentOf(identityAgent: string | undefined): string | undefined {
  if (identityAgent === 'none') return undefined
  const given = process.env['SSH_AUTH_SOCK'] || undefined
  if (identityAgent === undefined || identityAgent === 'SSH_AUTH_SOCK') return given
  if (identityAgent.startsWith('$')) return process.env[identityAgent.slice(1).replace(/[{}]/g, '')]
  return identityAgent.replace(/^~(?=\/)/, homedir())
}

/** ssh_config(5), TOKENS: those that IdentityFile and ProxyCommand take. */
function expandTokens(
  text: string,
  to: { readonly host: string; readonly port: number; readonly user: string; readonly alias: string },
): string {
  const tokens: Readonly<Record<string, string>> = {
    '%': '%',
    d: homedir(),
    u: account().username ?? '',
    i: String(process.getuid?.() ?? ''),
    l: hostname(),
    L: hostname().split('.')[0]!,
    h: to.host,
    k: to.host,
    p: String(to.port),
    r: to.user,
    n: to.alias,
  }
  return text
    .replace(/^~(?=\/)/, homedir())
    .replace(/%(.)/g, (whole, token: string) => tokens[token] ?? whole)
}

/** `-J a,b`: b is reached through a; a as ssh_config says. Only the config file is passed on, as ssh does. */
async function resolveJumps(jumps: string | undefined, wanted: Wanted): Promise<Login | undefined> {
  let via: Login | undefined
  for (const jump of jumps?.split(',') ?? []) {
    const [, user, host = '', port] =
      /^(?:ssh:\/\/)?(?:(.*)@)?(\[[^\]]*\]|[^:@]+)(?::([0-9]+))?\/?$/.exec(jump) ?? []
    if (host === '')
      throw problem('E_UNREACHABLE', `${wanted.name}: ProxyJump ${jump} is not [user@]host[:port]`)
    const hop = await resolveLogin({
      ...wanted,
      name: host,
      host: host.replace(/^\[|\]$/g, ''),
      port: port === undefined ? undefined : Number(port),
      user,
      password: undefined,
      sshArgs: onlyConfigFile(wanted.sshArgs),
    })
    via = via === undefined ? hop : { ...hop, via }
  }
  return via
}

function onlyConfigFile(args: readonly string[]): string[] {
  const at = args.findIndex(arg => arg.startsWith('-F'))
  if (at < 0) return []
  return args[at] === '-F' ? args.slice(at, at + 2) : [args[at]!]
}
