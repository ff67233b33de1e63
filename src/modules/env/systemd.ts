import { afterLine, type Parsed, type Statement, type Unreadable } from './statement.ts'

/**
 * systemd's `EnvironmentFile=` (systemd.exec(5)): comments only at the start of a line, no `export`, no `$`. Quotes
 * count only where a value or a part of it begins; a backslash outside quotes takes the next character as it is.
 */
export function parseSystemd(text: string): Parsed {
  const statements: Statement[] = []
  const unreadable: Unreadable[] = []
  let start = 0
  while (start < text.length) {
    const line = text.slice(start, afterLine(text, start))
    const equals = line.indexOf('=')
    const name = line.slice(0, Math.max(equals, 0)).trim()
    if (/^\s*(?:[#;]|$)/.test(line)) {
      start = afterLine(text, start)
      continue
    }
    if (equals < 0 || !/^[A-Za-z_]\w*$/.test(name)) {
      unreadable.push({ offset: start, why: 'it is not NAME=value, so systemd ignores it' })
      start = afterLine(text, start)
      continue
    }
    const rawStart = start + equals + 1 + /^[ \t]*/.exec(line.slice(equals + 1))![0].length
    const { value, rawEnd } = scanValue(text, rawStart)
    const end = afterLine(text, rawEnd)
    statements.push({ name, value, start, rawStart, rawEnd, end })
    start = end
  }
  return { statements, unreadable }
}

function scanValue(text: string, from: number): { value: string; rawEnd: number } {
  let value = ''
  let keep = 0
  let isStart = true
  let at = from
  while (at < text.length && text[at] !== '\n') {
    const part = partAt(text, at, isStart)
    at += part.length
    value += part.value
    isStart = part.isStart
    if (part.isSolid) keep = value.length
  }
  return { value: value.slice(0, keep), rawEnd: from + text.slice(from, at).trimEnd().length }
}

interface Part {
  readonly length: number
  readonly value: string
  /** Whether a quote counts after it. */
  readonly isStart: boolean
  /** Trailing white space that is not solid is dropped. */
  readonly isSolid: boolean
}

function partAt(text: string, at: number, isStart: boolean): Part {
  const char = text[at]!
  if (isStart && (char === '"' || char === "'")) return quotedPart(text, at, char)
  if (char === '\\') {
    const next = text[at + 1] ?? ''
    return { length: 2, value: next === '\n' ? '' : next, isStart: false, isSolid: true }
  }
  const isSpace = /\s/.test(char)
  if (isStart && isSpace) return { length: 1, value: '', isStart: true, isSolid: false }
  return { length: 1, value: char, isStart: false, isSolid: !isSpace }
}

function quotedPart(text: string, at: number, quote: string): Part {
  const body = (quote === '"' ? /(?:[^"\\]|\\[\s\S])*/y : /[^']*/y) as RegExp
  body.lastIndex = at + 1
  const inner = body.exec(text)![0]
  const value = quote === '"' ? inner.replace(/\\([\\"$`])|\\\n/g, '$1') : inner
  const isClosed = text[at + 1 + inner.length] === quote
  return { length: inner.length + (isClosed ? 2 : 1), value, isStart: true, isSolid: true }
}
