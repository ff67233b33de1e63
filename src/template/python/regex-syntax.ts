import { runtimeFault } from '../fault.ts'

export interface RegexFlags {
  readonly ignoreCase: boolean
  /** ^ and $ match at every line. */
  readonly multiline: boolean
  readonly dotAll: boolean
  readonly verbose: boolean
}
export interface TranslatedRegex {
  /** For a RegExp with the flag `v`. */
  readonly source: string
  readonly ignoreCase: boolean
  /** Quantifiers without an upper bound. */
  readonly unbounded: number
  /** A repeated group that can match one text in several ways, or a back reference: may take exponential time. */
  readonly isRisky: boolean
}

const word = '\\p{L}\\p{N}_'
const wordBorder = `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`
const noWordBorder = `(?:(?<=[${word}])(?=[${word}])|(?<![${word}])(?![${word}]))`
/** Python's classes are Unicode's, JavaScript's are ASCII's. */
const classes: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  w: `[${word}]`,
  W: `[^${word}]`,
  s: '\\s',
  S: '\\S',
}
const assertions: Readonly<Record<string, string>> = {
  A: '(?<![\\s\\S])',
  Z: '(?![\\s\\S])',
  b: wordBorder,
  B: noWordBorder,
}
const controls: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, '0': 0 }
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
  private flags: RegexFlags
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
      ignoreCase: this.flags.ignoreCase,
      unbounded: this.unbounded,
      isRisky: this.isRisky,
    }
  }
  private refuse(what: string): never {
    throw runtimeFault(`${what} is not supported in the pattern '${this.pattern}'`)
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
    const has = (letter: string): boolean => match[1]!.includes(letter)
    this.flags = {
      ignoreCase: this.flags.ignoreCase || has('i'),
      multiline: this.flags.multiline || has('m'),
      dotAll: this.flags.dotAll || has('s'),
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
    } else if (assertions[char] !== undefined) {
      this.at += 2
      this.out += assertions[char]
    } else this.out += this.escapedCharacter()
  }
  /** An escape that stands for a character or a class, in or outside of brackets. */
  private escapedCharacter(): string {
    const char = this.look(1)
    const code = /^\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(this.rest())
    if (code) {
      this.at += code[0].length
      return codePoint(Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16))
    }
    this.at += 2
    if (Object.hasOwn(classes, char)) return classes[char]!
    if (Object.hasOwn(controls, char)) return codePoint(controls[char]!)
    if (char === '' || /[A-Za-z0-9]/.test(char)) this.refuse(`the escape \\${char}`)
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
      if (this.at >= this.chars.length) throw runtimeFault(`unterminated character set in '${this.pattern}'`)
      const isRange: boolean = this.look() === '-' && canRange && this.look(1) !== ']'
      const item: string = isRange ? '-' : this.classItem()
      if (isRange) this.at++
      this.out += item
      canRange = !isRange && !/^\\[pPsS]|^\[/.test(item)
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
    if (start === '(' && this.look(1) === '?') this.refuse(`'${this.rest().slice(0, 3)}'`)
    this.at += start.length
    this.out += start.replace('?P<', '?<')
    this.open.push({ isVariable: false })
  }
  private closeGroup(): void {
    const group = this.open.pop()
    if (!group || this.open.length === 0) throw runtimeFault(`unbalanced parenthesis in '${this.pattern}'`)
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
    } else if (this.look() === '+') this.refuse('a possessive quantifier')
  }
}

/** Translates a pattern of Python's `re`. Faults on what JavaScript cannot express. */
export function translateRegex(pattern: string, flags: RegexFlags): TranslatedRegex {
  return new Translator(pattern, flags).run()
}
