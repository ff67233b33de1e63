import { closest, distance } from 'fastest-levenshtein'
import { type ErrorCode, problem } from '../core/error.ts'
import type { TemplateOptions } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'
import type { Templar } from '../core/templar.ts'
import { OMIT, type Scope, Template, type Value } from '../core/value.ts'
import { CompiledTemplate } from './compile/compiled-template.ts'
import { ExpressionCompiler } from './compile/expression-compiler.ts'
import { Frame } from './compile/frame.ts'
import { defaultLimits, type Limits, Meter } from './compile/limits.ts'
import { asFault, type Evaluate, Runtime } from './compile/runtime.ts'
import { type Compiler, Session, type World } from './compile/session.ts'
import { Fault, shiftSource } from './fault.ts'
import { splitHeader } from './header.ts'
import { language } from './language.ts'
import type { Lookup } from './lookups/lookup.ts'
import { lookups, runLookupFunction } from './lookups/lookups.ts'
import { isDict, isList, type Named, type Py } from './python/kinds.ts'
import { isTrue } from './python/order.ts'
import { toText } from './python/text.ts'
import { parseExpression } from './syntax/parser.ts'
import { defaultSyntax, type SyntaxOptions } from './syntax/rules.ts'

export interface TemplarOptions extends World {
  /** Lookups besides the built-in ones, by name. */
  readonly lookups?: ReadonlyMap<string, Lookup>
  readonly limits?: Partial<Limits>
  /** Milliseconds that only rise, for the deadline. */
  readonly clock?: () => number
}

/** The Templar, and lookups by name for `with_NAME`. */
export interface LookupTemplar extends Templar {
  /** The items of a lookup, as `with_NAME: terms` loops over them. Throws E_TEMPLATE or E_UNDEFINED. */
  runLookup(name: string, terms: Value, scope: Scope): readonly Value[]
}

/** Compiled templates kept; when there are more, all are dropped: a run has a few hundred. */
const MOST_CACHED = 5_000
function cached<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key)
  if (known !== undefined) return known
  if (cache.size >= MOST_CACHED) cache.clear()
  const made = make()
  cache.set(key, made)
  return made
}

/** Compiles once for all hosts. */
class CachingCompiler implements Compiler {
  readonly language = language
  private readonly templates = new Map<string, CompiledTemplate>()
  private readonly expressions = new Map<string, Evaluate>()
  private readonly lookups: ReadonlyMap<string, Lookup>
  constructor(extra: ReadonlyMap<string, Lookup>) {
    this.lookups = new Map([...lookups, ...extra])
  }
  playbookTemplate(text: string): CompiledTemplate {
    const syntax = { ...defaultSyntax, escapeBackslashes: true }
    return cached(this.templates, `\0${text}`, () => new CompiledTemplate(text, syntax, language))
  }
  fileTemplate(text: string, file: string, options: Partial<SyntaxOptions> = {}): CompiledTemplate {
    const header = splitHeader(text)
    const syntax = { ...defaultSyntax, ...options, ...header.options }
    return cached(
      this.templates,
      `${JSON.stringify(syntax)}\0${file}\0${header.body}`,
      () => new CompiledTemplate(header.body, syntax, language, file),
    )
  }
  expression(text: string): Evaluate {
    return cached(this.expressions, text, () =>
      new ExpressionCompiler(language).compile(parseExpression(text)),
    )
  }
  lookup(name: string, args: readonly Py[], named: Named, runtime: Runtime): readonly Py[] | undefined {
    return runLookupFunction(this.lookups, name, args, named, runtime)
  }
}

const codes: Readonly<Record<Fault['kind'], ErrorCode>> = {
  syntax: 'E_TEMPLATE',
  runtime: 'E_TEMPLATE',
  notFound: 'E_TEMPLATE',
  limit: 'E_TEMPLATE',
  undefined: 'E_UNDEFINED',
}

/** What to do about a fault that says no more itself. */
const hints: { readonly [K in Fault['kind']]?: string } = {
  syntax: 'check brackets, quotes and `|`; `==` compares, and every {% if %} and {% for %} has its end',
  runtime: 'look at the values: debug shows one, {{ NAME | type_debug }} its type',
  notFound: 'check the name, and the folder that it is looked for in',
  limit: 'look for a variable that names itself, and for a loop that is too long',
  undefined: "define it, or give it a default: {{ name | default('…') }}",
}

