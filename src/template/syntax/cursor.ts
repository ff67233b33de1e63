import { Fault } from '../fault.ts'
import type { Token, TokenKind } from './lexer.ts'

const say: Readonly<Record<string, string>> = {
  eof: 'end of template',
  variable_begin: 'begin of print statement',
  variable_end: 'end of print statement',
  block_begin: 'begin of statement block',
  block_end: 'end of statement block',
}

/** How a token is named in messages. */
export function describeToken(token: Token): string {
  return say[token.kind] ?? token.text
}

/** Deepest nesting of expressions and blocks: past it a template is an attack on the stack. */
const DEEPEST = 200

/** A reading position in a list of tokens, with the questions both parsers ask. */
export class Cursor {
  private readonly tokens: readonly Token[]
  private at = 0
  private depth = 0
  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }
  get current(): Token {
    return this.tokens[this.at]!
  }
  get following(): Token {
    return this.tokens[Math.min(this.at + 1, this.tokens.length - 1)]!
  }
  next(): Token {
    const token = this.current
    if (token.kind !== 'eof') this.at++
    return token
  }
  fail(message: string, line = this.current.line): never {
    throw new Fault('syntax', message, { line })
  }
  is(kind: TokenKind): boolean {
    return this.current.kind === kind
  }
  isOperator(text: string): boolean {
    return this.current.kind === 'operator' && this.current.text === text
  }
  isName(...names: readonly string[]): boolean {
    return this.current.kind === 'name' && names.includes(this.current.text)
  }
  skipOperator(text: string): boolean {
    const isHere = this.isOperator(text)
    if (isHere) this.next()
    return isHere
  }
  skipName(name: string): boolean {
    const isHere = this.isName(name)
    if (isHere) this.next()
    return isHere
  }
  expect(kind: TokenKind): Token {
    return this.is(kind) ? this.next() : this.failExpected(say[kind] ?? kind)
  }
  expectOperator(text: string): void {
    if (!this.skipOperator(text)) this.failExpected(text)
  }
  expectName(name: string): void {
    if (!this.skipName(name)) this.failExpected(name)
  }
  private failExpected(expected: string): never {
    if (this.is('eof')) this.fail(`unexpected end of template, expected '${expected}'`)
    this.fail(`expected '${expected}', got '${describeToken(this.current)}'`)
  }
  /** Runs one level deeper. */
  nested<T>(parse: () => T): T {
    if (++this.depth > DEEPEST) this.fail(`nested more than ${DEEPEST} levels deep`)
    const result = parse()
    this.depth--
    return result
  }
}
