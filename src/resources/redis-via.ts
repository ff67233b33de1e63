import { randomUUID } from 'node:crypto'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { State } from '../core/value.ts'
import { type ComposeProject, composeCli, composeParams } from './compose.ts'
import { converse, type Reply } from './resp.ts'

/** How a Redis server is reached from the target. Plain data, for recovery. */
export type RedisVia = {
  readonly [key: string]: State | undefined
  /** `cli`: redis-cli, on the target or in a compose service. `forward`: the protocol over a connection that the target's sshd makes. */
  readonly kind: 'cli' | 'forward'
  readonly compose: ({ readonly service: string } & ComposeProject) | null
  readonly host: string
  readonly port: number
  readonly socket: string | null
  /** TLS, by redis-cli; `isUnverified` takes any certificate. */
  readonly tls: { readonly ca: string; readonly isUnverified: boolean } | null
  readonly user: string | null
  /** Tried in this order, null being none. */
  readonly passwords: readonly (Secret | null)[]
}

export type Command = readonly (string | Secret)[]

/*
 * Both programs take the same words; commands come by stdin, one a line, so that none is in a command line.
 */
const cliWords = sh`
set -- --no-raw
if [ -n "$p_socket" ]; then set -- "$@" -s "$p_socket"
elif [ -n "$p_host" ]; then set -- "$@" -h "$p_host" -p "$p_port"
fi
if [ "$p_tls" = 1 ]; then set -- "$@" --tls; fi
if [ -n "$p_ca" ]; then set -- "$@" --cacert "$p_ca"; fi
if [ "$p_unverified" = 1 ]; then set -- "$@" --insecure; fi
`
// An inherited REDISCLI_AUTH would log in as somebody else.
const cliHere = joinScripts(
  cliWords,
  sh`
unset REDISCLI_AUTH
for name in redis-cli valkey-cli; do
  if command -v "$name" >/dev/null 2>&1; then "$name" "$@"; exit; fi
done
rt_fail "this host has neither redis-cli nor valkey-cli"
`,
)
const cliInContainer = joinScripts(
  composeCli,
  cliWords,
  sh`
# shellcheck disable=SC2016 # the container's shell expands it
compose exec -T "$p_service" sh -c '
  unset REDISCLI_AUTH
  if command -v redis-cli >/dev/null 2>&1; then exec redis-cli "$@"; fi
  exec valkey-cli "$@"' sh "$@"
`,
)

const plain = (word: string | Secret): string => (word instanceof Secret ? reveal(word) : word)

/** A word as redis-cli reads it from a line: in quotes, bytes that could mean something as \xHH. */
function quoteWord(word: string): string {
  const bytes = [...Buffer.from(word)].map(byte => {
    const char = String.fromCharCode(byte)
    return /[A-Za-z0-9_.:*~&@#/+-]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`
  })
  return `"${bytes.join('')}"`
}

function unquote(text: string): string {
  const bytes = text.slice(1, -1).replace(/\\(x[0-9a-f]{2}|.)/gi, (_, code: string) => {
    if (/^x../i.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }[code] ?? code
  })
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function parseScalar(line: string): Reply {
  if (line.startsWith('(error) ')) return { kind: 'error', text: line.slice(8) }
  if (line.startsWith('(integer) ')) return { kind: 'value', value: Number(line.slice(10)) }
  if (line === '(nil)') return { kind: 'value', value: null }
  return { kind: 'value', value: line.startsWith('"') ? unquote(line) : line }
}

/** What redis-cli prints of one reply: a scalar in one line, a list with numbered lines, INFO as it is. */
function parseShown(lines: readonly string[]): Reply {
  const isList = /^ *1\) /.test(lines[0] ?? '')
  if (isList) return { kind: 'list', items: lines.map(line => parseScalar(line.replace(/^ *\d+\) /, ''))) }
  if (lines.length === 1 && /^\(empty .*\)$/.test(lines[0]!)) return { kind: 'list', items: [] }
  return lines.length === 1 ? parseScalar(lines[0]!) : { kind: 'value', value: lines.join('\n') }
}

