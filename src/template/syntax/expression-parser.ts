import type { Py } from '../python/kinds.ts'
import type { Arguments, Expression, FilterExpression } from './ast.ts'
import { type Cursor, describeToken } from './cursor.ts'

const constants: ReadonlyMap<string, Py> = new Map<string, Py>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
])
export const isConstantName = (name: string): boolean => constants.has(name)
const comparisons = ['==', '!=', '<', '<=', '>', '>=']
/** Kinds of token that can begin the bare argument of a test: `is divisibleby 3`. */
const argumentStarts = ['name', 'string', 'number']

/** Jinja2's expression grammar, by recursive descent; loosest binding first. */
export class ExpressionParser {
  private readonly cursor: Cursor
  constructor(cursor: Cursor) {
    this.cursor = cursor
  }

  expression(): Expression {
    return this.cursor.nested(() => this.conditional())
  }
  /** Without a trailing `if`, which belongs to the `for` around it. */
  unconditional(): Expression {
    return this.cursor.nested(() => this.or())
  }

  /** One or more expressions with commas: a tuple as soon as there is a comma. */
  tuple(element: () => Expression, isEnd: () => boolean = () => false): Expression {
    const { line } = this.cursor.current
    const items: Expression[] = []
    let isTuple = false
    while (!this.isTupleEnd() && !isEnd()) {
      items.push(element())
      if (!this.cursor.skipOperator(',')) break
      isTuple = true
    }
    if (isTuple) return { kind: 'tuple', line, items }
    return items[0] ?? this.cursor.fail(`Expected an expression, got '${describeToken(this.cursor.current)}'`)
  }
  private isTupleEnd(): boolean {
    return this.cursor.is('variable_end') || this.cursor.is('block_end') || this.cursor.isOperator(')')
  }

