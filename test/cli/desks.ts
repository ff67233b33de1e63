// A small rotation on hosts that are folders of this machine, and operators of their own: each with a home, state and keys.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { loadIdentity } from '../../src/secrets/identity.ts'
import { cache } from './rota.ts'

const program = join(resolve(import.meta.dirname, '../..'), 'dist', 'rota.mjs')

export interface Ended {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The application of a host reads `.env` when it is restarted: `running` is what it read. A file `broken` makes verify red, `die` kills the operator. */
const playbook = (keywords: string, play: string): string => `
- hosts: app
${play}
  gather_facts: false
  rotation:
    name: app
${keywords}
    secrets: { API_KEY: { length: 32, logs_out: users of the API, current: "{{ old.env.API_KEY }}" } }
    preflight:
      - env_read: { path: "{{ folder }}/.env" }
        register: old
    change:
      - name: Write the key
        env_file: { path: "{{ folder }}/.env", values: { API_KEY: "{{ pending.API_KEY }}" } }
    converge:
      - name: Restart
        shell: 'cp .env running; if [ -e die ]; then pid=$(cat die); rm die; kill -9 "$pid"; sleep 5; fi'
        args: { chdir: "{{ folder }}" }
    verify:
      - env_read: { path: "{{ folder }}/running" }
        register: running
      - assert: { that: running.env.API_KEY == secrets.API_KEY, quiet: true }
        when: not ansible_check_mode
      - shell: test ! -e broken
        args: { chdir: "{{ folder }}" }
        when: secrets.API_KEY == pending.API_KEY
    finalise:
      - shell: date >finalised
        args: { chdir: "{{ folder }}" }
`

export interface Site {
  readonly folder: string
  /** More of the operators' environment. */
  readonly env: Record<string, string>
  /** What the host's application has, by name. */
  key(host: string): string
  running(host: string): string
  /** Makes, or takes away with undefined, a file of the host's. */
  put(host: string, name: string, text: string | undefined): void
  rota(who: Operator, args: readonly string[]): Promise<Ended>
  /** Kills the operator while the host restarts: changed, not verified. */
  die(who: Operator, args: readonly string[], host: string): Promise<Ended>
  start(who: Operator, args: readonly string[]): ChildProcess
  operator(name: string): Promise<Operator>
  locks(host: string): readonly string[]
  /** `keywords`: more of the rotation, indented by four; `play`: of the play, by two. */
  writePlaybook(keywords: string, play?: string): void
  readonly inventory: string
  readonly playbook: string
  close(): void
}
export interface Operator {
  readonly name: string
  readonly home: string
  readonly runs: string
  /** age1… */
  readonly recipient: string
  lastRun(): string
}

export function openDesks(hosts: readonly string[], keywords = ''): Site {
  const folder = mkdtempSync(join(tmpdir(), 'rota-desks-'))
  const at = (host: string, name: string): string => join(folder, host, name)
  const inventory = join(folder, 'inventory.yml')
  const file = join(folder, 'rotate.yml')
  const variables = (host: string) => ({
    ansible_connection: 'local',
    folder: join(folder, host),
    rota_host_folder: at(host, 'rota'),
  })
  const members = Object.fromEntries(hosts.map(host => [host, variables(host)]))
  writeFileSync(inventory, JSON.stringify({ all: { children: { app: { hosts: members } } } }))
  for (const host of hosts) {
    mkdirSync(join(folder, host))
    for (const name of ['.env', 'running']) writeFileSync(at(host, name), `A=1\nAPI_KEY=old-key-of-${host}\n`)
  }
  const read = (host: string, name: string): string =>
    /^API_KEY=(.*)$/m.exec(readFileSync(at(host, name), 'utf8'))![1]!
  const env: Record<string, string> = {}
  const start = ({ home }: Operator, args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache, ...env, HOME: home },
    })
  const site: Site = {
    folder,
    env,
    inventory,
    playbook: file,
    key: host => read(host, '.env'),
    running: host => read(host, 'running'),
    put: (host, name, text) =>
      text === undefined ? rmSync(at(host, name), { force: true }) : writeFileSync(at(host, name), text),
    locks: host => readdirSync(at(host, 'rota')).filter(name => name.startsWith('lock.')),
    start,
    rota: (who, args) => collect(start(who, args)),
    die(who, args, host) {
      const child = start(who, args)
      writeFileSync(at(host, 'die'), `${child.pid}`)
      return collect(child)
    },
    async operator(name) {
      const home = join(folder, `home-${name}`)
      const { recipient } = await loadIdentity(join(home, '.config', 'rota'))
      const runs = join(home, '.local', 'state', 'rota', 'runs')
      return { name, home, runs, recipient, lastRun: () => readdirSync(runs).sort().at(-1)! }
    },
    writePlaybook: (more, play = '') => writeFileSync(file, playbook(more, play)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
  site.writePlaybook(keywords)
  return site
}

async function collect(child: ChildProcess): Promise<Ended> {
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', chunk => {
      text[name] += chunk
    })
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, ...text }
}
