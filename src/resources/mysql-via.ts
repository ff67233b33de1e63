import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import { joinScripts, type Script, sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { State } from '../core/value.ts'
import { type ComposeProject, composeCli, composeParams } from './compose.ts'

/** How a MySQL or MariaDB server is reached: by the client program, on the target or in a compose service. Plain data, for recovery. */
export type MysqlVia = {
  readonly [key: string]: State | undefined
  /** The service whose container has the client; null: the target itself. */
  readonly compose: ({ readonly service: string } & ComposeProject) | null
  readonly host: string | null
  readonly port: number | null
  readonly socket: string | null
  readonly user: string | null
  /** An option file to read besides the usual ones. */
  readonly config: string | null
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null
  readonly connectSeconds: number
  /** Try root without a password first. */
  readonly isImplicitAdmin: boolean
  /** Tried in this order, null being none: when an account changes its own password, the way back in is the new one. */
  readonly passwords: readonly (Secret | null)[]
}

/** What the server or the client said of a failure. `line`: which statement, from 1; undefined when it was the connection. */
export interface MysqlError {
  readonly code: number
  readonly message: string
  readonly line: number | undefined
}
export interface MysqlAnswer {
  readonly lines: readonly string[]
  readonly error: MysqlError | undefined
}

/*
 * `$mysql_work` runs beside the client, here or in a container: PROGRAM MARIADB-PROGRAM USER HOST PORT SOCKET CONFIG CA CERT KEY SECONDS
 * IMPLICIT WORDS… Its stdin begins with a line for an option file, with the password or empty; the client reads that line from a pipe
 * of its own. The user's own option file would win over it, so with a password the client gets no HOME to find it in.
 */
const mysqlWork = sh`
# shellcheck disable=SC2016 # the shell beside the client expands it
mysql_work='
  IFS= read -r secret
  if command -v "$2" >/dev/null 2>&1; then program=$2; else program=$1; fi
  command -v "$program" >/dev/null 2>&1 || { echo "ERROR 127: neither $2 nor $1 was found" >&2; exit 90; }
  user=$3 host=$4 port=$5 socket=$6 config=$7 ca=$8 cert=$9
  shift 9
  key=$1 seconds=$2 implicit=$3
  shift 3
  set -- "--connect-timeout=$seconds" "$@"
  case $program in *dump*) shift ;; esac
  if [ -n "$ca" ]; then set -- "--ssl-ca=$ca" "$@"; fi
  if [ -n "$cert" ]; then set -- "--ssl-cert=$cert" "$@"; fi
  if [ -n "$key" ]; then set -- "--ssl-key=$key" "$@"; fi
  if [ -n "$host" ]; then set -- "--host=$host" "$@"; fi
  if [ -n "$port" ]; then set -- "--port=$port" "$@"; fi
  if [ -n "$socket" ]; then set -- "--socket=$socket" "$@"; fi
  if [ "$implicit" = 1 ]; then
    other=mysql
    if command -v mariadb >/dev/null 2>&1; then other=mariadb; fi
    if (HOME=/; export HOME; exec "$other" \${socket:+"--socket=$socket"} --user=root -e "DO 0" </dev/null >/dev/null 2>&1); then
      HOME=/ user=root secret="" config=""
    fi
  fi
  if [ -n "$user" ]; then set -- "--user=$user" "$@"; fi
  if [ -n "$secret" ]; then HOME=/; fi
  if [ -z "$secret$config" ]; then exec "$program" "$@"; fi
  exec 9<&0
  { if [ -n "$config" ]; then printf "!include %s\\n" "$config"; fi; printf "[client]\\n%s\\n" "$secret"; } | {
    exec 7<&0 0<&9 9<&-
    export HOME
    exec "$program" --defaults-extra-file=/dev/fd/7 "$@"
  }
'
`
const here = sh`
beside() { sh -c "\${mysql_work:-}" sh "$@"; }
`
const inContainer = joinScripts(
  composeCli,
  sh`
beside() { compose exec -T "$p_service" sh -c "\${mysql_work:-}" sh "$@"; }
`,
)
/** Defines `client OLD-NAME NEW-NAME WORDS…`, which runs a client program with the way in that the parameters describe. */
const client = sh`
client() {
  old=$1 new=$2
  shift 2
  beside "$old" "$new" "$p_user" "$p_host" "$p_port" "$p_socket" "$p_config" "$p_ca" "$p_cert" "$p_key" "$p_seconds" "$p_implicit" "$@"
}
`
/** A script that uses `client`, for servers reached from the target itself and in a container. */
export function clientScripts(script: Script): { readonly here: Script; readonly inContainer: Script } {
  return {
    here: joinScripts(mysqlWork, here, client, script),
    inContainer: joinScripts(mysqlWork, inContainer, client, script),
  }
}
const batch = clientScripts(sh`
client mysql mariadb --batch --raw --skip-column-names --default-character-set=utf8mb4
`)

/** The parameters that `client` reads. */
export function clientParams(via: MysqlVia): ScriptParams {
  return {
    ...(via.compose === null ? {} : { ...composeParams(via.compose), service: via.compose.service }),
    user: via.user ?? '',
    host: via.host ?? '',
    port: via.port ?? '',
    socket: via.socket ?? '',
    config: via.config ?? '',
    ca: via.tls?.ca ?? '',
    cert: via.tls?.cert ?? '',
    key: via.tls?.key ?? '',
    seconds: via.connectSeconds,
    implicit: via.isImplicitAdmin,
  }
}

/** The first line of stdin: an option as option files quote it (MySQL manual, 4.2.2.2), or empty. */
export function renderOption(password: Secret | null): Secret {
  if (password === null) return new Secret('\n', 'empty line')
  const quoted = reveal(password)
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
  return new Secret(`password="${quoted}"\n`, password.label)
}

const ACCESS_DENIED = 1045
const GONE = [2006, 2013, 2055, 1053, 1927]

/** `ERROR 1045 (28000) at line 3: …` of the client's stderr. */
function parseError(t: Target, ran: Ran): MysqlError | undefined {
  const stderr = ran.stderr.toString('utf8')
  const said = /^ERROR (\d+)(?: \(\w+\))?(?: at line (\d+))?: (.*)/m.exec(stderr)
  if (said === null && ran.exit === 0) return undefined
  const [, code = '0', line, message = ''] = said ?? []
  const text =
    message || ran.values['problem'] || stderr.trim().split('\n').at(-1) || `exit status ${ran.exit}`
  return {
    code: Number(code),
    message: t.redactor.clean(text),
    line: line === undefined ? undefined : Number(line),
  }
}

async function attempt(
  t: Target,
  via: MysqlVia,
  statements: readonly (string | Secret)[],
  password: Secret | null,
): Promise<MysqlAnswer> {
  const lines = statements.map(one => `${one instanceof Secret ? reveal(one) : one};\n`)
  const stdin = new Secret(`${reveal(renderOption(password))}${lines.join('')}`, 'SQL')
  const ran = await t.run(via.compose === null ? batch.here : batch.inContainer, clientParams(via), { stdin })
  const error = parseError(t, ran)
  const text = ran.stdout.toString('utf8')
  return { lines: text === '' ? [] : text.replace(/\n$/, '').split('\n'), error }
}

/**
 * Runs statements of one line each on one connection, until one fails. `writes`: a connection lost after sending leaves the outcome
 * unknown. Throws E_TASK when the server cannot be reached, E_UNKNOWN when it was lost after a change was sent.
 */
export async function runMysql(
  t: Target,
  via: MysqlVia,
  statements: readonly (string | Secret)[],
  writes: boolean,
): Promise<MysqlAnswer> {
  let answer: MysqlAnswer | undefined
  for (const password of via.passwords) {
    answer = await attempt(t, via, statements, password)
    const { error } = answer
    if (error === undefined || (error.line !== undefined && !GONE.includes(error.code))) return answer
    if (error.line !== undefined && writes)
      throw problem(
        'E_UNKNOWN',
        `the connection to the server broke after a change was sent: ${error.message}`,
        {
          hint: 'rota looks at the server again before it does anything else',
        },
      )
    if (error.code !== ACCESS_DENIED) break
  }
  const where = via.compose === null ? t.name : `the service ${via.compose.service}`
  throw problem(
    'E_TASK',
    `unable to connect to the database by the client of ${where}: ${answer?.error?.message}`,
    {
      hint: 'check login_user, login_password, login_unix_socket and login_host; with become: true root may need no password',
    },
  )
}

/** Text as SQL that needs no quotes and so no rules for them. */
export const hexLiteral = (text: string | Buffer): string =>
  text.length === 0 ? "''" : `X'${Buffer.from(text).toString('hex')}'`

/** A name in the grammar; refused when it holds NUL, which no name may. */
export function renderName(name: string): string {
  if (name.includes('\0'))
    throw problem('E_PARAMS', 'mysql: a name holds a NUL byte', { hint: 'write it without' })
  return `\`${name.replaceAll('`', '``')}\``
}
