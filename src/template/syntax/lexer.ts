import { Fault } from '../fault.ts'
import type { Py } from '../python/kinds.ts'
import { parseNumber, unescapeLiteral } from './literals.ts'
import { defaultSyntax, type Rules, rulesOf, type SyntaxOptions } from './rules.ts'

export type TokenKind =
  | 'data'
  | 'variable_begin'
  | 'variable_end'
  | 'block_begin'
  | 'block_end'
  | 'name'
  | 'string'
  | 'number'
  | 'operator'
  | 'eof'
export interface Token {
  readonly kind: TokenKind
  /** The text of data, name, operator and string tokens; the digits of a number. */
  readonly text: string
  readonly line: number
  /** The value of a number. */
  readonly value?: Py
}

// Every blank of Unicode, as Python's \s.
const space = /\s+/y
const number =
  /(?:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)|[1-9](?:_?\d)*|0(?:_?0)*)/iy
const name = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy
const string = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+*/%~[\](){}<>=.:|,;]/y
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

class Lexer {
  private readonly source: string
  private readonly options: SyntaxOptions
  private readonly rules: Rules
  private readonly tokens: Token[] = []
  private at = 0
  private line = 1
  private isLineStart = true

  constructor(source: string, options: SyntaxOptions) {
    const lines = source.replace(/\r\n?/g, '\n')
    this.source = options.keepTrailingNewline === true || !lines.endsWith('\n') ? lines : lines.slice(0, -1)
    this.options = options
    this.rules = rulesOf(options)
  }

  run(): readonly Token[] {
    while (this.at < this.source.length && this.next());
    this.push('eof', '')
    return this.tokens
  }

  private push(kind: TokenKind, text: string, value?: Py): void {
    this.tokens.push(
      value === undefined ? { kind, text, line: this.line } : { kind, text, line: this.line, value },
    )
  }
  private fail(message: string): never {
    throw new Fault('syntax', message, { line: this.line })
  }
  private moveTo(end: number): void {
    for (
      let i = this.source.indexOf('\n', this.at);
      i !== -1 && i < end;
      i = this.source.indexOf('\n', i + 1)
    )
      this.line++
    this.at = end
  }
  /** Moves behind a tag's end, after which a new line may begin. */
  private moveBehindTag(end: number): void {
    this.moveTo(end)
    this.isLineStart = this.source[end - 1] === '\n'
  }

  /** Text before a tag, with the blanks that the tag's sign or lstrip_blocks take away. */
  private data(text: string, sign: string | undefined, mayStrip: boolean): void {
    let kept = text
    if (sign === '-') kept = text.trimEnd()
    else if (sign !== '+' && mayStrip && this.options.lstripBlocks) {
      const start = text.lastIndexOf('\n') + 1
      if ((start > 0 || this.isLineStart) && /^\s+$/.test(text.slice(start))) kept = text.slice(0, start)
    }
    if (kept !== '') this.push('data', kept)
  }

