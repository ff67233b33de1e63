// A real OpenSSH server on a free loopback port, with users, passwords and sudo rules of its own: it runs in a mount
// namespace where /etc/passwd, shadow, group and sudoers are private copies, so nothing of the machine is changed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../demo/free-port.ts'
import type { Address } from '../../src/core/remote.ts'

/**
 * Users of every such host; home folders are empty, shells /bin/sh. `alice` may sudo without a password, `carol` with
 * hers (and with use_pty, newer sudo's default), `dave` not at all; `bob` cannot log in. root's password is `root-pw` there.
 */
export const passwords = { alice: 'alice-pw', carol: 'carol-pw', dave: 'dave-pw', root: 'root-pw' } as const

export interface Sshd {
  readonly host: string
  readonly port: number
  /** Path of a private key that every user accepts. */
  readonly identity: string
  /** Path of a known_hosts file with the host's keys. */
  readonly knownHosts: string
  readonly folder: string
  /** Public host keys, as in known_hosts. */
  readonly hostKeys: readonly string[]
  /** Pids of sshd's processes that serve a connection. */
  sessions(): number[]
  close(): Promise<void>
}

/** Alice's way to such a host, untouched by any config file of the machine's. */
export function addressFor(
  server: Pick<Sshd, 'host' | 'port' | 'identity' | 'knownHosts'>,
  more: Partial<Address> = {},
): Address {
  return {
    name: 'web1',
    transport: 'ssh',
    host: server.host,
    port: server.port,
    user: 'alice',
    identityFiles: [server.identity],
    hostKeyChecking: 'strict',
    knownHostsFiles: [server.knownHosts],
    sshArgs: ['-F', 'none'],
    connectTimeoutMs: 20_000,
    shell: '/bin/sh',
    ...more,
  }
}

export interface SshdOptions {
  /** Lines of sshd_config; the first of a keyword counts, so they win over the defaults. */
  readonly config?: readonly string[]
  readonly hostKeyTypes?: readonly string[]
  /** The server program: `sshd`, or `dropbear` (which has no config). */
  readonly program?: 'sshd' | 'dropbear'
}

/** Why there can be no such server here, or undefined. In CI a missing one is an error. */
export function whyNoSshd(program: 'sshd' | 'dropbear' = 'sshd'): string | undefined {
  const why =
    process.getuid?.() !== 0
      ? 'it needs root'
      : existsSync(`/usr/sbin/${program}`)
        ? undefined
        : `${program} is not installed`
  if (why !== undefined && process.env['CI']) throw new Error(`${program}: ${why}`)
  if (why !== undefined) console.warn(`skipped: a real ${program}: ${why}`)
  return why
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-sshd-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const hostKeys = (options.hostKeyTypes ?? ['ed25519']).map(type =>
    makeKey(join(folder, `host_${type}`), type),
  )
  makeKey(join(folder, 'id'), 'ed25519')
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'id.pub')))
  writeFileSync(join(folder, 'known_hosts'), hostKeys.map(key => `[127.0.0.1]:${port} ${key}\n`).join(''))
  writeAccounts(folder)
  const argv = options.program === 'dropbear' ? dropbear(folder, port) : sshd(folder, port, options)
  const child = await startServer(folder, argv)
  return {
    host: '127.0.0.1',
    port,
    identity: join(folder, 'id'),
    knownHosts: join(folder, 'known_hosts'),
    folder,
    hostKeys,
    sessions: () => descendants(child.pid!).filter(pid => /^(sshd|dropbear)$/.test(nameOf(pid))),
    close: async () => {
      const gone = new Promise(resolve => child.once('exit', resolve))
      for (const pid of [...descendants(child.pid!), child.pid!]) kill(pid)
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function makeKey(path: string, type: string): string {
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'rota-test', '-f', path])
  return readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
}

const users = ['alice', 'bob', 'carol', 'dave']
const FIRST_UID = 60_100

