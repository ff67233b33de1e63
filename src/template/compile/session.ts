import { Secret } from '../../core/secret.ts'
import { OMIT, type Scope, Template, Unopened, type Value } from '../../core/value.ts'
import { Fault, limitFault, runtimeFault } from '../fault.ts'
import { setMember } from '../python/equality.ts'
import {
  Callable,
  isDict,
  isList,
  isText,
  Markup,
  type Named,
  type Py,
  Thing,
  Undefined,
} from '../python/kinds.ts'
import { lazyContainer } from '../python/lazy.ts'
import { toText } from '../python/text.ts'
import type { SyntaxOptions } from '../syntax/rules.ts'
import type { CompiledTemplate } from './compiled-template.ts'
import type { Language } from './language.ts'
import type { Meter } from './limits.ts'
import { asFault, type Runtime } from './runtime.ts'

/** A template that only names a variable: one that holds null stays null; what any other expression has of None is an empty text. */
const PLAIN_NAME = /^\{\{\s*(\w+)\s*\}\}$/

/** What the machine and the other parts of rota give to templates. */
export interface World {
  readonly now: () => Date
  /** A float from 0 (included) to 1 (excluded). */
  readonly random: () => number
  readonly parseYaml: (text: string, file: string) => Value
  readonly parseYamlAll: (text: string, file: string) => readonly Value[]
  readonly dumpYaml: (value: Value, style: YamlStyle) => string
  readonly env: (name: string) => string | undefined
  /** The text of a file that is an ansible-vault. Throws E_VAULT. */
  readonly openVault?: (armored: string, file: string) => string
  /** A text sealed with a password as ansible-vault seals a file. Without `salt` it is random. */
  readonly sealVault?: (
    text: string,
    password: string,
    options: { readonly salt?: string | undefined; readonly label: string },
  ) => string
  /** The plain text; undefined: another password sealed it. Throws E_VAULT for what is damaged. */
  readonly openSealed?: (armored: string, password: string) => string | undefined
  /** Told of every file that a template or lookup reads, before it is read. May throw. */
  readonly onFile?: (path: string) => void
  /** Takes a message for the operator that is no failure. */
  readonly warn?: (message: string) => void
}
/** How YAML is written: `indent` blanks a level; flow style for inner containers of scalars when `isFlow`. */
export interface YamlStyle {
  readonly indent: number
  readonly isFlow: boolean
  readonly sortKeys: boolean
  readonly width: number
}

/** The compiler and its cache, as a session needs them. */
export interface Compiler {
  readonly language: Language
  /** A value of a playbook: `{{ }}` doubles backslashes. */
  playbookTemplate(text: string): CompiledTemplate
  fileTemplate(text: string, file: string, syntax?: Partial<SyntaxOptions>): CompiledTemplate
  /** undefined: it failed, and was asked to do so quietly. */
  lookup(name: string, args: readonly Py[], named: Named, runtime: Runtime): readonly Py[] | undefined
}

const DEEPEST_RESULT = 200
const LONGEST_LEAD = 200

/** A template whose text is secret: neither what it renders to nor a message about it shows that text. */
export function hideTemplate(label: string, render: () => Py): Py {
  let value: Py
  try {
    value = render()
  } catch (error) {
    const fault = asFault(error)
    if (!(fault instanceof Fault) || fault.kind === 'undefined') throw fault
    throw new Fault(fault.kind, `the template of ${label}, which is in a vault, cannot be evaluated`)
  }
  if (isText(value)) return new Secret(toText(value), label)
  if (isList(value) || isDict(value))
    throw runtimeFault(
      `the template of ${label}, which is in a vault, makes a list or mapping: write it as YAML`,
    )
  return value
}