  /** Reads up to the next tag and the tag. False at the end of the template. */
  private next(): boolean {
    this.rules.tag.lastIndex = this.at
    const match = this.rules.tag.exec(this.source)
    if (!match) {
      this.push('data', this.source.slice(this.at))
      return false
    }
    const groups = match.groups!
    const text = this.source.slice(this.at, match.index)
    const end = match.index + match[0].length
    if (groups['lineComment'] !== undefined) this.lineComment(text, match.index)
    else if (groups['raw'] !== undefined) this.raw(text, groups['rawSign'], end)
    else if (groups['comment'] !== undefined) this.comment(text, groups['sign'], end)
    else if (groups['lineStatement'] !== undefined) this.lineStatement(text, end)
    else this.tag(text, groups['sign'], end, groups['variable'] !== undefined)
    return true
  }
  private lineComment(text: string, start: number): void {
    this.data(text, '+', false)
    const end = this.source.indexOf('\n', start)
    this.moveTo(end < 0 ? this.source.length : end)
  }
  private raw(text: string, sign: string | undefined, start: number): void {
    this.data(text, sign, true)
    this.moveBehindTag(start)
    const end = this.find(this.rules.rawEnd, 'Missing end of raw directive')
    this.data(this.source.slice(this.at, end.index), end.groups?.['sign'], true)
    this.moveBehindTag(end.index + end[0].length)
  }
  private comment(text: string, sign: string | undefined, start: number): void {
    this.data(text, sign, true)
    this.moveBehindTag(start)
    const end = this.find(this.rules.commentEnd, 'Missing end of comment tag')
    this.moveBehindTag(end.index + end[0].length)
  }
  private find(pattern: RegExp, missing: string): RegExpExecArray {
    pattern.lastIndex = this.at
    return pattern.exec(this.source) ?? this.fail(missing)
  }
  private lineStatement(text: string, start: number): void {
    this.data(text, '+', false)
    this.moveTo(start)
    this.push('block_begin', '')
    this.code('block_end', /[ \t\v\f\r]*(\n|$)/y)
  }
  private tag(text: string, sign: string | undefined, start: number, isVariable: boolean): void {
    this.data(text, sign, !isVariable)
    this.moveTo(start)
    this.push(isVariable ? 'variable_begin' : 'block_begin', '')
    if (isVariable) this.code('variable_end', this.rules.variableEnd)
    else this.code('block_end', this.rules.blockEnd)
  }

  /** The tokens of a tag up to its end; an end inside brackets is not one. */
  private code(endKind: 'variable_end' | 'block_end', end: RegExp): void {
    const brackets: string[] = []
    while (brackets.length > 0 || !this.isAt(end)) {
      if (this.at >= this.source.length) return
      this.token(brackets, endKind === 'variable_end')
    }
    this.push(endKind, '')
    this.moveBehindTag(end.lastIndex)
  }
  private isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    return pattern.test(this.source)
  }
  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    return pattern.exec(this.source)?.[0]
  }
  private token(brackets: string[], isVariable: boolean): void {
    const blank = this.take(space)
    if (blank !== undefined) {
      this.moveTo(this.at + blank.length)
      return
    }
    const digits = this.number()
    if (digits !== undefined) {
      this.push('number', digits, parseNumber(digits))
      this.at += digits.length
      return
    }
    const word = this.take(name)
    if (word !== undefined) {
      this.push('name', word)
      this.at += word.length
      return
    }
    const literal = this.take(string)
    if (literal !== undefined) {
      this.string(literal, isVariable)
      return
    }
    const sign = this.take(operator)
    if (sign === undefined) this.fail(`unexpected char ${JSON.stringify(this.source[this.at])}`)
    this.bracket(sign, brackets)
    this.push('operator', sign)
    this.at += sign.length
  }
  /** After a dot only digits count: `l.0.1` is two indexes, not the float 0.1. */
  private number(): string | undefined {
    const digits = this.take(number)
    return digits !== undefined && this.source[this.at - 1] === '.' ? /^\d+/.exec(digits)![0] : digits
  }
  private string(literal: string, isVariable: boolean): void {
    const body = literal.slice(1, -1)
    const doubled = isVariable && this.options.escapeBackslashes ? body.replaceAll('\\', '\\\\') : body
    this.push('string', unescapeLiteral(doubled, this.line))
    this.moveTo(this.at + literal.length)
  }
  private bracket(sign: string, brackets: string[]): void {
    if (closing[sign] !== undefined) brackets.push(closing[sign])
    else if (sign === ')' || sign === ']' || sign === '}') {
      const expected = brackets.pop()
      if (expected === undefined) this.fail(`unexpected '${sign}'`)
      if (expected !== sign) this.fail(`unexpected '${sign}', expected '${expected}'`)
    }
  }
}

/** Cuts a template into tokens. Faults on what is not closed and on characters no expression has. */
export function tokenize(source: string, options: SyntaxOptions): readonly Token[] {
  return new Lexer(source, options).run()
}
/** The tokens of a bare expression, as in `when:`. */
export function tokenizeExpression(source: string): readonly Token[] {
  return tokenize(`{{ ${source} }}`, defaultSyntax)
}
