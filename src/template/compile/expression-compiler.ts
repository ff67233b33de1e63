import { Fault } from '../fault.ts'
import {
  add,
  divide,
  floorDivide,
  modulo,
  multiply,
  negate,
  positive,
  power,
  subtract,
} from '../python/arithmetic.ts'
import { dictOf, hashable, isEqual } from '../python/equality.ts'
import { isDict, Markup, type Named, Nothing, noNamed, type Py, tupleOf, typeName } from '../python/kinds.ts'
import { compare, contains, isTrue } from '../python/order.ts'
import { iterate, slice } from '../python/sequence.ts'
import { escapeHtml, toText } from '../python/text.ts'
import type { Arguments, Expression, FilterExpression } from '../syntax/ast.ts'
import { tainting } from '../taint.ts'
import { attributeOf, itemOf } from './access.ts'
import type { Frame } from './frame.ts'
import { type Language, missingPlugin, plainName } from './language.ts'
import type { Evaluate } from './runtime.ts'

type Binary = (a: Py, b: Py) => Py
const binaries: Readonly<Record<string, Binary>> = {
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '//': floorDivide,
  '%': modulo,
  '**': power,
}
const comparators: Readonly<Record<string, (a: Py, b: Py) => boolean>> = {
  '==': isEqual,
  '!=': (a, b) => !isEqual(a, b),
  '<': (a, b) => compare(a, b, '<') < 0,
  '<=': (a, b) => compare(a, b, '<=') <= 0,
  '>': (a, b) => compare(a, b, '>') > 0,
  '>=': (a, b) => compare(a, b, '>=') >= 0,
  in: (a, b) => contains(b, a),
  'not in': (a, b) => !contains(b, a),
}
const lookupNames: ReadonlySet<string> = new Set(['lookup', 'query', 'q'])
/**
 * `lookup('file', '{{ folder }}/name')`: what is written in quotes there is a template too, as in Ansible. Only what the template's author
 * wrote comes here, never a value.
 */
function templateOf(text: string): Evaluate {
  return ({ runtime: { session, origin } }) =>
    session.compiler
      .playbookTemplate(text)
      .renderNative(session, origin ?? { file: '', line: 1, col: 1 }, true)
}

type GivenArguments = readonly [readonly Py[], Named]
const noArguments: GivenArguments = [[], noNamed]

/** Turns expressions into closures. Unknown filters and tests are refused at once, except under a condition. */
export class ExpressionCompiler {
  private readonly language: Language
  private conditions = 0
  private lookups = 0
  constructor(language: Language) {
    this.language = language
  }

  /** Compiles something that may never be evaluated: names of filters and tests are then checked when it is. */
  conditionally<T>(compile: () => T): T {
    this.conditions++
    const result = compile()
    this.conditions--
    return result
  }

  compile(expression: Expression): Evaluate {
    switch (expression.kind) {
      case 'const': {
        const { value } = expression
        if (this.lookups > 0 && typeof value === 'string' && /\{\{.*\}\}/s.test(value))
          return templateOf(value)
        return () => value
      }
      case 'name': {
        const { name } = expression
        return frame => frame.get(name)
      }
      case 'attribute': {
        const of = this.compile(expression.of)
        const { name } = expression
        return frame => attributeOf(of(frame), name)
      }
      case 'item': {
        const [of, key] = [this.compile(expression.of), this.compile(expression.key)]
        return frame => itemOf(of(frame), key(frame))
      }
      case 'slice':
        return this.slice(expression)
      case 'call':
        return this.call(expression)
      case 'filter':
        return this.filter(expression)
      case 'test':
        return this.test(expression)
      default:
        return this.operation(expression)
    }
  }

  private operation(
    expression: Exclude<
      Expression,
      { kind: 'const' | 'name' | 'attribute' | 'item' | 'slice' | 'call' | 'filter' | 'test' }
    >,
  ): Evaluate {
    switch (expression.kind) {
      case 'and': {
        const [left, right] = [this.compile(expression.left), this.compile(expression.right)]
        return frame => {
          const value = left(frame)
          return isTrue(value) ? right(frame) : value
        }
      }
      case 'or': {
        const [left, right] = [this.compile(expression.left), this.compile(expression.right)]
        return frame => {
          const value = left(frame)
          return isTrue(value) ? value : right(frame)
        }
      }
      case 'unary':
        return this.unary(expression.operator, this.compile(expression.of))
      case 'binary': {
        const [left, right] = [this.compile(expression.left), this.compile(expression.right)]
        const { operator, line } = expression
        const operate = binaries[operator]!
        return frame => {
          frame.runtime.line = line
          return tainting(`'${operator}'`, [left(frame), right(frame)], ([a, b]) => operate(a, b))
        }
      }
      case 'concat':
        return this.concat(expression.parts)
      case 'compare':
        return this.compare(expression)
      case 'conditional':
        return this.conditional(expression)
      case 'list':
      case 'tuple': {
        const items = expression.items.map(item => this.compile(item))
        if (expression.kind === 'tuple') return frame => tupleOf(items.map(item => item(frame)))
        return frame => items.map(item => item(frame))
      }
      case 'dict': {
        const members = expression.members.map(
          ([key, value]) => [this.compile(key), this.compile(value)] as const,
        )
        return frame => dictOf(members.map(([key, value]) => [hashable(key(frame)), value(frame)] as const))
      }
    }
  }

