// What a production host of the panel looks like on disk, and the panel running on it without containers:
// the demo's host, and the one of the scenes that need neither root nor Docker.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { freePort } from './free-port.ts'
import { type Postgres, startPostgres } from './postgres.ts'

/** The repository, found from here whether this file runs as it is or bundled into a folder below it. */
export const repository = findUp(dirname(fileURLToPath(import.meta.url)), 'package-lock.json')
export const panelSource = join(repository, 'demo', 'panel')

export interface Panel {
  /** The panel's folder: /opt/proxpanel below the host's root. */
  readonly folder: string
  readonly envFile: string
  readonly url: string
  readonly database: Postgres
  /** The env file as it is now. */
  env(): Readonly<Record<string, string>>
  setEnv(values: Readonly<Record<string, string>>): void
  restart(): void
  stop(): Promise<void>
}

/** The panel with its database below `root`, seeded, running under its supervisor, healthy. */
export async function startPanel(root: string): Promise<Panel> {
  const folder = join(root, 'opt', 'proxpanel')
  const databaseFolder = join(root, 'var', 'pg')
  for (const path of [join(root, 'opt'), databaseFolder]) mkdirSync(path, { recursive: true })
  mkdirSync(join(root, 'root'), { mode: 0o700 })
  cpSync(panelSource, folder, { recursive: true })
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))
  const [port, databasePort] = [await freePort(), await freePort()]
  const settings = firstSettings({ port, databasePort })
  const envFile = join(folder, '.env.production')
  writeFileSync(envFile, renderEnv(settings), { mode: 0o600 })
  const database = await startPostgres({
    folder: databaseFolder,
    port: databasePort,
    user: settings['POSTGRES_USER']!,
    password: settings['POSTGRES_PASSWORD']!,
    database: settings['POSTGRES_DB']!,
  })
  inPanel(folder, process.execPath, ['seed.mjs'], settings)
  const supervisor = startSupervisor(folder)
  const watchdog = startWatchdog(supervisor.pid!, database.pid, root)
  await healthy(`http://127.0.0.1:${port}`)
  return {
    folder,
    envFile,
    url: `http://127.0.0.1:${port}`,
    database,
    env: () => parseEnv(readFileSync(envFile, 'utf8')) as Record<string, string>,
    setEnv: values => writeFileSync(envFile, withSettings(readFileSync(envFile, 'utf8'), values)),
    restart: () => inPanel(folder, './panelctl', ['restart']),
    stop: async () => {
      if (supervisor.exitCode === null) {
        supervisor.kill('SIGTERM')
        await once(supervisor, 'exit')
      }
      await database.stop()
      watchdog.kill('SIGKILL')
    },
  }
}

/** Ends the host's processes and files when this process dies without having done so: its end of the pipe closes then. */
function startWatchdog(supervisor: number, database: number, root: string): ChildProcess {
  const script = 'cat >/dev/null; kill -TERM "$1"; kill -INT "$2"; sleep 2; rm -rf "$3"'
  const words = ['-c', script, 'watchdog', String(supervisor), String(database), root]
  const watchdog = spawn('sh', words, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watchdog.unref()
  return watchdog
}

/** Starting values of a new installation; the secrets are random. */
export function firstSettings(at: {
  port: number
  databasePort: number
  databaseHost?: string
}): Record<string, string> {
  const secret = (): string => randomBytes(24).toString('base64url').replace(/^[-_]/, 'x')
  const password = secret()
  return {
    NODE_ENV: 'production',
    PORT: String(at.port),
    POSTGRES_USER: 'proxpanel',
    POSTGRES_DB: 'proxpanel',
    POSTGRES_PASSWORD: password,
    DATABASE_URL: `postgresql://proxpanel:${password}@${at.databaseHost ?? '127.0.0.1'}:${at.databasePort}/proxpanel?schema=public`,
    JWT_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ADMIN_EMAIL: 'admin@my.votcloud.com',
    ADMIN_PASSWORD: secret(),
  }
}

/** With comments, a blank line and quotes, which a rotation has to leave as they are. */
export function renderEnv(settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name}=${/[?]/.test(value) ? `"${value}"` : value}`,
  )
  return ['# Proxpanel, production. Only the secrets below are rotated.', '', ...lines, '', '# end', ''].join(
    '\n',
  )
}
/** The text of an env file with these settings; the others stay as they are. */
export function withSettings(text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((lines, [name, value]) => {
    const line = new RegExp(`^${name}=.*$`, 'm')
    return line.test(lines) ? lines.replace(line, `${name}=${value}`) : `${lines}${name}=${value}\n`
  }, text)
}

function inPanel(folder: string, program: string, args: string[], env: Record<string, string> = {}): void {
  const { PATH = '/usr/bin:/bin' } = process.env
  const done = spawnSync(program, args, { cwd: folder, env: { PATH, ...env }, encoding: 'utf8' })
  if (done.status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed: ${done.error?.message ?? done.stderr}`)
}

function startSupervisor(folder: string): ChildProcess {
  const log = openSync(join(folder, 'panel.log'), 'a')
  const { PATH = '/usr/bin:/bin' } = process.env
  return spawn(process.execPath, ['supervisor.mjs', '.env.production'], {
    cwd: folder,
    env: { PATH },
    stdio: ['ignore', log, log],
    // A group of its own: ^C at the terminal is for rota and must not reach the host that it works on.
    detached: true,
  })
}

async function healthy(url: string): Promise<void> {
  const deadline = Date.now() + 30_000
  while (
    // Over a connection of its own: one that is kept may be the one to a panel that has just been stopped.
    !(await fetch(`${url}/api/health`, { headers: { connection: 'close' } }).then(
      answer => answer.ok,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new Error('the panel is not healthy after 30 s')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

function findUp(folder: string, name: string): string {
  if (existsSync(join(folder, name))) return folder
  if (dirname(folder) === folder) throw new Error(`no ${name} above ${import.meta.url}`)
  return findUp(dirname(folder), name)
}
