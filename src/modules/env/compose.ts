import { expandDollars, type Lookup } from './expand.ts'
import { afterLine, type Parsed, type Statement, type Unreadable } from './statement.ts'

/**
 * docker compose's env files (compose-go, dotenv package): `export` and yaml's `NAME: value` are taken; an unquoted value
 * ends at ` #`; both it and one in double quotes have `$` expanded; single quotes are literal but for `\'`.
 */
export function parseCompose(text: string): Parsed {
  const statements: Statement[] = []
  const unreadable: Unreadable[] = []
  const known = new Map<string, string | undefined>()
  let start = 0
  while (start < text.length) {
    const next = composeStatement(text, start, name => known.get(name))
    if (next === undefined) {
      start = afterLine(text, start)
    } else if ('why' in next && 'offset' in next) {
      unreadable.push(next)
      start = afterLine(text, start)
    } else {
      statements.push(next)
      known.set(next.name, next.value)
      start = next.end
    }
  }
  return { statements, unreadable }
}

const head = /^[ \t\v\f\r]*(?:export\s+)?([\p{L}\p{N}_.[\]-]*)[ \t\v\f\r]*([=:]|\n|$)[ \t\v\f\r]*/u

function composeStatement(text: string, start: number, lookup: Lookup): Statement | Unreadable | undefined {
  const line = text.slice(start, afterLine(text, start))
  if (/^\s*(?:#|$)/.test(line)) return undefined
  const match = head.exec(line)
  const name = match?.[1] ?? ''
  if (match === null || name === '') return { offset: start, why: 'it is not NAME=value' }
  if (match[2] !== '=' && match[2] !== ':') {
    const at = start + line.trimEnd().length
    const why = "it is taken from compose's own environment"
    return { name, value: undefined, why, start, rawStart: at, rawEnd: at, end: start + line.length }
  }
  const rawStart = start + match[0].length
  const quote = text[rawStart]
  if (quote === '"' || quote === "'") return quoted(text, { name, start, rawStart, quote }, lookup)
  const raw = text
    .slice(rawStart, afterLine(text, start))
    .replace(/ #[\s\S]*$/, '')
    .trimEnd()
  const end = start + line.length
  return { name, ...expandDollars(raw, lookup), start, rawStart, rawEnd: rawStart + raw.length, end }
}

interface Opened {
  readonly name: string
  readonly start: number
  readonly rawStart: number
  readonly quote: '"' | "'"
}

function quoted(text: string, { quote, ...opened }: Opened, lookup: Lookup): Statement | Unreadable {
  const { rawStart } = opened
  const body = quote === '"' ? /(?:[^"\\]|\\[\s\S])*/y : /(?:[^'\\]|\\[\s\S])*/y
  body.lastIndex = rawStart + 1
  const inner = body.exec(text)![0]
  const rawEnd = rawStart + inner.length + 2
  if (text[rawEnd - 1] !== quote) return { offset: opened.start, why: 'a quote is not closed' }
  const end = afterLine(text, rawEnd - 1)
  if (!/^\s*(?:#.*)?$/.test(text.slice(rawEnd, end).trimEnd()))
    return { offset: opened.start, why: 'something follows the closing quote' }
  const bare = inner.replaceAll(`\\${quote}`, quote)
  const value = quote === '"' ? expandDollars(expandEscapes(bare), lookup) : { value: bare }
  return { ...opened, ...value, rawEnd, end }
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  $: '$$',
  '"': '"',
  '\\': '\\',
}
/** Go's escapes; `\$` becomes `$$`, which the expansion makes a `$` of. */
function expandEscapes(text: string): string {
  return text.replace(/\\(?:([abfnrtv$"\\])|0([0-7]{3}))/g, (whole, letter?: string, octal?: string) => {
    if (letter !== undefined) return escapes[letter]!
    return octal === undefined ? whole : String.fromCharCode(Number.parseInt(octal, 8))
  })
}
