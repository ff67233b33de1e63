import { type Expanded, expandDollars, type Lookup } from './expand.ts'
import { afterLine, type Parsed, type Statement, type Unreadable } from './statement.ts'

/**
 * A file that a POSIX shell reads by `. file` (XCU 2.2, 2.9.1): one assignment a line, with or without `export`. What a
 * shell would run instead of assign is unreadable here.
 */
export function parseShell(text: string): Parsed {
  const statements: Statement[] = []
  const unreadable: Unreadable[] = []
  const known = new Map<string, string | undefined>()
  let start = 0
  while (start < text.length) {
    const end = afterLine(text, start)
    const line = text.slice(start, end)
    if (/^\s*(?:#|$|set [-+]a\s*$|export(?: +[A-Za-z_]\w*)+\s*$)/.test(line)) {
      start = end
      continue
    }
    const next = shellStatement(text, start, line, name => known.get(name))
    if ('offset' in next) unreadable.push(next)
    else {
      statements.push(next)
      known.set(next.name, next.value)
    }
    start = 'end' in next ? next.end : end
  }
  return { statements, unreadable }
}

const RUNS = 'a shell would run a command for it, or does not understand it'

function shellStatement(text: string, start: number, line: string, lookup: Lookup): Statement | Unreadable {
  const head = /^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=/.exec(line)
  if (head === null) return { offset: start, why: 'it is not an assignment, so a shell would run it' }
  const rawStart = start + head[0].length
  const word = scanWord(text, rawStart, lookup)
  if (word === undefined) return { offset: start, why: 'a quote is not closed' }
  if ('why' in word.value && word.value.why === RUNS) return { offset: start, why: RUNS }
  const end = afterLine(text, word.rawEnd)
  if (!/^(?:[ \t]*|[ \t]+#.*|[ \t]*;[ \t]*)\n?$/.test(text.slice(word.rawEnd, end)))
    return { offset: start, why: 'a shell would run what follows the value' }
  return { name: head[1]!, ...word.value, start, rawStart, rawEnd: word.rawEnd, end }
}

/** A word from `from` to the first unquoted blank or operator; undefined when a quote is not closed. */
function scanWord(
  text: string,
  from: number,
  lookup: Lookup,
): { value: Expanded; rawEnd: number } | undefined {
  const part = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\;&|<>()]+)/y
  part.lastIndex = from
  let value: Expanded = { value: '' }
  let rawEnd = from
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    value = join(value, partValue(match, rawEnd === from, lookup))
    rawEnd = part.lastIndex
  }
  return text[rawEnd] === '"' || text[rawEnd] === "'" ? undefined : { value, rawEnd }
}

function partValue(match: RegExpExecArray, isFirst: boolean, lookup: Lookup): Expanded {
  const [, single, double, escaped, plain] = match
  if (single !== undefined) return { value: single }
  if (escaped !== undefined) return { value: escaped === '\n' ? '' : escaped }
  if (plain === undefined) return expandDouble(double!, lookup)
  const hasTilde = /(?:^|:)~/.test(isFirst ? plain : plain.slice(1))
  const tilde: Expanded = hasTilde
    ? { value: undefined, why: 'it has a ~ that a shell expands' }
    : { value: '' }
  return join(expandPlain(plain, lookup), tilde)
}

/** Pieces of a double-quoted part: escapes stand for themselves, the rest has `$` expanded. */
function expandDouble(text: string, lookup: Lookup): Expanded {
  return text
    .split(/(\\[\\"$`\n])/)
    .map((piece, i) =>
      i % 2 === 1 ? { value: piece === '\\\n' ? '' : piece[1]! } : expandPlain(piece, lookup),
    )
    .reduce<Expanded>(join, { value: '' })
}

function expandPlain(text: string, lookup: Lookup): Expanded {
  if (/`|\$\(|\$\{(?![A-Za-z_]\w*(?::?[-+?][^{}$]*)?\})/.test(text)) return { value: undefined, why: RUNS }
  if (/\$[0-9@*#?!$-]/.test(text)) return { value: undefined, why: 'it has a parameter of the shell in it' }
  // A $ before anything else is a $ to a shell; compose's expansion would object.
  return expandDollars(text.replace(/\$(?![A-Za-z_{])/g, '$$$$'), lookup)
}

function join(a: Expanded, b: Expanded): Expanded {
  if (b.value === undefined && b.why === RUNS) return b
  if (a.value === undefined) return a
  return b.value === undefined ? b : { value: a.value + b.value }
}
