import { pythonEscapes } from '../core/python-escapes.ts'

/** A word of `command: ls -l chdir=/x`, with where it begins and ends in the text. */
interface Word {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** `k=v` options taken out of a module's text, and the text that is left. */
export interface FreeText {
  readonly options: ReadonlyMap<string, string>
  readonly rest: string
}

// White space ends a word, except in quotes and in Jinja braces (where quotes count too). What matches none of these is not closed.
const QUOTED = /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'/.source
const WORD = new RegExp(
  [
    QUOTED,
    `\\{\\{(?:${QUOTED}|[^"'])*?\\}\\}`,
    `\\{%(?:${QUOTED}|[^"'])*?%\\}`,
    '\\{#[\\s\\S]*?#\\}',
    `\\\\["']`,
    '\\{(?![{%#])',
    `[^\\s"'{]`,
  ]
    .join('|')
    .replace(/^.*$/s, '(?:$&)+'),
  'g',
)

/**
 * Splits `src=a dest="b c"` by Ansible's rules: at white space, but not within quotes or Jinja braces. `isOption` says which
 * names are options of the module (a name may be a template); every other word stays in the rest, which keeps its own white space and quotes.
 * Undefined: a quote or a brace is not closed.
 */
export function parseFreeText(text: string, isOption: (name: string) => boolean): FreeText | undefined {
  const words = splitWords(text)
  if (words === undefined) return undefined
  const options = new Map<string, string>()
  let rest = ''
  let from = 0
  for (const word of words) {
    const option = parseOption(word.text)
    if (option === undefined || !isOption(option.name)) {
      if (word.text !== '\\') continue
      // A line continuation by itself: it belongs to how the text is laid out.
      rest += text.slice(from, word.start)
      from = text[word.end] === '\n' ? word.end + 1 : word.end
      continue
    }
    options.set(option.name, option.value)
    rest += text.slice(from, word.start)
    from = word.end
  }
  rest += text.slice(from)
  // A line end after the last word stays: it is part of a shell's text.
  const kept = options.size > 0 ? rest.trimStart().replace(/[^\S\n]+$/, '') : rest
  return { options, rest: kept.replaceAll('\\=', '=') }
}

function splitWords(text: string): Word[] | undefined {
  const words: Word[] = []
  let end = 0
  for (const match of text.matchAll(WORD)) {
    if (text.slice(end, match.index).trim() !== '') return undefined
    end = match.index + match[0].length
    words.push({ text: match[0], start: match.index, end })
  }
  return text.slice(end).trim() === '' ? words : undefined
}

function parseOption(word: string): { readonly name: string; readonly value: string } | undefined {
  const [, name, value] = /^((?:[A-Za-z_]|\{\{.*?\}\})(?:[\w.-]|\{\{.*?\}\})*)=(.*)$/s.exec(word) ?? []
  return name === undefined ? undefined : { name, value: unquote(decodeEscapes(value!)) }
}

function unquote(text: string): string {
  const first = text[0]
  return text.length > 1 && (first === '"' || first === "'") && text.endsWith(first)
    ? text.slice(1, -1)
    : text
}

const letters: Readonly<Record<string, string>> = { ...pythonEscapes, "'": "'", '"': '"' }

/** The backslash escapes of a Python string, which Ansible decodes in `k=v`. */
function decodeEscapes(text: string): string {
  return text.replace(
    /\\(?:U([0-9a-fA-F]{8})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([abfnrtv\\'"]))/g,
    (whole, long?: string, short?: string, byte?: string, letter?: string) => {
      if (letter !== undefined) return letters[letter]!
      const code = Number.parseInt(long ?? short ?? byte!, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}
