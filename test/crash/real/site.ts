// A real host for the crash trials, two operators' desks, and a look at it all from outside.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { login, visit } from '../../../demo/outside.ts'
import { repository } from '../../../demo/panel-host.ts'
import { type Desk, loginVariables, openDesk } from '../../../demo/site.ts'
import { loadIdentity } from '../../../src/secrets/identity.ts'
import { labKeyFile } from '../../lab/labhosts.ts'
import { generateKey } from '../../support/embedded-host.ts'
import { arm, runOn, type TrialHost, takePoints } from './trial-host.ts'

const strike = join(repository, 'test', 'crash', 'real', 'strike.mjs')
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

export class Site {
  readonly alice: Desk
  readonly bob: Desk
  readonly host: TrialHost
  readonly #folder: string
  readonly #bobsKey: string
  private constructor(host: TrialHost, folder: string, desks: readonly [Desk, Desk], bobsKey: string) {
    this.host = host
    this.#folder = folder
    this.#bobsKey = bobsKey
    ;[this.alice, this.bob] = desks
  }

  static async open(open: () => Promise<TrialHost>): Promise<Site> {
    const host = await open()
    const folder = mkdtempSync(join(tmpdir(), 'rota-crash-'))
    try {
      const bobsLogin = generateKey()
      runOn(host.pid, `printf '%s\\n' '${bobsLogin.public.trim()}' >>/home/deploy/.ssh/authorized_keys`)
      const keys = [readFileSync(labKeyFile, 'utf8'), bobsLogin.private]
      // One inventory for both, as from a repository; each has a login key of their own.
      const { ansible_ssh_private_key_file: _, ...variables } = loginVariables(folder, {
        ...host.login,
        key: '',
      })
      const desks = ['alice', 'bob'].map((name, i) => {
        const desk = openDesk(join(folder, name), { 'crash.example': variables })
        writeFileSync(loginOf(desk), keys[i]!, { mode: 0o600 })
        return desk
      })
      const { recipient } = await loadIdentity(join(folder, 'bob', 'config', 'rota'))
      arm(host)
      return new Site(host, folder, [desks[0]!, desks[1]!], recipient)
    } catch (error) {
      await host.close()
      throw error
    }
  }

  /** As root on the host, beside rota. Throws when it fails. */
  run(command: string): string {
    return runOn(this.host.pid, command)
  }
  env(): Env {
    const text = this.run(`cat ${envFile}`)
    return Object.fromEntries([...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, k, v]) => [k!, v!]))
  }
  login(env: Env) {
    return login(this.host.panelUrl, env)
  }
  visit(token: string | undefined): Promise<number> {
    return visit(this.host.panelUrl, '/profile', token)
  }

  /** Begins a rotation whose points are counted or struck. */
  rotate(blow: Blow): Life {
    return this.start(
      this.alice,
      ['run', this.host.playbook, '-i', this.alice.inventory, '--recipient', this.#bobsKey],
      blow,
    )
  }
  /** One process of rota on a desk. */
  start(desk: Desk, args: readonly string[], blow: Blow = { fault: 'none', at: 0 }): Life {
    const home = join(desk.inventory, '..')
    const log = join(home, 'points')
    rmSync(log, { force: true })
    if (blow.onHost) this.run(`printf '%s\\n' '${blow.at} ${blow.fault}' >/crash/at`)
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
          ROTA_CRASH_HOST: String(this.host.pid),
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

  takeHostPoints() {
    return takePoints(this.host)
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
  async close(): Promise<void> {
    try {
      await this.host.close()
    } catch {
      // The lab has ended it before.
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function loginOf(desk: Desk): string {
  return join(desk.inventory, '..', 'id')
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
