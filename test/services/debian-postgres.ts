// Debian's own PostgreSQL, with its pg_dump: an ordinary process of the user postgres in a temporary folder.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const bin = '/usr/lib/postgresql'
const version = existsSync(bin) ? readdirSync(bin).sort().at(-1) : undefined

/** Why there is none here; undefined when there is. */
export const noDebianPostgres =
  version === undefined
    ? 'Debian’s PostgreSQL is not installed'
    : process.getuid?.() === 0
      ? undefined
      : 'not root: the server needs another user'

export interface DebianPostgres {
  /** Folder of the socket, where everybody is let in. */
  readonly socket: string
  readonly port: number
  /** Output of a statement as superuser, `|` between columns. */
  query(database: string, text: string): string
  stop(): Promise<void>
}

export async function startDebianPostgres(port: number): Promise<DebianPostgres> {
  const socket = mkdtempSync(join(tmpdir(), 'rota-debian-pg-'))
  chmodSync(socket, 0o777)
  const as = (...words: string[]) =>
    execFileSync('runuser', ['-u', 'postgres', '--', ...words], { stdio: 'pipe' })
  as(
    `${bin}/${version}/bin/initdb`,
    '--no-sync',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '-D',
    `${socket}/data`,
  )
  const settings = ['fsync=off', 'listen_addresses=', `unix_socket_directories=${socket}`].flatMap(one => [
    '-c',
    one,
  ])
  const program = `${bin}/${version}/bin/postgres`
  const words = ['-u', 'postgres', '--', program, '-D', `${socket}/data`, ...settings, '-p', String(port)]
  const server = spawn('runuser', words, { stdio: 'ignore' })
  for (let i = 0; i < 600 && !existsSync(join(socket, `.s.PGSQL.${port}`)); i++)
    await new Promise(resolve => setTimeout(resolve, 50))
  const psql = ['psql', '-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', socket, '-p', String(port)]
  return {
    socket,
    port,
    query: (database, text) =>
      as(...psql, '-d', database, '-c', text)
        .toString()
        .trim(),
    async stop() {
      const ended = new Promise(resolve => server.once('exit', resolve))
      as(`${bin}/${version}/bin/pg_ctl`, '-D', `${socket}/data`, '-m', 'immediate', 'stop')
      await ended
      rmSync(socket, { recursive: true, force: true })
    },
  }
}
