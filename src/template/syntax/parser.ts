import type {
  AssignTarget,
  BlockStatement,
  Body,
  Expression,
  FilterExpression,
  Parameter,
  Statement,
  TemplateAst,
} from './ast.ts'
import { Cursor, describeToken } from './cursor.ts'
import { ExpressionParser, isConstantName } from './expression-parser.ts'
import { type Token, tokenize, tokenizeExpression } from './lexer.ts'
import type { SyntaxOptions } from './rules.ts'

/** Jinja2's statements. Expressions are the ExpressionParser's. */
class StatementParser {
  private readonly cursor: Cursor
  private readonly expressions: ExpressionParser
  private readonly blocks = new Map<string, BlockStatement>()
  /** Tags that are open, outermost first, and the tags that would close each. */
  private readonly open: { readonly tag: string; readonly ends: readonly string[] }[] = []
  private readonly statements: Readonly<Record<string, (line: number) => Statement | readonly Statement[]>> =
    {
      for: line => this.for(line),
      if: line => this.if(line),
      set: line => this.set(line),
      macro: line => this.macro(line),
      call: line => this.call(line),
      filter: line => ({ kind: 'filterBlock', line, filters: this.filterChain(), body: this.body('filter') }),
      with: line => this.with(line),
      block: line => this.block(line),
      extends: line => ({ kind: 'extends', line, template: this.expression() }),
      include: line => this.include(line),
      import: line => this.import(line),
      from: line => this.from(line),
      print: line => this.print(line),
      autoescape: line => ({
        kind: 'autoescape',
        line,
        value: this.expression(),
        body: this.body('autoescape'),
      }),
      do: line => ({ kind: 'do', line, value: this.tuple() }),
      break: line => ({ kind: 'break', line }),
      continue: line => ({ kind: 'continue', line }),
    }

  constructor(tokens: readonly Token[]) {
    this.cursor = new Cursor(tokens)
    this.expressions = new ExpressionParser(this.cursor)
  }

  template(): TemplateAst {
    const body = this.statementsUntil([])
    return { body, blocks: this.blocks }
  }

  private expression(): Expression {
    return this.expressions.expression()
  }
  private tuple(): Expression {
    return this.expressions.tuple(() => this.expression())
  }

  private statementsUntil(ends: readonly string[]): Body {
    const body: Statement[] = []
    for (;;) {
      const { kind, line, text } = this.cursor.current
      if (kind === 'eof') {
        if (ends.length > 0) this.cursor.fail(`Unexpected end of template. ${this.lookingFor()}`)
        return body
      }
      this.cursor.next()
      if (kind === 'data') body.push({ kind: 'data', line, text })
      else if (kind === 'variable_begin') {
        body.push({ kind: 'output', line, value: this.tuple() })
        this.cursor.expect('variable_end')
      } else {
        if (this.cursor.isName(...ends)) return body
        body.push(...[this.statement()].flat())
        this.cursor.expect('block_end')
      }
    }
  }
  private statement(): Statement | readonly Statement[] {
    const { text, line } = this.cursor.expect('name')
    const parse = Object.hasOwn(this.statements, text) ? this.statements[text] : undefined
    if (parse === undefined) this.cursor.fail(this.unknownTag(text), line)
    return this.cursor.nested(() => parse(line))
  }
  private unknownTag(tag: string): string {
    const isMisplaced = this.open.some(({ ends }) => ends.includes(tag))
    const mistake = isMisplaced ? ' You probably made a nesting mistake.' : ''
    return `Encountered unknown tag '${tag}'.${mistake} ${this.lookingFor()}`.trimEnd()
  }
  private lookingFor(): string {
    const innermost = this.open.at(-1)
    if (innermost === undefined) return ''
    const ends = innermost.ends.map(end => `'${end}'`).join(' or ')
    return `Jinja was looking for the following tags: ${ends}. The innermost block that needs to be closed is '${innermost.tag}'.`
  }

