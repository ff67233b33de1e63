import { type Problem, RotaError } from '../core/error.ts'
import type { Module } from '../core/module.ts'
import type { Param } from '../core/params.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, OMIT, Template, type Value } from '../core/value.ts'
import { coerce } from './coerce.ts'
import { renderKind, selectNearest } from './problem.ts'

/** What of a module its arguments are checked by. */
export type Signature = Pick<
  Module,
  'name' | 'params' | 'rules' | 'missing' | 'refused' | 'freeForm' | 'otherParams'
>

/** Where a task's arguments stand. */
export interface ArgsPlace {
  readonly at: Source
  readonly argsAt?: ReadonlyMap<string, Source> | undefined
}

interface Given {
  /** The name as written: the option's own or an alias. */
  readonly written: string
  readonly value: Value
}

/**
 * Rendered options to the arguments a module gets: aliases resolved, coerced, defaults filled in. Options that are null or
 * omitted count as not given. Throws one RotaError E_PARAMS with every problem, each at its option's key.
 */
export function checkArgs(
  module: Signature,
  args: Dict,
  where: ArgsPlace,
): Readonly<Record<string, unknown>> {
  const check = new ArgsCheck(module, where)
  const given = check.resolve(args)
  const values: Record<string, unknown> = {}
  for (const [name, { written, value }] of given) {
    const param = module.params[name] ?? module.otherParams!
    values[name] = check.coerced(param, name, written, value)
  }
  check.checkRequired(given)
  check.checkRules(given, given)
  if (check.problems.length > 0) throw new RotaError(check.problems)
  for (const [name, param] of Object.entries(module.params))
    if (values[name] === undefined && 'default' in param && param.default !== undefined)
      values[name] = param.default
  return values
}

/**
 * What can be said of a task's options before anything is rendered: names, literals, and, when `isComplete` (no
 * module_defaults or variables can add options), what is missing. Of a task that is guarded nothing is said that Ansible would take.
 */
export function checkLiterals(
  module: Signature,
  args: Dict,
  where: ArgsPlace,
  { isComplete, isGuarded = false }: { readonly isComplete: boolean; readonly isGuarded?: boolean },
): readonly Problem[] {
  const check = new ArgsCheck(module, where, isGuarded)
  const given = check.resolve(args)
  const literals = new Map([...given].filter(([, { value }]) => !hasTemplate(value)))
  for (const [name, { written, value }] of literals)
    check.coerced(module.params[name] ?? module.otherParams!, name, written, value)
  if (isComplete) check.checkRequired(given)
  check.checkRules(literals, isComplete ? given : undefined)
  return check.problems
}

/** Whether a template stands anywhere in the value. */
function hasTemplate(value: Value): boolean {
  if (value instanceof Template) return true
  if (Array.isArray(value)) return (value as readonly Value[]).some(hasTemplate)
  return isDict(value) && [...value.values()].some(hasTemplate)
}

/** Of these Ansible speaks of options, of all others of parameters: they have no part that runs on the target. */
const controllerSide = new Set([
  'assert',
  'debug',
  'fail',
  'group_by',
  'import_role',
  'import_tasks',
  'include_role',
  'include_tasks',
  'reboot',
  'set_stats',
  'wait_for_connection',
])

/** What is wrong is said in the sentences that Ansible registers as `msg`: playbooks compare with them. */
class ArgsCheck {
  readonly problems: Problem[] = []
  readonly #module: Signature
  readonly #where: ArgsPlace
  readonly #isGuarded: boolean

  constructor(module: Signature, where: ArgsPlace, isGuarded = false) {
    this.#module = module
    this.#where = where
    this.#isGuarded = isGuarded
  }