  private conditional(): Expression {
    let then = this.or()
    while (this.cursor.isName('if')) {
      const { line } = this.cursor.next()
      const test = this.or()
      const otherwise = this.cursor.skipName('else') ? this.expression() : undefined
      then = { kind: 'conditional', line, test, then, otherwise }
    }
    return then
  }
  private or(): Expression {
    let left = this.and()
    while (this.cursor.isName('or')) {
      const { line } = this.cursor.next()
      left = { kind: 'or', line, left, right: this.and() }
    }
    return left
  }
  private and(): Expression {
    let left = this.not()
    while (this.cursor.isName('and')) {
      const { line } = this.cursor.next()
      left = { kind: 'and', line, left, right: this.not() }
    }
    return left
  }
  private not(): Expression {
    if (!this.cursor.isName('not')) return this.comparison()
    const { line } = this.cursor.next()
    return { kind: 'unary', line, operator: 'not', of: this.cursor.nested(() => this.not()) }
  }
  private comparison(): Expression {
    const { line } = this.cursor.current
    const first = this.sum()
    const rest: { operator: string; operand: Expression }[] = []
    for (let operator = this.comparator(); operator !== undefined; operator = this.comparator())
      rest.push({ operator, operand: this.sum() })
    return rest.length === 0 ? first : { kind: 'compare', line, first, rest }
  }
  private comparator(): string | undefined {
    const { current, following } = this.cursor
    if (current.kind === 'operator' && comparisons.includes(current.text)) return this.cursor.next().text
    if (this.cursor.skipName('in')) return 'in'
    if (!this.cursor.isName('not') || following.kind !== 'name' || following.text !== 'in') return undefined
    this.cursor.next()
    this.cursor.next()
    return 'not in'
  }
  private binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand()
    while (this.cursor.is('operator') && operators.includes(this.cursor.current.text)) {
      const { line, text } = this.cursor.next()
      left = { kind: 'binary', line, operator: text, left, right: operand() }
    }
    return left
  }
  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat())
  }
  private concat(): Expression {
    const { line } = this.cursor.current
    const parts = [this.product()]
    while (this.cursor.skipOperator('~')) parts.push(this.product())
    return parts.length === 1 ? parts[0]! : { kind: 'concat', line, parts }
  }
  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.binary(['**'], () => this.unary(true)))
  }
  private unary(withFilter: boolean): Expression {
    const { line, text } = this.cursor.current
    let value: Expression
    if (this.cursor.isOperator('-') || this.cursor.isOperator('+')) {
      this.cursor.next()
      const of = this.cursor.nested(() => this.unary(false))
      value = { kind: 'unary', line, operator: text as '-' | '+', of }
    } else value = this.primary()
    const full = this.postfix(value)
    return withFilter ? this.filtersAndTests(full) : full
  }

  /** A literal, a name or something in brackets. */
  primary(): Expression {
    const token = this.cursor.current
    const { line, text } = token
    switch (token.kind) {
      case 'name':
        this.cursor.next()
        return constants.has(text)
          ? { kind: 'const', line, value: constants.get(text)! }
          : { kind: 'name', line, name: text }
      case 'string':
        return { kind: 'const', line, value: this.adjacentStrings() }
      case 'number':
        this.cursor.next()
        return { kind: 'const', line, value: token.value! }
      default:
        return this.bracketed()
    }
  }
  private adjacentStrings(): string {
    let text = ''
    while (this.cursor.is('string')) text += this.cursor.next().text
    return text
  }
  private bracketed(): Expression {
    const { line } = this.cursor.current
    if (this.cursor.skipOperator('(')) {
      if (this.cursor.skipOperator(')')) return { kind: 'tuple', line, items: [] }
      const inner = this.tuple(() => this.expression())
      this.cursor.expectOperator(')')
      return inner
    }
    if (this.cursor.skipOperator('['))
      return { kind: 'list', line, items: this.commaList(']', () => this.expression()) }
    if (this.cursor.skipOperator('{'))
      return { kind: 'dict', line, members: this.commaList('}', () => this.dictMember()) }
    return this.cursor.fail(`unexpected '${describeToken(this.cursor.current)}'`)
  }
  private dictMember(): readonly [Expression, Expression] {
    const key = this.expression()
    this.cursor.expectOperator(':')
    return [key, this.expression()]
  }
  /** Elements up to the closing bracket; a trailing comma is fine. */
  private commaList<T>(close: string, element: () => T): T[] {
    const items: T[] = []
    while (!this.cursor.isOperator(close)) {
      items.push(element())
      if (!this.cursor.isOperator(close)) this.cursor.expectOperator(',')
    }
    this.cursor.next()
    return items
  }

  private postfix(value: Expression): Expression {
    let full = value
    for (;;) {
      if (this.cursor.isOperator('.')) full = this.attribute(full)
      else if (this.cursor.isOperator('[')) full = this.subscript(full)
      else if (this.cursor.isOperator('(')) full = this.call(full)
      else return full
    }
  }
  private attribute(of: Expression): Expression {
    const { line } = this.cursor.next()
    const token = this.cursor.next()
    if (token.kind === 'name') return { kind: 'attribute', line, of, name: token.text }
    if (token.kind !== 'number') this.cursor.fail('expected name or number', token.line)
    return { kind: 'item', line, of, key: { kind: 'const', line, value: token.value! } }
  }
  private subscript(of: Expression): Expression {
    const { line } = this.cursor.next()
    const keys = this.commaList(']', () => this.sliceOrExpression())
    const [first] = keys
    if (first === undefined) this.cursor.fail('Expected subscript expression', line)
    if (keys.length === 1 && !('kind' in first)) return { kind: 'slice', line, of, bounds: first }
    const items = keys.map(key =>
      'kind' in key ? key : this.cursor.fail('a slice cannot stand beside other keys', line),
    )
    const key: Expression = items.length === 1 ? items[0]! : { kind: 'tuple', line, items }
    return { kind: 'item', line, of, key }
  }
  /** `start:end:step` as its bounds, or one expression. */
  private sliceOrExpression(): Expression | readonly (Expression | undefined)[] {
    const first = this.isSliceGap() ? undefined : this.expression()
    if (!this.cursor.isOperator(':')) return first ?? this.cursor.fail('Expected subscript expression')
    const bounds = [first]
    while (bounds.length < 3 && this.cursor.skipOperator(':'))
      bounds.push(this.isSliceGap() ? undefined : this.expression())
    return bounds
  }
  private isSliceGap(): boolean {
    return [':', ']', ','].some(sign => this.cursor.isOperator(sign))
  }
  private call(of: Expression): Expression {
    const { line } = this.cursor.current
    return { kind: 'call', line, of, ...this.arguments() }
  }
  private arguments(): Arguments {
    this.cursor.expectOperator('(')
    const args: Expression[] = []
    const named: (readonly [string, Expression])[] = []
    let restArgs: Expression | undefined
    let restNamed: Expression | undefined
    const ensure = (isFine: boolean): void => {
      if (!isFine) this.cursor.fail('invalid syntax for function call expression')
    }
    this.commaList(')', () => {
      if (this.cursor.skipOperator('*')) {
        ensure(restArgs === undefined && restNamed === undefined)
        restArgs = this.expression()
      } else if (this.cursor.skipOperator('**')) {
        ensure(restNamed === undefined)
        restNamed = this.expression()
      } else if (this.cursor.is('name') && isAssign(this.cursor.following)) {
        ensure(restNamed === undefined)
        const { text } = this.cursor.next()
        this.cursor.next()
        named.push([text, this.expression()])
      } else {
        ensure(restArgs === undefined && restNamed === undefined && named.length === 0)
        args.push(this.expression())
      }
    })
    return { args, named, restArgs, restNamed }
  }

  private filtersAndTests(value: Expression): Expression {
    let full = value
    for (;;) {
      if (this.cursor.skipOperator('|')) full = this.filter(full)
      else if (this.cursor.skipName('is')) full = this.test(full)
      else if (this.cursor.isOperator('(')) full = this.call(full)
      else return full
    }
  }
  /** A filter's name may have dots: `ansible.builtin.to_json`. */
  private dottedName(): string {
    let name = this.cursor.expect('name').text
    while (this.cursor.skipOperator('.')) name += `.${this.cursor.expect('name').text}`
    return name
  }
  filter(of: Expression | undefined): FilterExpression {
    const { line } = this.cursor.current
    const name = this.dottedName()
    const given = this.cursor.isOperator('(') ? this.arguments() : { args: [], named: [] }
    return { kind: 'filter', line, of, name, ...given }
  }
  private test(of: Expression): Expression {
    const { line } = this.cursor.current
    const isNegated = this.cursor.skipName('not')
    const name = this.dottedName()
    const test: Expression = { kind: 'test', line, of, name, ...this.testArguments() }
    return isNegated ? { kind: 'unary', line, operator: 'not', of: test } : test
  }
  private testArguments(): Arguments {
    if (this.cursor.isOperator('(')) return this.arguments()
    const isStart =
      argumentStarts.includes(this.cursor.current.kind) ||
      ['[', '{'].some(open => this.cursor.isOperator(open))
    if (!isStart || this.cursor.isName('else', 'or', 'and', 'if')) return { args: [], named: [] }
    if (this.cursor.isName('is')) this.cursor.fail('You cannot chain multiple tests with is')
    return { args: [this.postfix(this.primary())], named: [] }
  }
}
function isAssign(token: { readonly kind: string; readonly text: string }): boolean {
  return token.kind === 'operator' && token.text === '='
}