  /** The statements up to one of the tags, which is left to be read. */
  private bodyUntil(tag: string, ends: readonly string[]): Body {
    this.cursor.skipOperator(':')
    this.cursor.expect('block_end')
    this.open.push({ tag, ends })
    const body = this.statementsUntil(ends)
    this.open.pop()
    return body
  }
  private body(tag: string): Body {
    const body = this.bodyUntil(tag, [`end${tag}`])
    this.cursor.next()
    return body
  }

  private for(line: number): Statement {
    const target = this.target(() => this.cursor.isName('in'))
    this.cursor.expectName('in')
    const items = this.expressions.tuple(
      () => this.expressions.unconditional(),
      () => this.cursor.isName('recursive'),
    )
    const test = this.cursor.skipName('if') ? this.expression() : undefined
    const isRecursive = this.cursor.skipName('recursive')
    const body = this.bodyUntil('for', ['endfor', 'else'])
    const otherwise = this.cursor.next().text === 'else' ? this.body('for') : []
    return { kind: 'for', line, target, items, test, isRecursive, body, otherwise }
  }
  private if(line: number): Statement {
    const arms: { test: Expression; body: Body }[] = []
    let end = 'elif'
    while (end === 'elif') {
      const test = this.expressions.tuple(() => this.expressions.unconditional())
      arms.push({ test, body: this.bodyUntil('if', ['elif', 'else', 'endif']) })
      end = this.cursor.next().text
    }
    return { kind: 'if', line, arms, otherwise: end === 'else' ? this.body('if') : [] }
  }
  private set(line: number): Statement {
    const target = this.cursor.following.text === '.' ? this.namespaceTarget() : this.target(() => false)
    if (this.cursor.skipOperator('=')) return { kind: 'set', line, target, value: this.tuple() }
    const filters = this.cursor.skipOperator('|') ? this.filterChain() : undefined
    return { kind: 'setBlock', line, target, filters, body: this.body('set') }
  }
  private macro(line: number): Statement {
    const name = this.assignName()
    return { kind: 'macro', line, name, parameters: this.parameters(), body: this.body('macro') }
  }
  private call(line: number): Statement {
    const parameters = this.cursor.isOperator('(') ? this.parameters() : []
    const call = this.expression()
    if (call.kind !== 'call') this.cursor.fail('expected call', line)
    return { kind: 'callBlock', line, parameters, call, body: this.body('call') }
  }
  private parameters(): readonly Parameter[] {
    const parameters: Parameter[] = []
    this.cursor.expectOperator('(')
    while (!this.cursor.skipOperator(')')) {
      if (parameters.length > 0) this.cursor.expectOperator(',')
      const name = this.assignName()
      const fallback = this.cursor.skipOperator('=') ? this.expression() : undefined
      if (fallback === undefined && parameters.some(parameter => parameter.fallback))
        this.cursor.fail('non-default argument follows default argument')
      parameters.push({ name, fallback })
    }
    return parameters
  }
  private filterChain(): FilterExpression {
    let chain = this.expressions.filter(undefined)
    while (this.cursor.skipOperator('|')) chain = this.expressions.filter(chain)
    return chain
  }
  private with(line: number): Statement {
    const assigns: { target: AssignTarget; value: Expression }[] = []
    while (!this.cursor.is('block_end')) {
      if (assigns.length > 0) this.cursor.expectOperator(',')
      const target = this.target(() => false)
      this.cursor.expectOperator('=')
      assigns.push({ target, value: this.expression() })
    }
    return { kind: 'with', line, assigns, body: this.body('with') }
  }
  private block(line: number): Statement {
    const name = this.cursor.expect('name').text
    const isScoped = this.cursor.skipName('scoped')
    const isRequired = this.cursor.skipName('required')
    if (this.cursor.isOperator('-'))
      this.cursor.fail('a block name has no hyphens; use an underscore instead')
    if (this.blocks.has(name)) this.cursor.fail(`block '${name}' defined twice`, line)
    this.blocks.set(name, { kind: 'block', line, name, isScoped, isRequired, body: [] })
    const block: BlockStatement = {
      kind: 'block',
      line,
      name,
      isScoped,
      isRequired,
      body: this.body('block'),
    }
    this.blocks.set(name, block)
    this.cursor.skipName(name)
    if (isRequired && !block.body.every(part => part.kind === 'data' && part.text.trim() === ''))
      this.cursor.fail('Required blocks can only contain comments or whitespace', line)
    return block
  }
  private include(line: number): Statement {
    const template = this.expression()
    const ignoreMissing = this.cursor.isName('ignore') && this.cursor.following.text === 'missing'
    if (ignoreMissing) {
      this.cursor.next()
      this.cursor.next()
    }
    return { kind: 'include', line, template, ignoreMissing, withContext: this.contextModifier() ?? true }
  }
  private import(line: number): Statement {
    const template = this.expression()
    this.cursor.expectName('as')
    const name = this.assignName()
    return { kind: 'import', line, template, name, withContext: this.contextModifier() ?? false }
  }
  private from(line: number): Statement {
    const template = this.expression()
    this.cursor.expectName('import')
    const names: { name: string; as: string }[] = []
    let withContext = this.contextModifier()
    while (withContext === undefined && (names.length === 0 || this.cursor.skipOperator(','))) {
      withContext = this.contextModifier()
      if (withContext !== undefined) break
      const name = this.cursor.expect('name').text
      if (name.startsWith('_')) this.cursor.fail('names starting with an underline can not be imported')
      names.push({ name, as: this.cursor.skipName('as') ? this.cursor.expect('name').text : name })
      withContext = this.contextModifier()
    }
    return { kind: 'from', line, template, names, withContext: withContext ?? false }
  }
  private contextModifier(): boolean | undefined {
    if (!this.cursor.isName('with', 'without') || this.cursor.following.text !== 'context') return undefined
    const isWith = this.cursor.next().text === 'with'
    this.cursor.next()
    return isWith
  }
  private print(line: number): readonly Statement[] {
    const outputs: Statement[] = []
    while (!this.cursor.is('block_end')) {
      if (outputs.length > 0) this.cursor.expectOperator(',')
      outputs.push({ kind: 'output', line, value: this.expression() })
    }
    return outputs
  }

