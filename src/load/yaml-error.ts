import type { YAMLParseError, ErrorCode as YamlErrorCode } from 'yaml'
import type { Problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'

const QUOTE_BRACES = 'a value that begins with {{ needs quotes around all of it: "{{ name }}/file"'

/** What to say of the yaml package's errors; the others say it well enough themselves. */
const words: Partial<Record<YamlErrorCode, { message: string; hint: string }>> = {
  TAB_AS_INDENT: { message: 'a tab stands where YAML wants spaces', hint: 'indent with spaces' },
  BAD_INDENT: { message: 'the indentation does not fit', hint: 'line it up with the lines before' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second `: ` in one line',
    hint: 'put the value in quotes, or begin the mapping on a new line',
  },
  MISSING_CHAR: { message: 'a closing character is missing', hint: 'check quotes and brackets' },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a line without `: ` where a key is wanted',
    hint: 'check for a missing colon, space after the colon, or indentation',
  },
  BAD_ALIAS: { message: 'the alias has no anchor before it', hint: 'put text that begins with * in quotes' },
}

/** The errors of a file as Problems: of one line only the first, since the others follow from it. */
export function renderYamlErrors(
  errors: readonly YAMLParseError[],
  text: string,
  sourceOf: (offset: number) => Source,
): Problem[] {
  // Behind a quote that is not closed all is text: what else is wrong there is not known.
  const meant = errors[0] && openQuote(errors[0]) ? errors.slice(0, 1) : errors
  const problems = meant.map(error => renderYamlError(error, text, sourceOf))
  const json = errors.length > 0 ? jsonErrorOf(text) : undefined
  const lines = new Set<number | undefined>()
  return problems
    .filter(({ at }) => !lines.has(at?.line) && lines.add(at?.line))
    .map((problem, index) => (index === 0 && json !== undefined ? { ...problem, hint: json } : problem))
}

function openQuote({ message }: YAMLParseError): string | undefined {
  return /^Missing closing (["'])quote$/.exec(message)?.[1]
}

/** A syntax error of the yaml package as a Problem. */
function renderYamlError(error: YAMLParseError, text: string, sourceOf: (offset: number) => Source): Problem {
  const start = Math.min(error.pos[0], text.length)
  // An indentation is found wrong at the end of the line before it.
  const offset = error.code === 'BAD_INDENT' ? start + /^\s*/.exec(text.slice(start))![0].length : start
  const open = openQuote(error)
  // It would have closed at any later quote, so it is the last one.
  if (open !== undefined)
    return {
      code: 'E_YAML',
      message: `the quote ${open} is not closed`,
      at: sourceOf(Math.max(0, text.lastIndexOf(open, start - 1))),
      hint: 'close it on the same line, or leave it out',
    }
  const [, close] = /^Flow .* and end with a ([\]}])/.exec(error.message) ?? []
  const bracket = close && openBracket(text, start, close)
  if (bracket)
    return {
      code: 'E_YAML',
      message: `the bracket ${bracket.open} is not closed`,
      at: sourceOf(bracket.offset),
      hint: `close it with ${close}`,
    }
  const said = words[error.code]
  const hint = hasBareBraces(text, offset)
    ? QUOTE_BRACES
    : (said?.hint ?? 'check quotes, colons and indentation')
  const detail = error.code === 'MISSING_CHAR' ? error.message : said?.message
  return { code: 'E_YAML', message: detail ?? error.message, at: sourceOf(offset), hint }
}

/** The last bracket before `end` that `close` is missing for. */
function openBracket(text: string, end: number, close: string) {
  const open = close === ']' ? '[' : '{'
  let closed = 0
  for (let offset = end - 1; offset >= 0; offset--)
    if (text[offset] === close) closed++
    else if (text[offset] === open && closed-- === 0) return { open, offset }
  return undefined
}

/** A file that begins with a bracket may be meant as JSON: what JSON says of it. */
function jsonErrorOf(text: string): string | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return `check quotes and brackets; read as JSON: ${(error as Error).message}`
  }
}

/** Whether the line of the error, or the one before, has a value that begins with unquoted braces. */
function hasBareBraces(text: string, offset: number): boolean {
  const line = text.lastIndexOf('\n', offset - 1)
  const before = text.lastIndexOf('\n', line - 1)
  const end = text.indexOf('\n', offset)
  return /(?:: +|- +)\{\{/.test(text.slice(before + 1, end === -1 ? text.length : end))
}
