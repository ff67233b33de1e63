import { problem } from './error.ts'
import { pythonEscapes } from './python-escapes.ts'

/** Python's flags that callers set; a pattern may begin with `(?aimsux)` itself. */
export interface RegexFlags {
  readonly ignoreCase?: boolean
  /** ^ and $ match at every line. */
  readonly multiline?: boolean
  readonly dotAll?: boolean
  /** `\w`, `\d`, `\s` are ASCII's, as when Python matches bytes. */
  readonly ascii?: boolean
}
export interface TranslatedRegex {
  readonly source: string
  /** The flags that a RegExp of `source` needs at least. */
  readonly flags: 'v' | 'iv'
  /** Quantifiers without an upper bound. */
  readonly unbounded: number
  /** A repeated group that can match one text in several ways, or a back reference: may take exponential time. */
  readonly isRisky: boolean
}

const word = '\\p{L}\\p{N}_'
const wordBorder = `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`
const noWordBorder = `(?:(?<=[${word}])(?=[${word}])|(?<![${word}])(?![${word}]))`
const space = ' \\t\\n\\r\\f\\v'
type Words = Readonly<Record<string, string>>
/** Python's classes are Unicode's, JavaScript's are ASCII's. */
const classes: Words = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  w: `[${word}]`,
  W: `[^${word}]`,
  s: '\\s',
  S: '\\S',
}
const asciiClasses: Words = { d: '\\d', D: '\\D', w: '\\w', W: '\\W', s: `[${space}]`, S: `[^${space}]` }
const assertions: Words = { A: '(?<![\\s\\S])', Z: '(?![\\s\\S])', b: wordBorder, B: noWordBorder }
const asciiAssertions: Words = { ...assertions, b: '\\b', B: '\\B' }
const controls: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7 }
const codePoint = (code: number): string => `\\u{${code.toString(16)}}`
const literal = (char: string): string =>
  /[\p{L}\p{N}]/u.test(char) ? char : codePoint(char.codePointAt(0)!)

interface Group {
  /** It holds an alternative or a quantifier without bound. */
  isVariable: boolean
}

/** Reads a pattern of Python's `re` and writes the same one for JavaScript. */
class Translator {
  private readonly chars: readonly string[]
  private readonly pattern: string
  private flags: RegexFlags & { readonly verbose?: boolean }
  private at = 0
  private out = ''
  private unbounded = 0
  private isRisky = false
  private readonly open: Group[] = [{ isVariable: false }]
  /** The group that has just been closed, if a quantifier can follow. */
  private closed: Group | undefined

  constructor(pattern: string, flags: RegexFlags) {
    this.pattern = pattern
    this.chars = [...pattern]
    this.flags = flags
  }
  run(): TranslatedRegex {
    this.globalFlags()
    while (this.at < this.chars.length) this.step()
    return {
      source: this.out,
      flags: this.flags.ignoreCase ? 'iv' : 'v',
      unbounded: this.unbounded,
      isRisky: this.isRisky,
    }
  }
  private refuse(why: string): never {
    return refuse(this.pattern, why)
  }
  private look(offset = 0): string {
    return this.chars[this.at + offset] ?? ''
  }
  private rest(): string {
    return this.chars.slice(this.at).join('')
  }
  private globalFlags(): void {
    const match = /^\(\?([aimsux]+)\)/.exec(this.pattern)
    if (!match) return
    const has = (letter: string, flag = false): boolean => flag || match[1]!.includes(letter)
    const { ascii, dotAll, ignoreCase, multiline } = this.flags
    this.flags = {
      ascii: has('a', ascii),
      ignoreCase: has('i', ignoreCase),
      multiline: has('m', multiline),
      dotAll: has('s', dotAll),
      verbose: has('x'),
    }
    this.at = match[0].length
  }

