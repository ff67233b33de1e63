// A real MariaDB from Debian's mariadb-server-core: an ordinary process in a temporary folder, on its own socket and port.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../demo/free-port.ts'

export interface MariaDb {
  readonly port: number
  readonly socket: string
  /** Everything the server was asked so far, by its general log. */
  log(): string
  /** Output of statements as the administrator, who is let in over the socket by the name of the process's user. */
  query(text: string): string
  /** Does the server let the account in with this password, over TCP? */
  accepts(user: string, password: string): boolean
  stop(): Promise<void>
}

export const noMariaDb =
  existsSync('/usr/sbin/mariadbd') && existsSync('/usr/bin/mariadb-dump')
    ? undefined
    : 'MariaDB is not installed'
if (noMariaDb !== undefined) {
  if (process.env['CI']) throw new Error(noMariaDb)
  console.log(`skipped: ${noMariaDb}`)
}

export async function startMariaDb(): Promise<MariaDb> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-mariadb-'))
  const data = join(folder, 'data')
  const user = userInfo().username
  const options = ['--no-defaults', `--datadir=${data}`, `--user=${user}`]
  execFileSync(
    'mariadb-install-db',
    [
      ...options,
      '--auth-root-authentication-method=socket',
      '--skip-test-db',
      `--auth-root-socket-user=${user}`,
    ],
    { stdio: 'pipe' },
  )
  const socket = join(folder, 'socket')
  const port = await freePort()
  const server = spawn(
    '/usr/sbin/mariadbd',
    [
      ...options,
      ...[
        `--socket=${socket}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        '--innodb-flush-log-at-trx-commit=0',
      ],
      ...['--general-log=1', `--general-log-file=${folder}/general.log`, '--innodb-buffer-pool-size=8M'],
    ],
    { stdio: 'ignore' },
  )
  for (let i = 0; i < 600 && !existsSync(socket); i++) {
    if (server.exitCode !== null) throw new Error(`mariadbd ended with ${server.exitCode}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const client = ['--no-defaults', '--batch', '--skip-column-names']
  return {
    port,
    socket,
    log: () => readFileSync(`${folder}/general.log`, 'latin1'),
    query: text =>
      execFileSync('mariadb', [...client, `--socket=${socket}`, `--user=${user}`], { input: text })
        .toString()
        .trim(),
    accepts(name, password) {
      try {
        const words = [
          ...client,
          '--host=127.0.0.1',
          `--port=${port}`,
          `--user=${name}`,
          `--password=${password}`,
        ]
        execFileSync('mariadb', [...words, '-e', 'SELECT 1'], { stdio: 'pipe' })
        return true
      } catch (error) {
        if (/^ERROR (?:1045|1698)/m.test(String((error as { stderr?: Buffer }).stderr))) return false
        throw error
      }
    },
    async stop() {
      const ended = new Promise(resolve => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