  /** Options by their own names. */
  resolve(args: Dict): Map<string, Given> {
    const names = ownNames(this.#module)
    const given = new Map<string, Given>()
    for (const [key, value] of args) {
      const written = String(key)
      const name = names.get(written) ?? (this.#module.otherParams ? written : undefined)
      if (name === undefined) this.#unknown(written, names)
      else if (value === OMIT || (value === null && names.has(written))) continue
      else if (given.has(name)) this.#twice(written, given.get(name)!.written)
      else given.set(name, { written, value })
    }
    return given
  }

  coerced(param: Param, name: string, written: string, value: Value): unknown {
    const result = coerce(param, name, value)
    if ('value' in result) return result.value
    if (this.#isGuarded && result.isTaken) return undefined
    const { name: module } = this.#module
    const isRole = module === 'include_role' || module === 'import_role'
    this.#say(
      isRole && param.type === 'string'
        ? `Expected a string for ${written} but got ${renderKind(value)} instead`
        : `${module}: ${written} ${result.wrong}`,
      written,
      result.hint ?? `${written}: ${param.doc}`,
    )
    return undefined
  }

  checkRequired(given: ReadonlyMap<string, Given>): void {
    const missing = Object.entries(this.#module.params).filter(
      ([name, param]) => 'required' in param && param.required && !given.has(name),
    )
    if (missing.length === 0) return
    const names = missing.map(([name]) => name)
    const hint = missing.map(([name, { doc }]) => `add ${name}: ${doc}`).join('; ')
    const words = this.#module.missing?.[names[0]!]
    this.#say(words ?? `missing required arguments: ${names.sort().join(', ')}`, undefined, hint)
  }

  /** `sure` are the options that are certainly given; `all` those that may be, undefined when unknown. */
  checkRules(sure: ReadonlyMap<string, Given>, all: ReadonlyMap<string, Given> | undefined): void {
    const {
      mutuallyExclusive = [],
      requiredOneOf = [],
      requiredTogether = [],
      requiredIf = [],
    } = this.#module.rules ?? {}
    for (const group of mutuallyExclusive) {
      const both = group.filter(name => sure.has(name))
      if (both.length > 1)
        this.#say(`parameters are mutually exclusive: ${group.join('|')}`, both[1], `remove ${both[1]}`)
    }
    if (all === undefined) return
    for (const group of requiredOneOf)
      if (!group.some(name => all.has(name)))
        this.#say(
          this.#module.missing?.[group[0]!] ?? `one of the following is required: ${group.join(', ')}`,
          undefined,
          `add ${group[0]}`,
        )
    for (const group of requiredTogether)
      if (group.some(name => sure.has(name)))
        this.#needs(`parameters are required together: ${group.join(', ')}`, group, undefined, all)
    for (const [name, value, needed] of requiredIf) {
      const is = sure.get(name)?.value ?? defaultOf(this.#module.params[name])
      if (is !== undefined && String(is) === String(value))
        this.#needs(`${name} is ${String(value)} but all of the following are missing:`, needed, name, all)
    }
  }

  #needs(
    words: string,
    needed: readonly string[],
    because: string | undefined,
    all: ReadonlyMap<string, Given>,
  ): void {
    const missing = needed.filter(name => !all.has(name))
    if (missing.length === 0) return
    const message = words.endsWith(':') ? `${words} ${missing.join(', ')}` : words
    this.#say(message, because ?? needed.find(name => all.has(name)), `add ${missing[0]}`)
  }

  #unknown(written: string, names: ReadonlyMap<string, string>): void {
    const { name, refused = {} } = this.#module
    if (this.#isGuarded && Object.hasOwn(refused, written)) return
    const nearest = selectNearest(written, [...names.keys()])
    const hint =
      refused[written] ?? (nearest === undefined ? `see rota doc ${name}` : `did you mean ${nearest}?`)
    const known = [...new Set(names.values())].sort().join(', ')
    const words = controllerSide.has(name)
      ? `Invalid options for ${name}: ${written}`
      : `Unsupported parameters for (${name}) module: ${written}. Supported parameters include: ${known}.`
    this.#say(words, written, hint)
  }

  #twice(written: string, other: string): void {
    this.#say(
      `${this.#module.name}: ${written} and ${other} are the same option`,
      written,
      `remove ${written}`,
    )
  }

  #say(message: string, written: string | undefined, hint: string | undefined): void {
    const at = (written === undefined ? undefined : this.#where.argsAt?.get(written)) ?? this.#where.at
    this.problems.push({ code: 'E_PARAMS', message, at, hint: hint || undefined })
  }
}

function defaultOf(param: Param | undefined): unknown {
  return param && 'default' in param ? param.default : undefined
}

const namesOf = new WeakMap<Signature['params'], ReadonlyMap<string, string>>()

/** Every name and alias of a module's options, to the option's own name. */
function ownNames(module: Signature): ReadonlyMap<string, string> {
  const known = namesOf.get(module.params)
  if (known) return known
  const names = new Map<string, string>()
  for (const [name, { aliases = [] }] of Object.entries(module.params))
    for (const written of [name, ...aliases]) names.set(written, name)
  namesOf.set(module.params, names)
  return names
}
