import { afterLine, type Parsed, type Statement } from './statement.ts'

/**
 * Node's `--env-file` and `util.parseEnv` (Node 20): a quoted value ends at the next such quote, also lines later; `\n`
 * is a line end in double quotes; an unquoted value ends at the first #. Only spaces are trimmed, a carriage return
 * counts for nothing, and a line without = is taken for the beginning of the next name.
 */
export function parseNode(text: string): Parsed {
  const statements: Statement[] = []
  // Only the file as a whole is trimmed: later an indented # begins a name, not a comment.
  let start = /^ */.exec(text)![0].length
  while (start < text.length) {
    if (/[\r\n#]/.test(text[start]!)) {
      start = afterLine(text, start)
      continue
    }
    const statement = nodeStatement(text, start)
    if (statement === undefined) break
    statements.push(statement)
    start = statement.end
  }
  return { statements, unreadable: [] }
}

const trim = (text: string): string => text.replace(/^ +| +$/g, '')
const withoutReturns = (text: string): string => text.replaceAll('\r', '')

/** undefined: nothing more is read, since there is no = or no name before it. */
function nodeStatement(text: string, start: number): Statement | undefined {
  const equals = text.indexOf('=', start)
  if (equals < 0) return undefined
  const name = withoutReturns(trim(text.slice(start, equals))).replace(/^export /, '')
  if (name === '') return undefined
  const rawStart = equals + 1 + /^[ \r]*/.exec(text.slice(equals + 1))![0].length
  const quote = text[rawStart] ?? ''
  const close = /["'`]/.test(quote) ? text.indexOf(quote, rawStart + 1) : -1
  if (close >= 0) {
    const inner = withoutReturns(text.slice(rawStart + 1, close))
    const value = quote === '"' ? inner.replaceAll('\\n', '\n') : inner
    return { name, value, start, rawStart, rawEnd: close + 1, end: afterLine(text, close) }
  }
  if (/["'`]/.test(quote)) {
    // A quote that is never closed stands for itself, and so does the rest of its line.
    const line = /^[^\n]*/.exec(text.slice(rawStart))![0]
    const end = afterLine(text, rawStart)
    return { name, value: withoutReturns(line), start, rawStart, rawEnd: rawStart + line.length, end }
  }
  const raw = /^[^\n#]*/.exec(text.slice(rawStart))![0].replace(/[ \r]+$/, '')
  const value = trim(withoutReturns(raw))
  return { name, value, start, rawStart, rawEnd: rawStart + raw.length, end: afterLine(text, rawStart) }
}

/** The grammar of npm's dotenv 17 (its lib/main.js), which is one regular expression. */
const dotenvLine =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/dgm

/** npm dotenv: backticks quote too; in double quotes `\n` and `\r` are line ends; there is no way to escape a quote. */
export function parseDotenv(text: string): Parsed {
  const statements: Statement[] = []
  for (const match of text.matchAll(dotenvLine)) {
    const raw = (match[2] ?? '').trim()
    const at = match.indices![2]
    const rawStart = at === undefined ? match.indices![1]![1] + 1 : at[0] + match[2]!.indexOf(raw)
    const unquoted = raw.replace(/^(['"`])([\s\S]*)\1$/gm, '$2')
    const value = raw.startsWith('"') ? unquoted.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : unquoted
    const start = match.index + match[0].length - match[0].trimStart().length
    const end = afterLine(text, match.index + match[0].length)
    statements.push({ name: match[1]!, value, start, rawStart, rawEnd: rawStart + raw.length, end })
  }
  return { statements, unreadable: [] }
}