async function runCli(t: Target, via: RedisVia, commands: readonly Command[]): Promise<readonly Reply[]> {
  const mark = `rota-${randomUUID()}`
  const lines = commands.map(
    words => `${words.map(word => quoteWord(plain(word))).join(' ')}\nECHO ${mark}\n`,
  )
  const params = {
    ...(via.compose === null ? {} : { ...composeParams(via.compose), service: via.compose.service }),
    host: via.compose === null ? via.host : '',
    port: via.port,
    socket: via.socket ?? '',
    tls: via.tls !== null,
    ca: via.tls?.ca ?? '',
    unverified: via.tls?.isUnverified ?? false,
  }
  const stdin = new Secret(lines.join(''), 'Redis commands')
  const ran = await t.run(via.compose === null ? cliHere : cliInContainer, params, { stdin })
  const parts = ran.stdout.toString('latin1').split(`"${mark}"\n`)
  const replies = parts.slice(0, -1).map(part => parseShown(part.replace(/\n$/, '').split(/\r?\n/)))
  if (replies.length === commands.length) return replies
  const said = ran.values['problem'] ?? `${ran.stderr.toString().trim() || parts.at(-1)?.trim()}`
  throw new Error(said.split('\n')[0])
}

const alive = sh`:`

async function runForward(
  t: Target,
  via: RedisVia,
  commands: readonly Command[],
  writes: boolean,
): Promise<readonly Reply[]> {
  const channel = await t.forward(
    via.socket === null ? { host: via.host, port: via.port } : { socket: via.socket },
  )
  try {
    // In a rotation this proves anew that the host is still the run's.
    if (writes && t.undoable) await t.run(alive)
    return await converse(
      channel,
      commands.map(words => words.map(plain)),
      30_000,
    )
  } finally {
    channel.destroy()
  }
}

const login = ({ user }: RedisVia, password: Secret | null): readonly Command[] =>
  password === null ? [] : [['AUTH', ...(user === null ? [] : [user]), password]]

/**
 * Runs the commands on one connection and gives the reply to each. `writes`: a connection that is lost leaves the outcome unknown. Throws
 * E_TASK when the server cannot be reached or refuses the login, E_UNKNOWN.
 */
export async function runRedis(
  t: Target,
  via: RedisVia,
  commands: readonly Command[],
  writes: boolean,
): Promise<readonly Reply[]> {
  const where =
    via.compose === null ? (via.socket ?? `${via.host}:${via.port}`) : `the service ${via.compose.service}`
  let refusal = ''
  for (const password of via.passwords) {
    const start: readonly Command[] = [...login(via, password), ['PING']]
    const replies = await (via.kind === 'cli' ? runCli : runForward)(t, via, start, false).catch(
      (error: Error) => {
        if ('code' in error && error.code === 'E_UNKNOWN') throw error
        throw problem(
          'E_TASK',
          `the Redis server at ${where} cannot be reached: ${t.redactor.clean(error.message)}`,
          {
            hint: 'check login_host, login_port and via; sshd has to allow TCP forwarding for via: forward',
            cause: error,
          },
        )
      },
    )
    const failed = replies.find(reply => reply.kind === 'error')
    if (failed === undefined)
      return (await send(t, via, [...login(via, password), ...commands], writes)).slice(start.length - 1)
    refusal = failed.kind === 'error' ? failed.text : ''
  }
  throw problem('E_TASK', `the Redis server at ${where} refuses the login: ${t.redactor.clean(refusal)}`, {
    hint: 'check login_user and login_password',
  })
}

async function send(
  t: Target,
  via: RedisVia,
  commands: readonly Command[],
  writes: boolean,
): Promise<readonly Reply[]> {
  try {
    return via.kind === 'cli' ? await runCli(t, via, commands) : await runForward(t, via, commands, writes)
  } catch (error) {
    const said = t.redactor.clean(error instanceof Error ? error.message : String(error))
    throw problem(writes ? 'E_UNKNOWN' : 'E_TASK', `the connection to Redis broke: ${said}`, { cause: error })
  }
}

/** The text of a reply. Throws E_TASK with what the server said of an error. */
export function textOfReply(t: Target, reply: Reply | undefined, doing: string): string {
  if (reply?.kind === 'value') return String(reply.value ?? '')
  const said = reply?.kind === 'error' ? reply.text : 'another answer than a text'
  throw problem('E_TASK', `${doing}: ${t.redactor.clean(said)}`, { hint: 'the message is the server’s own' })
}

/** The texts of a list. Throws E_TASK. */
export function textsOfReply(t: Target, reply: Reply | undefined, doing: string): readonly string[] {
  if (reply?.kind !== 'list') return [textOfReply(t, reply, doing)]
  return reply.items.map(item => textOfReply(t, item, doing))
}
