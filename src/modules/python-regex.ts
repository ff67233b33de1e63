import { problem } from '../core/error.ts'
import { pythonEscapes } from '../core/python-escapes.ts'

/** Python's re flags that matter here. Patterns are matched as Python matches bytes: `\w`, `\d`, `\s` are ASCII. */
export interface RegexFlags {
  readonly multiline?: boolean
  readonly dotAll?: boolean
}

/**
 * A Python `re` pattern as a global RegExp that finds the same (docs.python.org/3/library/re.html). Anchors and dots
 * are spelled out, since JavaScript counts more characters as line ends. Throws E_PARAMS for what it cannot express.
 */
export function parseRegex(pattern: string, flags: RegexFlags = {}): RegExp {
  const inline = /^\(\?([aiLmsux]+)\)/.exec(pattern)
  const letters = inline?.[1] ?? ''
  for (const letter of letters)
    if (!'aims'.includes(letter)) refuse(pattern, `the flag (?${letter}) is not supported`)
  const source = translate(pattern.slice(inline?.[0].length ?? 0), {
    multiline: flags.multiline === true || letters.includes('m'),
    dotAll: flags.dotAll === true || letters.includes('s'),
  })
  try {
    return new RegExp(source, letters.includes('i') ? 'gi' : 'g')
  } catch (error) {
    return refuse(pattern, (error as Error).message.replace(/^.*: /, ''))
  }
}

function refuse(pattern: string, why: string): never {
  throw problem('E_PARAMS', `regular expression ${JSON.stringify(pattern)}: ${why}`, {
    hint: "write it as Python's re module takes it",
  })
}

const token =
  /\(\?P<\w+>|\(\?P=\w+\)|\(\?#[^)]*\)|\(\?(?:<?[=!]|:)|\(\?|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\{,\d+\}|\\[\s\S]|[\s\S]/g

function translate(pattern: string, flags: Required<RegexFlags>): string {
  return pattern.replace(token, part => {
    if (part.length === 1) return translateOne(part, flags)
    if (part.startsWith('(?')) return translateGroup(part, pattern)
    if (part.startsWith('[')) return translateClass(part, pattern)
    if (part.startsWith('{')) return `{0${part.slice(1)}`
    return translateEscape(part[1]!, pattern)
  })
}

function translateOne(part: string, { dotAll, multiline }: Required<RegexFlags>): string {
  if (part === '.') return dotAll ? '[\\s\\S]' : '[^\\n]'
  if (part === '^') return multiline ? '(?<![^\\n])' : '(?<![\\s\\S])'
  if (part === '$') return multiline ? '(?![^\\n])' : '(?=\\n?(?![\\s\\S]))'
  return part
}

function translateGroup(part: string, pattern: string): string {
  if (part.startsWith('(?P<')) return `(?<${part.slice(4)}`
  if (part.startsWith('(?P=')) return `\\k<${part.slice(4, -1)}>`
  if (part.startsWith('(?#')) return ''
  if (part === '(?') return refuse(pattern, 'a group that begins with (? is not known')
  return part
}

const space = ' \\t\\n\\r\\f\\v'

function translateEscape(letter: string, pattern: string): string {
  if (letter === 'A') return '(?<![\\s\\S])'
  if (letter === 'Z') return '(?![\\s\\S])'
  if (letter === 's') return `[${space}]`
  if (letter === 'S') return `[^${space}]`
  if (letter === 'a') return '\\x07'
  if (/[a-zA-Z]/.test(letter) && !/[bBdDwWfnrtvxuU]/.test(letter))
    return refuse(pattern, `bad escape \\${letter}`)
  return `\\${letter}`
}

/** A set: a `]` that comes first is a member; `\s` is ASCII. */
function translateClass(part: string, pattern: string): string {
  const [head, body] = part.startsWith('[^') ? ['[^', part.slice(2, -1)] : ['[', part.slice(1, -1)]
  const first = body.startsWith(']') ? `\\${body}` : body
  const inner = first.replace(/\\([\s\S])/g, (whole, letter: string) => {
    if (letter === 's') return space
    if (letter === 'b') return '\\x08'
    if (letter === 'a') return '\\x07'
    if (/[a-zA-Z]/.test(letter) && !/[dDwWSfnrtvxuU]/.test(letter))
      return refuse(pattern, `bad escape \\${letter}`)
    return whole
  })
  return `${head}${inner}]`
}

/**
 * Python's replacement text with the groups of a match filled in: `\1`, `\g<1>`, `\g<name>`, `\n` and the like.
 * A group that took no part is empty. Throws E_PARAMS for a group that does not exist.
 */
export function expandTemplate(template: string, match: RegExpExecArray | RegExpMatchArray): string {
  const group = (name: string): string => {
    const isNumber = /^\d+$/.test(name)
    const exists = isNumber ? Number(name) < match.length : name in (match.groups ?? {})
    if (!exists)
      throw problem('E_PARAMS', `the replacement names group ${name}, which the regexp does not have`)
    return (isNumber ? match[Number(name)] : match.groups?.[name]) ?? ''
  }
  return template.replace(
    /\\(?:g<(\w+)>|(0[0-7]{0,2}|[1-3][0-7]{2})|([1-9]\d?)|([\s\S]))/g,
    (whole, name?: string, octal?: string, number?: string, letter?: string) => {
      if (name !== undefined) return group(name)
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
      if (number !== undefined) return group(number)
      if (letter !== undefined && letter in pythonEscapes) return pythonEscapes[letter]!
      if (letter !== undefined && /[a-zA-Z]/.test(letter))
        throw problem('E_PARAMS', `bad escape ${whole} in the replacement`, {
          hint: 'write a backslash that is meant as one twice',
        })
      return whole
    },
  )
}