/** A name that is close enough to be what was meant: a third of its letters off, or the same letters in another order. */
function closeName(wanted: string, known: Iterable<string>): string | undefined {
  const names = [...known].filter(name => name !== wanted)
  if (names.length === 0) return undefined
  const name = closest(wanted, names)
  const reach = [...wanted].sort().join() === [...name].sort().join() ? 2 : Math.floor(wanted.length / 3)
  return distance(wanted, name) <= Math.max(1, reach) ? name : undefined
}

class JinjaTemplar implements LookupTemplar {
  private readonly options: TemplarOptions
  private readonly compiler: CachingCompiler
  constructor(options: TemplarOptions) {
    this.options = options
    this.compiler = new CachingCompiler(options.lookups ?? new Map())
  }

  render(value: Value, scope: Scope, keepsText = false): Value {
    if (typeof value !== 'object' || value === null || value instanceof Secret || value === OMIT) return value
    if (!(value instanceof Template) && !isList(value as Py) && !isDict(value as Py)) return value
    const at = value instanceof Template ? value.at : undefined
    return this.guarded(scope, at, session =>
      session.finalize(value instanceof Template ? session.render(value, keepsText) : value),
    )
  }

  evaluate(expression: Template, scope: Scope): Value {
    return this.guarded(scope, expression.at, session => {
      const runtime = new Runtime(session, expression.at, name => session.variable(name))
      try {
        return session.finalize(this.compiler.expression(expression.text)(new Frame(runtime, undefined)))
      } catch (error) {
        throw runtime.locate(error)
      }
    })
  }

  renderFile(text: string, file: string, scope: Scope, options: TemplateOptions = {}): string | Secret {
    const { newlineSequence, ...syntax } = options
    return this.guarded(scope, { file, line: 1, col: 1 }, session => {
      const template = this.compiler.fileTemplate(text, file, syntax)
      const shift = splitHeader(text).body === text ? 1 : 2
      const result = template.renderText(session, { file, line: shift, col: 1 })
      if (result instanceof Secret) return result
      const lines = toText(result)
      return newlineSequence === undefined || newlineSequence === '\n'
        ? lines
        : lines.replaceAll('\n', newlineSequence)
    })
  }

  isTrue(value: Value): boolean {
    return isTrue(value)
  }

  runLookup(name: string, terms: Value, scope: Scope): readonly Value[] {
    return this.guarded(scope, undefined, session => {
      const runtime = new Runtime(session, undefined, variable => session.variable(variable))
      const settled = session.settle(terms)
      const items = isList(settled) ? settled : [settled]
      const found = this.compiler.lookup(name, items, new Map(), runtime) ?? []
      return found.map(item => session.finalize(item))
    })
  }

  /** Runs with a session of its own; every fault becomes a RotaError with the best place known. */
  private guarded<T>(scope: Scope, at: Source | undefined, run: (session: Session) => T): T {
    const clock = this.options.clock ?? (() => performance.now())
    const meter = new Meter({ ...defaultLimits, ...this.options.limits }, clock)
    try {
      return run(new Session(scope, this.options, this.compiler, meter))
    } catch (error) {
      const fault = asFault(error)
      throw fault instanceof Fault ? this.problemOf(fault, scope, at) : fault
    }
  }
  private problemOf(fault: Fault, scope: Scope, at: Source | undefined): Error {
    const place = fault.at ?? (at && shiftSource(at, fault.line))
    // Only a variable can be one of the scope's names; a member of a dict cannot.
    const isVariable =
      fault.variable !== undefined && fault.message.endsWith(`'${fault.variable}' is undefined`)
    const known = fault.known?.() ?? (isVariable ? scope.names() : [])
    const close = fault.variable === undefined ? undefined : closeName(fault.variable, known)
    const hint = close === undefined ? hints[fault.kind] : `did you mean '${close}'?`
    return problem(codes[fault.kind], fault.message, { at: place, hint })
  }
}

/** The template engine. One for the whole run: compiled templates are shared by all hosts. */
export function createTemplar(options: TemplarOptions): LookupTemplar {
  return new JinjaTemplar(options)
}