  private assignName(): string {
    const { text, line } = this.cursor.expect('name')
    if (isConstantName(text)) this.cursor.fail(`can't assign to '${text}'`, line)
    return text
  }
  private namespaceTarget(): AssignTarget {
    const { line } = this.cursor.current
    const name = this.assignName()
    this.cursor.next()
    return { kind: 'namespace', line, name, attribute: this.cursor.expect('name').text }
  }
  private target(isEnd: () => boolean): AssignTarget {
    return this.assignable(this.expressions.tuple(() => this.expressions.primary(), isEnd))
  }
  private assignable(expression: Expression): AssignTarget {
    const { line } = expression
    if (expression.kind === 'name') return { kind: 'name', line, name: expression.name }
    if (expression.kind === 'tuple')
      return { kind: 'tuple', line, items: expression.items.map(item => this.assignable(item)) }
    return this.cursor.fail(`can't assign to '${describeToken(this.cursor.current)}'`, line)
  }
}

/** Reads a template. Faults with kind `syntax` and the line. */
export function parseTemplate(source: string, options: SyntaxOptions): TemplateAst {
  return new StatementParser(tokenize(source, options)).template()
}

/** Reads a bare expression, all of it. Faults with kind `syntax`. */
export function parseExpression(source: string): Expression {
  const cursor = new Cursor(tokenizeExpression(source))
  cursor.expect('variable_begin')
  const expression = new ExpressionParser(cursor).expression()
  if (!cursor.is('variable_end'))
    cursor.fail(`expected the end of the expression, got '${describeToken(cursor.current)}'`)
  cursor.next()
  if (!cursor.is('eof')) cursor.fail('expected the end of the expression')
  return expression
}
