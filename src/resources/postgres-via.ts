import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import { type ComposeProject, composeCli, composeParams } from './compose.ts'
import { findInstallHint } from './missing-program.ts'

/** How a database is reached from the target. Plain data, since recovery has to get there from a role's state alone. */
export type Via =
  /** The target's psql over a local socket (or a host), let in by its user's name: no password anywhere. */
  | {
      readonly kind: 'psql'
      readonly host: string | null
      readonly port: number | null
      readonly user: string | null
      readonly database: string
    }
  /** psql inside a compose service's container. Without user and database: the container's POSTGRES_USER and POSTGRES_DB. */
  | ({
      readonly kind: 'compose'
      readonly service: string
      readonly user: string | null
      readonly database: string | null
    } & ComposeProject)
  /** The wire protocol over a connection that the target's sshd makes: the target needs no program at all. */
  | {
      readonly kind: 'forward'
      readonly host: string
      readonly port: number
      /** Folder of the server's unix socket; then `host` is not used. */
      readonly socket: string | null
      readonly user: string
      readonly database: string
      /** Tried in this order: when a role changes its own password, the way back in is the new one. */
      readonly passwords: readonly Secret[]
    }

/** What one statement gave. `rows` are the texts of the first column; rota's own statements return at most one, JSON. */
export interface Answer {
  /** `00000` is success. Only this decides: messages are in the server's language. */
  readonly sqlstate: string
  readonly message: string
  readonly rows: readonly (string | null)[]
}

/** Statements for one connection. They run in order until one fails. */
export interface Sql {
  readonly statements: readonly (string | Secret)[]
  /** True: a connection lost after sending leaves the outcome unknown. */
  readonly writes: boolean
  /** The statements are the user's: psql hands them on as they are, so that a backslash in them is no command of psql's. */
  readonly foreign?: boolean
}

const psqlLocal = sh`
rt_need psql "the host has no psql"
set -- -d "$p_database"
if [ -n "$p_user" ]; then set -- "$@" -U "$p_user"; fi
if [ -n "$p_host" ]; then set -- "$@" -h "$p_host"; fi
if [ -n "$p_port" ]; then set -- "$@" -p "$p_port"; fi
psql -X -q -A -t -w -P pager=off "$@"
`
const psqlInContainer = joinScripts(
  composeCli,
  sh`
# shellcheck disable=SC2016 # the container's shell expands it
compose exec -T "$p_service" sh -c '
  user=\${1:-\${POSTGRES_USER:-postgres}}
  exec psql -X -q -A -t -w -P pager=off -U "$user" -d "\${2:-\${POSTGRES_DB:-$user}}"' sh "$p_user" "$p_database"
`,
)

/** psql's own commands around the statements: after each a line with the mark and the SQLSTATE (psql 11 or newer). */
function renderPsql(sql: Sql, mark: string): Secret {
  const body = sql.statements.map(statement => {
    const text = statement instanceof Secret ? reveal(statement) : statement
    const send = sql.foreign ? `SELECT ${renderLiteral(text)}\n\\gexec` : `${text}\n;`
    return `${send}\n\\echo ${mark} :SQLSTATE :LAST_ERROR_MESSAGE\n\\if :ERROR\n\\quit\n\\endif\n`
  })
  return new Secret(`\\set VERBOSITY terse\n\\echo ${mark} connected\n${body.join('')}`, 'SQL')
}

/** The answers between the marks. undefined: psql did not even connect. */
function parsePsql(t: Target, stdout: string, mark: string): readonly Answer[] | undefined {
  const [, ...parts] = stdout.split(`${mark} `)
  if (parts.length === 0) return undefined
  return parts.slice(1).map((part, i) => {
    const [, sqlstate = '', message = ''] = /^(\S+) ?(.*)/.exec(part) ?? []
    const before = parts[i]!.split('\n').slice(1, -1)
    return {
      sqlstate,
      message: sqlstate === '00000' ? '' : t.redactor.clean(message),
      rows: before,
    }
  })
}

function unreachable(t: Target, how: string, ran: Ran): never {
  const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim().split('\n').at(-1) ?? ''
  throw problem('E_TASK', `the database cannot be reached by ${how}: ${t.redactor.clean(said)}`, {
    hint:
      findInstallHint(ran.values, said) ??
      'check the user (become_user: postgres), the socket and the service; or use `via: forward` with login_password',
  })
}

const lost = (how: string): never => {
  throw problem('E_UNKNOWN', `the connection by ${how} broke after a change was sent`, {
    hint: 'rota looks at the database again before it does anything else',
  })
}

async function runPsql(
  t: Target,
  via: Exclude<Via, { kind: 'forward' }>,
  sql: Sql,
): Promise<readonly Answer[]> {
  const mark = `rota-${randomUUID()}`
  const params: ScriptParams =
    via.kind === 'psql'
      ? { host: via.host ?? '', port: via.port ?? '', user: via.user ?? '', database: via.database }
      : {
          ...composeParams(via),
          service: via.service,
          user: via.user ?? '',
          database: via.database ?? '',
        }
  const how = via.kind === 'psql' ? 'psql' : `psql in the service ${via.service}`
  const ran = await t.run(via.kind === 'psql' ? psqlLocal : psqlInContainer, params, {
    stdin: renderPsql(sql, mark),
  })
  const answers = parsePsql(t, ran.stdout.toString('utf8'), mark)
  if (answers === undefined) return unreachable(t, how, ran)
  const last = answers.at(-1)
  if (last?.sqlstate === ':SQLSTATE')
    throw problem(
      'E_TASK',
      'the psql of the host is older than 11, which cannot tell how a statement ended',
      {
        hint: 'use `via: forward`, which needs no psql',
      },
    )
  const isWhole =
    answers.length === sql.statements.length || (last !== undefined && last.sqlstate !== '00000')
  if (!isWhole) return sql.writes ? lost(how) : unreachable(t, how, ran)
  return answers
}