  private step(): void {
    const char = this.look()
    if (this.flags.verbose && this.skipVerbose(char)) return
    const { closed } = this
    this.closed = undefined
    if (char === '\\') this.escape()
    else if (char === '[') this.characterClass()
    else if (char === '(') this.openGroup()
    else if (char === ')') this.closeGroup()
    else if ('*+?{'.includes(char)) this.quantifier(char, closed)
    else this.plain(char)
  }
  private skipVerbose(char: string): boolean {
    if (char === '#') while (this.at < this.chars.length && this.look() !== '\n') this.at++
    else if (!/\s/.test(char)) return false
    this.at++
    return true
  }
  private plain(char: string): void {
    this.at++
    if (char === '.') this.out += this.flags.dotAll ? '[\\s\\S]' : '[^\\n]'
    else if (char === '^') this.out += this.flags.multiline ? '(?<![^\\n])' : '(?<![\\s\\S])'
    else if (char === '$') this.out += this.flags.multiline ? '(?![^\\n])' : '(?=\\n?(?![\\s\\S]))'
    else if (char === '|') {
      this.open.at(-1)!.isVariable = true
      this.out += '|'
    } else this.out += literal(char)
  }

  private escape(): void {
    const char = this.look(1)
    if (/[1-9]/.test(char)) {
      const number = /^\\(\d{1,2})/.exec(this.rest())![1]!
      this.at += 1 + number.length
      this.out += `(?:\\${number})`
      this.isRisky = true
      return
    }
    const assertion = (this.flags.ascii ? asciiAssertions : assertions)[char]
    if (assertion !== undefined) {
      this.at += 2
      this.out += assertion
    } else this.out += this.escapedCharacter()
  }
  /** An escape that stands for a character or a class, in or outside of brackets. */
  private escapedCharacter(): string {
    const char = this.look(1)
    const code = /^\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(0[0-7]{0,2}))/.exec(this.rest())
    if (code) {
      this.at += code[0].length
      const [, byte, short, long, octal = ''] = code
      const hex = byte ?? short ?? long
      return codePoint(hex === undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex, 16))
    }
    this.at += 2
    if (Object.hasOwn(classes, char)) return (this.flags.ascii ? asciiClasses : classes)[char]!
    if (Object.hasOwn(controls, char)) return codePoint(controls[char]!)
    if (char === '' || /[A-Za-z0-9]/.test(char)) this.refuse(`bad escape \\${char}`)
    return literal(char)
  }

  private characterClass(): void {
    this.at++
    this.out += '['
    if (this.look() === '^') {
      this.out += '^'
      this.at++
    }
    let isFirst = true
    let canRange = false
    while (isFirst || this.look() !== ']') {
      if (this.at >= this.chars.length) this.refuse('a set is not closed')
      const isRange: boolean = this.look() === '-' && canRange && this.look(1) !== ']'
      const item: string = isRange ? '-' : this.classItem()
      if (isRange) this.at++
      this.out += item
      canRange = !isRange && !/^\\[dDwWpPsS]|^\[/.test(item)
      isFirst = false
    }
    this.at++
    this.out += ']'
  }
  private classItem(): string {
    if (this.look() === '\\') {
      if (this.look(1) !== 'b') return this.escapedCharacter()
      this.at += 2
      return codePoint(8)
    }
    return literal(this.chars[this.at++]!)
  }

  private openGroup(): void {
    const comment = /^\(\?#[^)]*\)/.exec(this.rest())
    if (comment) {
      this.at += [...comment[0]].length
      return
    }
    const reference = /^\(\?P=(\w+)\)/.exec(this.rest())
    if (reference) {
      this.at += reference[0].length
      this.out += `\\k<${reference[1]}>`
      this.isRisky = true
      return
    }
    const start = /^\((?:\?(?:P<(\w+)>|:|=|!|<=|<!))?/.exec(this.rest())![0]
    if (start === '(' && this.look(1) === '?') this.refuse(`'${this.rest().slice(0, 3)}' is not supported`)
    this.at += start.length
    this.out += start.replace('?P<', '?<')
    this.open.push({ isVariable: false })
  }
  private closeGroup(): void {
    const group = this.open.pop()
    if (!group || this.open.length === 0) this.refuse('a parenthesis is closed that was not opened')
    if (group.isVariable) this.open.at(-1)!.isVariable = true
    this.closed = group
    this.at++
    this.out += ')'
  }
  private quantifier(char: string, repeated: Group | undefined): void {
    const match = char === '{' ? /^\{(\d*)(?:(,)(\d*))?\}/.exec(this.rest()) : [char]
    const isEmpty = char === '{' && (match?.[1] ?? '') === '' && (match?.[3] ?? '') === ''
    if (!match || isEmpty) {
      this.out += literal(char)
      this.at++
      return
    }
    this.at += match[0]!.length
    const [all, low, comma, high] = match
    this.out += char === '{' ? `{${low || 0}${comma ?? ''}${high ?? ''}}` : all
    const isUnbounded = char === '*' || char === '+' || (comma !== undefined && high === '')
    const repeats = isUnbounded || Number(high || low || 0) > 10
    if (repeats && repeated?.isVariable) this.isRisky = true
    if (isUnbounded) {
      this.unbounded++
      this.open.at(-1)!.isVariable = true
    }
    if (this.look() === '?') {
      this.out += '?'
      this.at++
    } else if (this.look() === '+') this.refuse('a possessive quantifier is not supported')
  }
}

function refuse(pattern: string, why: string): never {
  throw problem('E_PARAMS', `regular expression ${JSON.stringify(pattern)}: ${why}`, {
    hint: "write it as Python's re module takes it",
  })
}

/**
 * A pattern of Python's `re` (docs.python.org/3/library/re.html) as one for JavaScript that finds the same. Anchors and dots are
 * spelled out, since JavaScript counts more characters as line ends. Throws E_PARAMS for what it cannot express.
 */
export function translateRegex(pattern: string, flags: RegexFlags): TranslatedRegex {
  const translated = new Translator(pattern, flags).run()
  try {
    new RegExp(translated.source, translated.flags)
  } catch (error) {
    return refuse(pattern, (error as Error).message.replace(/^.*: /s, '').toLowerCase())
  }
  return translated
}

/** The same as a global RegExp, for patterns that Ansible's modules match with bytes. */
export function parseRegex(pattern: string, flags: RegexFlags = {}): RegExp {
  const translated = translateRegex(pattern, { ...flags, ascii: true })
  return new RegExp(translated.source, `g${translated.flags}`)
}

/**
 * Python's replacement text with the groups of a match filled in: `\\1`, `\\g<1>`, `\\g<name>`, `\\n` and the like.
 * A group that took no part is empty. Throws E_PARAMS for a group that does not exist.
 */
export function expandReplacement(replacement: string, match: RegExpMatchArray): string {
  return replacement.replace(
    /\\(?:g<(\w+)>|(0[0-7]{0,2}|[1-3][0-7]{2})|([1-9]\d?)|([\s\S]))/g,
    (whole, name?: string, octal?: string, number?: string, letter?: string) => {
      const group = name ?? number
      if (group !== undefined) return groupOf(match, group) ?? ''
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
      if (letter !== undefined && letter in pythonEscapes) return pythonEscapes[letter]!
      if (letter !== undefined && /[a-zA-Z]/.test(letter))
        throw problem('E_PARAMS', `bad escape ${whole} in the replacement`, {
          hint: 'write a backslash that is meant as one twice',
        })
      return whole
    },
  )
}

/** What a group of a match holds, by number or name; null: it took no part. Throws E_PARAMS when the pattern has no such group. */
export function groupOf(match: RegExpMatchArray, group: string): string | null {
  const isNumber = /^\d+$/.test(group)
  const exists = isNumber ? Number(group) < match.length : Object.hasOwn(match.groups ?? {}, group)
  if (!exists) throw problem('E_PARAMS', `the regular expression has no group ${group}`)
  return (isNumber ? match[Number(group)] : match.groups?.[group]) ?? null
}