function writeAccounts(folder: string): void {
  const file = (name: string, text: string, mode: number): void =>
    writeFileSync(join(folder, name), text, { mode })
  const hash = (password: string): string =>
    execFileSync('openssl', ['passwd', '-6', password], { encoding: 'utf8' }).trim()
  const others = (path: string): string =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(line => line !== '' && !users.includes(line.split(':')[0]!) && !line.startsWith('root:'))
      .join('\n')
  const homes = users.map((user, index) => {
    const home = join(folder, 'home', user)
    mkdirSync(join(home, '.ssh'), { recursive: true })
    writeFileSync(join(home, '.ssh/authorized_keys'), readFileSync(join(folder, 'id.pub')))
    for (const path of [home, join(home, '.ssh'), join(home, '.ssh/authorized_keys')])
      chownSync(path, FIRST_UID + index, FIRST_UID + index)
    return home
  })
  const accounts = users.map(
    (user, i) =>
      `${user}:x:${FIRST_UID + i}:${FIRST_UID + i}::${homes[i]}:${user === 'bob' ? '/usr/sbin/nologin' : '/bin/sh'}`,
  )
  file('passwd', ['root:x:0:0:root:/root:/bin/sh', ...accounts, others('/etc/passwd'), ''].join('\n'), 0o644)
  const secrets = users.map(
    user => `${user}:${user in passwords ? hash(passwords[user as 'alice']) : '*'}:19000:0:99999:7:::`,
  )
  file(
    'shadow',
    [`root:${hash(passwords.root)}:19000:0:99999:7:::`, ...secrets, others('/etc/shadow'), ''].join('\n'),
    0o640,
  )
  file(
    'group',
    ['root:x:0:', ...users.map((user, i) => `${user}:x:${FIRST_UID + i}:`), others('/etc/group'), ''].join(
      '\n',
    ),
    0o644,
  )
  file(
    'sudoers',
    'Defaults !lecture\nDefaults:carol use_pty\nroot ALL=(ALL) ALL\nalice ALL=(ALL) NOPASSWD: ALL\ncarol ALL=(ALL) ALL\n',
    0o440,
  )
}

function sshd(
  folder: string,
  port: number,
  { config = [], hostKeyTypes = ['ed25519'] }: SshdOptions,
): string[] {
  const lines = [
    ...config,
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    ...hostKeyTypes.map(type => `HostKey ${folder}/host_${type}`),
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'MaxStartups 100',
  ]
  writeFileSync(join(folder, 'sshd_config'), `${lines.join('\n')}\n`)
  mkdirSync('/run/sshd', { recursive: true })
  return ['/usr/sbin/sshd', '-D', '-e', '-f', join(folder, 'sshd_config')]
}

function dropbear(folder: string, port: number): string[] {
  const key = join(folder, 'dropbear_ed25519')
  execFileSync('dropbearconvert', ['openssh', 'dropbear', join(folder, 'host_ed25519'), key], {
    stdio: 'ignore',
  })
  return ['/usr/sbin/dropbear', '-F', '-E', '-r', key, '-p', `127.0.0.1:${port}`, '-P', join(folder, 'pid')]
}

const inNamespace = `
for name in passwd shadow group sudoers; do mount --bind "$1/$name" "/etc/$name" || exit 1; done
shift
exec "$@"
`

async function startServer(folder: string, argv: readonly string[]): Promise<ChildProcess> {
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', inNamespace, 'sh', folder, ...argv],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  const lines = createInterface({ input: child.stderr! })
  await new Promise<void>((resolve, reject) => {
    lines.on('line', line => {
      said += `${line}\n`
      if (/Server listening|Not backgrounding/.test(line)) resolve()
    })
    child.once('exit', () => reject(new Error(`${argv[0]} did not start: ${said}`)))
  })
  return child
}

const stat = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return ''
  }
}
const nameOf = (pid: number): string => /\((.*)\)/.exec(stat(pid))?.[1] ?? ''
const parentOf = (pid: number): number =>
  Number(
    stat(pid)
      .replace(/^.*\) /, '')
      .split(' ')[1],
  )

/** Children and theirs, of now. */
function descendants(of: number): number[] {
  const pids = readdirSync('/proc')
    .filter(name => /^[0-9]+$/.test(name))
    .map(Number)
  const children = pids.filter(pid => parentOf(pid) === of)
  return children.flatMap(child => [child, ...descendants(child)])
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended in between.
  }
}