/** pg wants a net.Socket that it connects itself; a forwarded channel is connected already. */
function socketOf(channel: Duplex): Duplex {
  return Object.assign(channel, {
    connect() {
      process.nextTick(() => channel.emit('connect'))
      return channel
    },
    setNoDelay: () => channel,
    setKeepAlive: () => channel,
    ref: () => channel,
    unref: () => channel,
  })
}

type Forward = Extract<Via, { kind: 'forward' }>
type Client = import('pg').Client

/** SQLSTATE of an error of pg's; undefined when it is the connection that failed. */
export function sqlstateOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown }).code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** One connection with this password. Throws what pg throws, and what `forward` throws. */
export async function connect(t: Target, via: Forward, password: Secret | undefined): Promise<Client> {
  const to =
    via.socket === null
      ? { host: via.host, port: via.port }
      : { socket: `${via.socket}/.s.PGSQL.${via.port}` }
  const channel = await t.forward(to)
  const { Client } = (await import('pg')).default
  const client = new Client({
    stream: () => socketOf(channel),
    user: via.user,
    database: via.database,
    ...(password === undefined ? {} : { password: reveal(password) }),
    connectionTimeoutMillis: 20_000,
    application_name: 'rota',
  })
  // Without a listener an error between two statements would end the process; the next statement reports it.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    channel.destroy()
    throw error
  }
  return client
}

const WRONG_PASSWORD = '28P01'
const alive = sh`:`

/** Opens a connection with the first password that the server takes. Throws E_TASK. */
export async function openForward(t: Target, via: Forward): Promise<Client> {
  const where = via.socket ?? `${via.host}:${via.port}`
  let refusals = 0
  for (const password of via.passwords.length > 0 ? via.passwords : [undefined])
    try {
      return await connect(t, via, password)
    } catch (error) {
      if (sqlstateOf(error) === WRONG_PASSWORD) refusals++
      else {
        // Throws what is wrong with the link to the host, should it be that and not the database.
        await t.run(alive)
        const said = t.redactor.clean(error instanceof Error ? error.message : String(error))
        throw problem('E_TASK', `the database at ${where} cannot be reached through ${t.name}: ${said}`, {
          hint: 'check login_host, login_port and login_db; sshd has to allow TCP forwarding',
          cause: error,
        })
      }
    }
  throw problem('E_TASK', `the database at ${where} refuses the password of ${via.user}`, {
    hint: refusals > 1 ? 'neither the old nor the new password is in force' : 'check login_password',
  })
}

async function ask(t: Target, client: Client, text: string, writes: boolean): Promise<Answer> {
  try {
    const result = await client.query({ text, rowMode: 'array', types: { getTypeParser: () => String } })
    const rows = result.rows.map(row => row[0] ?? null)
    return { sqlstate: '00000', message: '', rows }
  } catch (error) {
    const sqlstate = sqlstateOf(error)
    // Class 57P is a server that goes away: whether it still committed cannot be told from here.
    if ((sqlstate === undefined || sqlstate.startsWith('57P')) && writes)
      return lost('a forwarded connection')
    const message = t.redactor.clean(error instanceof Error ? error.message : String(error))
    if (sqlstate === undefined) throw problem('E_TASK', `the database connection broke: ${message}`)
    return { sqlstate, message, rows: [] }
  }
}

async function runForward(t: Target, via: Forward, sql: Sql): Promise<readonly Answer[]> {
  const client = await openForward(t, via)
  const answers: Answer[] = []
  try {
    // The channel may have been open for long; in a rotation this proves anew that the host is still the run's.
    if (sql.writes && t.undoable) await t.run(alive)
    for (const statement of sql.statements) {
      const text = statement instanceof Secret ? reveal(statement) : statement
      const answer = await ask(t, client, text, sql.writes)
      answers.push(answer)
      if (answer.sqlstate !== '00000') break
    }
  } finally {
    await client.end().catch(() => {})
  }
  return answers
}

/**
 * Runs the statements on one connection and gives an answer for each that ran: the last one may be a failure.
 * Throws E_TASK when the database cannot be reached, E_UNKNOWN when a connection broke after a change was sent.
 */
export function runSql(t: Target, via: Via, sql: Sql): Promise<readonly Answer[]> {
  return via.kind === 'forward' ? runForward(t, via, sql) : runPsql(t, via, sql)
}

/** Text as a SQL literal that reads the same whatever standard_conforming_strings says. No NUL: PostgreSQL has none. */
export function renderLiteral(text: string): string {
  const escaped = text.includes('\\') ? 'E' : ''
  return `${escaped}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
export function renderIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/**
 * Keeps the text of what follows out of the server's log and statistics, as far as the role may: a verifier is not the
 * password, but it can be guessed at. Lasts for the connection.
 */
export const quietLog = `DO $$ DECLARE setting text; BEGIN
  FOREACH setting IN ARRAY ARRAY['log_statement=none', 'log_min_error_statement=panic', 'log_duration=off',
    'log_min_duration_statement=-1', 'log_min_duration_sample=-1', 'pg_stat_statements.track_utility=off',
    'log_parameter_max_length=0', 'log_parameter_max_length_on_error=0'] LOOP
    BEGIN PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), false);
    EXCEPTION WHEN OTHERS THEN NULL; END;
  END LOOP; END $$`
