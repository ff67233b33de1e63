// A real host for the crash trials: sshd, sudo, PostgreSQL and the panel in a root of its own, two operators' desks, and a look at
// it all from outside.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askDatabase, login, visit } from '../../../demo/outside.ts'
import { firstSettings, renderEnv, repository } from '../../../demo/panel-host.ts'
import { type Desk, loginVariables, openDesk } from '../../../demo/site.ts'
import { loadIdentity } from '../../../src/secrets/identity.ts'
import { type LabHost, labFolder, labKeyFile, startLabHosts, stopLabHosts } from '../../lab/labhosts.ts'
import { packPanel } from '../../lab/production-host.ts'
import { generateKey } from '../../support/embedded-host.ts'

const strike = join(repository, 'test', 'crash', 'real', 'strike.mjs')
const playbook = join(repository, 'test', 'crash', 'real', 'rotation.yml')
const envFile = '/opt/proxpanel/.env.production'
export type Env = Readonly<Record<string, string>>

/** What one process of rota is told to suffer: see strike.mjs. */
export interface Blow {
  readonly fault: string
  /** Which point, from 1. 0: none, but they are counted. */
  readonly at: number
  /** Of the host's own commands, instead of the operator's points. */
  readonly onHost?: boolean
}
export interface Ran {
  readonly code: number | null
  readonly output: string
}
export interface Life {
  readonly ended: Promise<Ran>
  readonly pid: number
  /** Resolves true when the process stands still by SIGSTOP, false when it has ended before. */
  readonly frozen: Promise<boolean>
  /** Names of the points passed, when the process has ended by itself; else the one where it was struck. */
  points(): readonly string[]
}

/** In front of the host's PATH: each command that changes something is counted, and struck at when it is its turn. */
const wrapper = String.raw`#!/bin/bash
# Counts a command that changes something, and strikes before it runs.
name=\${0##*/}
if [ -e /crash/at ]; then
  exec 9>>/crash/lock; flock 9
  read -r n </crash/n; n=$((n + 1)); printf '%s\n' "$n" >/crash/n; printf '%s\n' "$name" >>/crash/log
  read -r at fault </crash/at
  exec 9>&-
  if [ "$n" = "$at" ]; then
    : >/crash/struck
    case $fault in
      shell) kill -9 0 ;;
      session) /crash/end-sessions ;;
      full-host) /crash/fill ;;
    esac
  fi
fi
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec "$name" "$@"
`.replaceAll('\\$', '$')
export const hostCommands = [
  'mv',
  'ln',
  'rm',
  'mkdir',
  'sync',
  'chmod',
  'chown',
  'psql',
  'cp',
  'touch',
  'cat',
]

const setUp = `set -e
mkdir -p /crash/bin
cat >/crash/wrapper && chmod 755 /crash/wrapper
for name in ${hostCommands.join(' ')}; do ln -s ../wrapper /crash/bin/$name; done
: >/crash/lock; : >/crash/log; printf '0\\n' >/crash/n; chmod 777 /crash; chmod 666 /crash/lock /crash/log /crash/n
cat >/crash/end-sessions <<'S'
#!/bin/sh
for stat in /proc/[0-9]*/comm; do
  read -r comm <$stat || continue
  pid=\${stat#/proc/}; pid=\${pid%/comm}
  if [ "$comm" = sshd ] && [ "$pid" != 1 ]; then kill -9 "$pid"; fi
done 2>/dev/null
S
cat >/crash/end-shells <<'S'
#!/bin/sh
for stat in /proc/[0-9]*/comm; do
  read -r comm <$stat || continue
  pid=\${stat#/proc/}; pid=\${pid%/comm}
  read -r _ _ _ parent _ <"/proc/$pid/stat"
  read -r up <"/proc/$parent/comm"
  case $comm/$up in sh/sshd | sh/sudo) kill -9 "$pid" ;; esac
done 2>/dev/null
S
cat >/crash/fill <<'S'
#!/bin/sh
exec /usr/bin/fallocate -l "$(/usr/bin/df --output=avail -B1 / | /usr/bin/tail -n 1)" /fill
S
chmod 755 /crash/end-sessions /crash/end-shells /crash/fill
path=/crash/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
printf 'Defaults secure_path="%s"\\n' "$path" >/etc/sudoers.d/crash
`

