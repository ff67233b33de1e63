import { problem } from '../core/error.ts'
import type { Call, ScriptParams } from '../core/remote.ts'
import type { Script } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import { prelude } from './prelude.ts'

/**
 * Above this many bytes a line is sent as counted bytes. sh reads a line byte by byte (one system call each), and
 * starting dd costs about as much as 2,000 of those.
 */
const LONGEST_LINE = 2000

/** One sh word on one line, for any text without NUL: newlines become `"$rt_n"`, which the first line defines. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`).replaceAll('\n', `'"$rt_n"'`)}'`
}

/** What a shell reads first: the prelude, to be evaluated by the bootstrap, and the nonce that marks its answers. */
export function renderPrelude(shell: string, nonce: string): string {
  const newline = "rt_n=$(printf '\\nx');rt_n=${rt_n%x}"
  return `${newline};rt_shell=${quote(shell)};eval ${quote(prelude.text)}\n${nonce}\n`
}

/** A line of sh for the loop. When it is long, a short line that reads it. */
function renderLine(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length <= LONGEST_LINE) return Buffer.concat([bytes, Buffer.from('\n')])
  return Buffer.concat([Buffer.from(`rt_probe;eval "$(rt_read ${bytes.length})"\n`), bytes])
}

function textOf(name: string, value: string | number | boolean | Secret): string {
  const text =
    value instanceof Secret ? reveal(value) : typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
  if (text.includes('\0'))
    throw problem('E_PARAMS', `${name} holds a NUL byte, which a shell variable cannot hold`, {
      hint: 'send it as stdin, or encode it (b64encode)',
    })
  return requireText(name, text)
}

/** What stands for a byte that is no UTF-8 (see load/scalar.ts) would arrive as another one. Throws E_PARAMS. */
function requireText(name: string, text: string): string {
  if (!/\p{Surrogate}/u.test(text)) return text
  throw problem('E_PARAMS', `${name} holds bytes that are no text in UTF-8`, {
    hint: 'keep them in a file, and copy that',
  })
}

/** Unset first: a variable of that name in the login's environment would otherwise stay exported. */
function renderParams(params: ScriptParams): string {
  const names = Object.keys(params)
  for (const name of names)
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw problem('E_BUG', `${name} is not a name for a script's parameter`)
  if (names.length === 0) return ''
  const values = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [`p_${name}=${quote(textOf(name, value))};`],
  )
  return `unset ${names.map(name => `p_${name}`).join(' ')};${values.join('')}`
}

function bytesOf(stdin: NonNullable<Call['stdin']>): Buffer {
  if (stdin instanceof Secret) return Buffer.from(reveal(stdin))
  return typeof stdin === 'string' ? Buffer.from(requireText('stdin', stdin)) : Buffer.from(stdin)
}

const variable = (script: Script): string => `rt_s_${script.sha256.slice(0, 32)}`

/** Makes a script known to the shell, as a variable. */
export function renderScript(script: Script): Buffer {
  return renderLine(`${variable(script)}=${quote(script.text)}`)
}

/**
 * One run of a script that the shell knows. The subshell keeps cd, traps and variables in; what it does not read
 * of its stdin is drained, so that the next line is where the loop expects it.
 */
export function renderCall(call: Pick<Call, 'script' | 'params' | 'stdin'>): Buffer {
  const run = `${renderParams(call.params ?? {})}eval "$${variable(call.script)}"`
  const stdin = call.stdin === undefined ? Buffer.alloc(0) : bytesOf(call.stdin)
  if (stdin.length === 0) return renderLine(`(${run})</dev/null;rt_end $?`)
  const line = `rt_probe;rt_read ${stdin.length}|((${run});rt_e=$?;cat >/dev/null;exit $rt_e);rt_end $?`
  return Buffer.concat([renderLine(line), stdin])
}

/** One run whose stdin is the rest of the channel; the shell ends with it. */
export function renderPipe(call: Pick<Call, 'script' | 'params'>): Buffer {
  const run = `${renderParams(call.params ?? {})}eval "$${variable(call.script)}"`
  return renderLine(`(${run});rt_end $?;exit`)
}