/** One evaluation for one scope: variables are evaluated at most once in it, and its cost is counted. */
export class Session {
  readonly scope: Scope
  readonly world: World
  readonly compiler: Compiler
  readonly meter: Meter
  private readonly known = new Map<string, Py>()
  private readonly lazy = new WeakSet<object>()
  private readonly globals = new Map<string, Py>()
  /** Files read by include and lookups, by path. */
  readonly files = new Map<string, string>()

  constructor(scope: Scope, world: World, compiler: Compiler, meter: Meter) {
    this.scope = scope
    this.world = world
    this.compiler = compiler
    this.meter = meter
  }
  get language(): Language {
    return this.compiler.language
  }

  /** A variable of the scope, evaluated; undefined: there is none. */
  variable(name: string): Py | undefined {
    const known = this.known.get(name)
    if (known !== undefined) return known
    const raw = this.scope.get(name)
    if (raw === undefined) return undefined
    const value = this.settle(raw)
    this.known.set(name, value)
    return value
  }
  /** An arrow function, since lazy containers keep it. */
  readonly settle = (value: Py): Py => {
    if (value instanceof Template) return this.evaluate(value)
    return isList(value) || isDict(value) ? lazyContainer(value, this.settle, this.lazy) : value
  }
  /** A template of the playbook's; one that uses something undefined is itself undefined. */
  private evaluate(template: Template): Py {
    try {
      return this.render(template)
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'undefined') throw error
      // As in Ansible the message names the template that something was missing in.
      const lead = template.secretLabel === undefined ? `${template.text.slice(0, LONGEST_LEAD)}: ` : ''
      return new Undefined(`${lead}${error.message}`, error)
    }
  }
  render(template: Template, keepsText = false): Py {
    if (template instanceof Unopened) throw template.reason
    const { text, secretLabel: label } = template
    const render = (name: string): Py => {
      const value = this.meter.deeper(`a recursive loop: the template ${name}`, () =>
        this.compiler.playbookTemplate(text).renderNative(this, template.at, keepsText),
      )
      const isNull = value === '' && this.scope.get(PLAIN_NAME.exec(text)?.[1] ?? '') === null
      return isNull ? null : value
    }
    return label === undefined
      ? render(JSON.stringify(text.slice(0, 80)))
      : hideTemplate(label, () => render(`of ${label}`))
  }

  global(name: string, runtime: Runtime): Py | undefined {
    const known = this.globals.get(name)
    if (known !== undefined) return known
    const value = this.language.globals.get(name)?.(runtime)
    if (value !== undefined) this.globals.set(name, value)
    return value
  }

  /** A result as plain data: everything lazy evaluated, everything undefined refused, `omit` members dropped. */
  finalize(value: Py, depth = 0): Value {
    if (typeof value !== 'object' || value === null || value === OMIT) return value as Value
    if (depth > DEEPEST_RESULT) throw limitFault('the result is nested too deeply')
    if (value instanceof Template) return this.finalize(this.render(value), depth + 1)
    // As in Ansible a tuple that leaves a template is a list: data knows no tuples.
    if (isList(value)) return value.map(item => this.finalize(item, depth + 1)).filter(item => item !== OMIT)
    if (isDict(value)) return this.finalizeDict(value, depth + 1)
    return value instanceof Thing ? this.finalizeThing(value) : (value as Value)
  }
  private finalizeDict(dict: ReadonlyMap<Py, Py>, depth: number): Value {
    const result = new Map<Py, Py>()
    for (const [key, member] of dict) {
      const value = this.finalize(member, depth)
      if (value !== OMIT) setMember(result, this.finalize(key, depth), value)
    }
    return result as ReadonlyMap<Py, Py> as ReadonlyMap<Value, Value>
  }
  private finalizeThing(thing: Thing): Value {
    if (thing instanceof Undefined) return thing.fail()
    if (thing instanceof Markup) return thing.html
    if (thing instanceof Callable)
      throw runtimeFault(`the result is the function '${thing.name}' and no data; call it with ( )`)
    return thing.text()
  }
}