export class LabSite {
  readonly alice: Desk
  readonly bob: Desk
  readonly #host: LabHost
  readonly #folder: string
  readonly #bobsKey: string
  private constructor(host: LabHost, folder: string, desks: readonly [Desk, Desk], bobsKey: string) {
    this.#host = host
    this.#folder = folder
    this.#bobsKey = bobsKey
    ;[this.alice, this.bob] = desks
  }

  /** Boots the host with its panel (seconds). */
  static async open(): Promise<LabSite> {
    const [host] = startLabHosts(1, '--net', '--services', 'postgres', '--prefix', 'crash', '--disk', '400m')
    const folder = mkdtempSync(join(tmpdir(), 'rota-crash-'))
    try {
      const hostKey = readHost(host!, 'cat /etc/ssh/ssh_host_ed25519_key.pub')
      const bobsLogin = generateKey()
      readHost(host!, `printf '%s\\n' '${bobsLogin.public.trim()}' >>/home/deploy/.ssh/authorized_keys`)
      const keys = [readFileSync(labKeyFile, 'utf8'), bobsLogin.private]
      const address = { host: host!.address, port: host!.port, hostKey, user: 'deploy', key: '' }
      // One inventory for both, as from a repository; each has a login key of their own.
      const { ansible_ssh_private_key_file: _, ...variables } = loginVariables(folder, address)
      const desks = ['alice', 'bob'].map((name, i) => {
        const desk = openDesk(join(folder, name), { 'crash.example': variables })
        writeFileSync(loginOf(desk), keys[i]!, { mode: 0o600 })
        return desk
      })
      const { recipient } = await loadIdentity(join(folder, 'bob', 'config', 'rota'))
      const site = new LabSite(host!, folder, [desks[0]!, desks[1]!], recipient)
      await site.#install()
      return site
    } catch (error) {
      stopLabHosts([host!])
      throw error
    }
  }
  async #install(): Promise<void> {
    const settings = firstSettings({ port: 3000, databasePort: 5432 })
    this.run(setUp, wrapper)
    this.run('cat >/usr/local/bin/node && chmod 755 /usr/local/bin/node', readFileSync(process.execPath))
    this.run('mkdir -p /opt/proxpanel && tar -x -C /opt/proxpanel', packPanel())
    this.run(`umask 077; cat >${envFile}`, renderEnv({ ...settings, HOST: '0.0.0.0' }))
    const sql = `CREATE ROLE proxpanel LOGIN PASSWORD '${settings['POSTGRES_PASSWORD']}'; CREATE DATABASE proxpanel OWNER proxpanel;`
    this.run("su postgres -c 'psql -q'", sql.replace('; ', ';\n'))
    this.run(`cd /opt/proxpanel && set -a && . ./.env.production && node seed.mjs
      setsid node supervisor.mjs .env.production </dev/null >>panel.log 2>&1 &
      until [ -s /opt/proxpanel/panel.pid ]; do sleep 0.1; done`)
  }

  /** As root on the host, beside rota. Throws when it fails. */
  run(command: string, stdin: string | Buffer = ''): string {
    return readHost(this.#host, command, stdin)
  }
  get panelUrl(): string {
    return `http://${this.#host.address}:3000`
  }
  env(): Env {
    const text = this.run(`cat ${envFile}`)
    return Object.fromEntries([...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, k, v]) => [k!, v!]))
  }
  askDatabase(password: string): Promise<'accepted' | 'refused'> {
    return askDatabase(`postgresql://proxpanel:${password}@${this.#host.address}:5432/proxpanel`)
  }
  login(env: Env) {
    return login(this.panelUrl, env)
  }
  visit(token: string | undefined): Promise<number> {
    return visit(this.panelUrl, '/profile', token)
  }

  /** Begins a rotation whose points are counted or struck. */
  rotate(blow: Blow): Life {
    return this.start(
      this.alice,
      ['run', playbook, '-i', this.alice.inventory, '--recipient', this.#bobsKey],
      blow,
    )
  }
  /** One process of rota on a desk. */
  start(desk: Desk, args: readonly string[], blow: Blow = { fault: 'none', at: 0 }): Life {
    const home = join(desk.inventory, '..')
    const log = join(home, 'points')
    rmSync(log, { force: true })
    if (blow.onHost) this.run(`printf '%s\\n' '${blow.at} ${blow.fault}' >/crash/at`)
    const helper = join(labFolder, 'hosts', this.#host.name, 'init')
    const child = spawn(
      process.execPath,
      ['--import', strike, join(repository, 'dist', 'rota.mjs'), ...args, '--private-key', loginOf(desk)],
      {
        cwd: repository,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: home,
          XDG_STATE_HOME: join(home, 'state'),
          XDG_CONFIG_HOME: join(home, 'config'),
          XDG_CACHE_HOME: join(home, 'cache'),
          ROTA_CRASH_AT: String(blow.onHost ? 0 : blow.at),
          ROTA_CRASH_FAULT: blow.fault,
          ROTA_CRASH_LOG: log,
          ROTA_CRASH_HOST: readFileSync(helper, 'utf8').trim(),
        },
      },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        output += chunk
      })
    const ended = once(child, 'close').then(([code]): Ran => ({ code: code as number | null, output }))
    return {
      pid: child.pid!,
      ended,
      frozen: isFrozen(child.pid!, ended),
      points: () => readPoints(log),
    }
  }

  /** How many commands that change something the host ran, and whether one was struck. Forgets them. */
  takeHostPoints(): { readonly names: readonly string[]; readonly isStruck: boolean } {
    const text = this.run(
      `test -e /crash/struck && echo struck || echo not; cat /crash/log; rm -f /crash/at /crash/struck /fill; : >/crash/log; printf '0\\n' >/crash/n`,
    )
    const [struck, ...names] = text.trim().split('\n')
    return { names, isStruck: struck === 'struck' }
  }
  newestRun(desk: Desk): string | undefined {
    try {
      return readdirSync(desk.runs).sort().at(-1)
    } catch {
      return undefined
    }
  }
  /** All that the first operator has of rota's: runs, keys. */
  loseLaptop(): void {
    for (const name of ['state', 'config', 'cache'])
      rmSync(join(this.alice.inventory, '..', name), { recursive: true, force: true })
  }
  forget(): void {
    for (const { runs } of [this.alice, this.bob]) rmSync(runs, { recursive: true, force: true })
    // Folders of runs: the locks stay, as they do in life.
    this.run('rm -rf /var/lib/rota/*T*Z-*')
  }
  /** Every file that rota keeps, on the host and on both desks. */
  kept(): string {
    const here = [this.alice, this.bob].flatMap(({ runs }) => filesBelow(runs))
    const host = this.run('cat /var/lib/rota/*/journal 2>/dev/null || :')
    return host + here.map(file => readFileSync(file, 'latin1')).join('\n')
  }
  highestLock(): string {
    return this.run('cat "$(ls -v /var/lib/rota/lock.* | tail -n 1)"')
  }
  note(text: string): void {
    appendFileSync(join(this.#folder, 'log'), `${text}\n`)
  }
  close(): void {
    try {
      stopLabHosts([this.#host])
    } catch {
      // The lab has ended it before.
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function loginOf(desk: Desk): string {
  return join(desk.inventory, '..', 'id')
}

function readHost(host: LabHost, command: string, input: string | Buffer = ''): string {
  const names = ['-m', '-p', '-u', '-i', '-n', '-r', '-w']
  const { status, stdout, stderr } = spawnSync(
    'nsenter',
    ['-t', String(host.pid), ...names, '/bin/sh', '-c', command],
    { input, encoding: 'utf8', env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } },
  )
  if (status !== 0) throw new Error(`on the host: ${command.slice(0, 200)}: exit ${status}: ${stderr}`)
  return stdout
}

/** A process that was stopped says so in /proc. */
async function isFrozen(pid: number, ended: Promise<unknown>): Promise<boolean> {
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  while (!isOver) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (/^\) T/.test(stat.slice(stat.lastIndexOf(')')))) return true
    } catch {
      return false
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return false
}
function readPoints(log: string): readonly string[] {
  try {
    return readFileSync(log, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}