  private unary(operator: 'not' | '-' | '+', of: Evaluate): Evaluate {
    if (operator === 'not') return frame => !isTrue(of(frame))
    const operate = operator === '-' ? negate : positive
    return frame => tainting(`'${operator}'`, [of(frame)], ([value]) => operate(value))
  }
  private concat(parts: readonly Expression[]): Evaluate {
    const compiled = parts.map(part => this.compile(part))
    return frame => {
      const values = compiled.map(part => part(frame))
      return tainting("'~'", values, plain => {
        if (!frame.runtime.isEscaping || !plain.some(value => value instanceof Markup))
          return plain.map(toText).join('')
        return new Markup(
          plain.map(value => (value instanceof Markup ? value.html : escapeHtml(toText(value)))).join(''),
        )
      })
    }
  }
  private compare(expression: Expression & { kind: 'compare' }): Evaluate {
    const first = this.compile(expression.first)
    const rest = expression.rest.map(({ operator, operand }) => ({
      holds: comparators[operator]!,
      operand: this.compile(operand),
    }))
    const { line } = expression
    return frame => {
      let left = first(frame)
      for (const { holds, operand } of rest) {
        const right = operand(frame)
        frame.runtime.line = line
        if (!isTrue(tainting('a comparison', [left, right], ([a, b]) => holds(a, b)))) return false
        left = right
      }
      return true
    }
  }
  private conditional(expression: Expression & { kind: 'conditional' }): Evaluate {
    return this.conditionally(() => {
      const [test, then] = [this.compile(expression.test), this.compile(expression.then)]
      const otherwise = expression.otherwise
        ? this.compile(expression.otherwise)
        : () => new Nothing('the inline if-expression evaluated to false and no else section was defined')
      return frame => (isTrue(test(frame)) ? then(frame) : otherwise(frame))
    })
  }
  private slice(expression: Expression & { kind: 'slice' }): Evaluate {
    const of = this.compile(expression.of)
    const bounds = expression.bounds.map(bound => (bound ? this.compile(bound) : () => null))
    return frame => {
      const [start = null, end = null, step = null] = bounds.map(bound => bound(frame))
      return tainting('a slice', [of(frame), start, end, step], args => slice(...args))
    }
  }
  private call(expression: Expression & { kind: 'call' }): Evaluate {
    const of = this.compile(expression.of)
    const isLookup = expression.of.kind === 'name' && lookupNames.has(expression.of.name)
    if (isLookup) this.lookups++
    const given = this.arguments(expression)
    if (isLookup) this.lookups--
    const { line } = expression
    return frame => {
      const callee = of(frame)
      const [args, named] = given(frame)
      frame.runtime.line = line
      return frame.runtime.call(callee, args, named)
    }
  }

  private filter(expression: FilterExpression): Evaluate {
    const of = expression.of === undefined ? () => null : this.compile(expression.of)
    const apply = this.filterStep(expression)
    return frame => apply(frame, of(frame))
  }
  /** One filter, without what it is applied to. */
  private filterStep(expression: FilterExpression): (frame: Frame, value: Py) => Py {
    const { name, line } = expression
    const filter = this.language.filters.get(plainName(name))
    if (!filter && this.conditions === 0) throw missingPlugin(this.language, 'filter', name, { line })
    const given = this.arguments(expression)
    return (frame, value) => {
      const [args, named] = given(frame)
      frame.runtime.line = line
      return frame.runtime.applyFilter(name, filter ?? frame.runtime.filter(name), value, args, named)
    }
  }
  /** The filters of `{% filter a | b %}`, applied to the body's text. */
  filterChain(chain: FilterExpression | undefined): (frame: Frame, value: Py) => Py {
    if (chain === undefined) return (_frame, value) => value
    const inner = this.filterChain(chain.of as FilterExpression | undefined)
    const apply = this.filterStep(chain)
    return (frame, value) => apply(frame, inner(frame, value))
  }
  private test(expression: Expression & { kind: 'test' }): Evaluate {
    const { name, line } = expression
    const test = this.language.tests.get(plainName(name))
    if (!test && this.conditions === 0) throw missingPlugin(this.language, 'test', name, { line })
    const of = this.compile(expression.of)
    const given = this.arguments(expression)
    return frame => {
      const value = of(frame)
      const [args, named] = given(frame)
      frame.runtime.line = line
      return frame.runtime.applyTest(name, test ?? frame.runtime.test(name), value, args, named)
    }
  }

  arguments(given: Arguments): (frame: Frame) => GivenArguments {
    const args = given.args.map(arg => this.compile(arg))
    const named = given.named.map(([name, value]) => [name, this.compile(value)] as const)
    const restArgs = given.restArgs && this.compile(given.restArgs)
    const restNamed = given.restNamed && this.compile(given.restNamed)
    if (args.length + named.length === 0 && !restArgs && !restNamed) return () => noArguments
    return frame => {
      const values = args.map(arg => arg(frame))
      if (restArgs) values.push(...iterate(restArgs(frame)))
      if (named.length === 0 && !restNamed) return [values, noNamed]
      const names = new Map<string, Py>(named.map(([name, value]) => [name, value(frame)]))
      if (restNamed)
        for (const [name, value] of dictArgument(restNamed(frame))) names.set(toText(name), value)
      return [values, names]
    }
  }
}
function dictArgument(value: Py): ReadonlyMap<Py, Py> {
  if (isDict(value)) return value
  throw new Fault('runtime', `argument after ** must be a mapping, not ${typeName(value)}`)
}
