import { SecretTouched } from '../../core/secret.ts'
import type { Source } from '../../core/source.ts'
import { Fault, runtimeFault, shiftSource } from '../fault.ts'
import {
  Callable,
  isText,
  Markup,
  type Named,
  Nothing,
  noNamed,
  orElse,
  type Py,
  typeName,
  Undefined,
} from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import { bindArguments } from '../python/signature.ts'
import { escapeHtml, quoteText, toText } from '../python/text.ts'
import { tainting } from '../taint.ts'
import type { CompiledTemplate } from './compiled-template.ts'
import type { Frame } from './frame.ts'
import { type Filter, missingPlugin, plainName, type Test } from './language.ts'
import type { Session } from './session.ts'

/** How a body of statements ends early. */
export type Flow = 'break' | 'continue' | undefined
export type Evaluate = (frame: Frame) => Py
/** Puts the parts of a body's result into `out`. */
export type Execute = (frame: Frame, out: Py[]) => Flow

/** One template being rendered: its place, its blocks, what it sets at top level, and the way to everything outside. */
export class Runtime {
  readonly session: Session
  /** Where the template's first line stands. */
  readonly origin: Source | undefined
  private readonly variables: (name: string) => Py | undefined
  readonly exported = new Map<string, Py>()
  readonly blocks = new Map<string, Execute[]>()
  /** The template named by `extends`, once that statement has run. */
  parent: CompiledTemplate | undefined
  /** How much of the output stood before `extends`: all that is kept of it. */
  keptParts = 0
  line = 1
  isEscaping = false
  self: Py | undefined

  constructor(session: Session, origin: Source | undefined, variables: (name: string) => Py | undefined) {
    this.session = session
    this.origin = origin
    this.variables = variables
  }

  /** A name that is no local variable. */
  lookup(name: string): Py {
    const own = this.exported.get(name)
    const found = own === undefined ? this.variables(name) : own
    if (found !== undefined) return found
    if (name === 'self' && this.self !== undefined) return this.self
    return orElse(
      this.session.global(name, this),
      () => new Undefined(`'${name}' is undefined`, { variable: name }),
    )
  }

  filter(name: string): Filter {
    const filter = this.session.language.filters.get(plainName(name))
    if (!filter) throw missingPlugin(this.session.language, 'filter', name)
    return filter
  }
  test(name: string): Test {
    const test = this.session.language.tests.get(plainName(name))
    if (!test) throw missingPlugin(this.session.language, 'test', name)
    return test
  }
  applyFilter(name: string, filter: Filter, value: Py, args: readonly Py[], named: Named): Py {
    this.session.meter.step()
    return this.taintedCall(`filter ${quoteText(name)}`, value, args, named, (self, plainArgs, plainNamed) =>
      filter.run(self, bindArguments(name, filter.signature, plainArgs, plainNamed), this),
    )
  }
  applyTest(name: string, test: Test, value: Py, args: readonly Py[], named: Named): boolean {
    this.session.meter.step()
    const result = this.taintedCall(
      `test ${quoteText(name)}`,
      value,
      args,
      named,
      (self, plainArgs, plainNamed) =>
        test.run(self, bindArguments(name, test.signature, plainArgs, plainNamed), this),
    )
    return isTrue(result)
  }
  private taintedCall(
    what: string,
    value: Py,
    args: readonly Py[],
    named: Named,
    run: (value: Py, args: readonly Py[], named: Named) => Py,
  ): Py {
    return tainting(what, [value, args, named as ReadonlyMap<Py, Py>], ([self, plainArgs, plainNamed]) =>
      run(self!, plainArgs as readonly Py[], plainNamed as Named),
    )
  }
  call(callee: Py, args: readonly Py[], named: Named = noNamed): Py {
    this.session.meter.step()
    if (callee instanceof Callable) return callee.call(args, named)
    if (callee instanceof Undefined) callee.fail()
    throw runtimeFault(`'${typeName(callee)}' object is not callable`)
  }

  /** The result of a body: one part is itself, several are text, none is nothing. */
  concat(parts: readonly Py[]): Py {
    if (parts.length === 0) return null
    return parts.length === 1 ? parts[0]! : this.concatText(parts)
  }
  concatText(parts: readonly Py[]): Py {
    return tainting('the text of a template', parts, plain => {
      let text = ''
      for (const part of plain) {
        if (!(part instanceof Nothing)) text += toText(part)
        this.session.meter.checkOutput(text.length)
      }
      return text
    })
  }
  /** The result of a body as macros and set blocks give it: an empty one is an empty text. */
  capture(body: Execute, frame: Frame): Py {
    const out: Py[] = []
    body(frame, out)
    const result = this.concat(out)
    if (result === null && out.length === 0) return this.isEscaping ? new Markup('') : ''
    return this.isEscaping && isText(result) ? new Markup(toText(result)) : result
  }
  /** What `{{ value }}` adds to the output: of None nothing, as in Ansible (not in plain Jinja). */
  output(value: Py): Py {
    if (value instanceof Nothing || value === null) return ''
    if (value instanceof Undefined) value.fail()
    if (!this.isEscaping) return value
    return tainting('escaping', [value], ([plain]) =>
      plain instanceof Markup ? plain.html : escapeHtml(toText(plain)),
    )
  }

  /** Adds the place to a fault that has none yet. */
  locate(error: unknown): unknown {
    const fault = asFault(error)
    if (!(fault instanceof Fault)) return fault
    fault.line ??= this.line
    if (this.origin) fault.at ??= shiftSource(this.origin, fault.line)
    return fault
  }
}

/** A stack overflow of deeply nested data, or a secret where none can be, is the template's fault, too. */
export function asFault(error: unknown): unknown {
  if (error instanceof SecretTouched) return new Fault('runtime', 'a secret cannot be used here')
  if (error instanceof RangeError && /call stack/i.test(error.message))
    return new Fault('limit', 'the template or its data is nested too deeply')
  if (error instanceof RangeError && /string length/i.test(error.message))
    return new Fault('limit', 'the text is too long')
  return error
}
