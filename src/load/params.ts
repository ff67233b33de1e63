import { type Problem, RotaError } from '../core/error.ts'
import type { Module } from '../core/module.ts'
import type { Param } from '../core/params.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, OMIT, Template, type Value } from '../core/value.ts'
import { coerce } from './coerce.ts'
import { renderDidYouMean } from './problem.ts'

/** What of a module its arguments are checked by. */
export type Signature = Pick<Module, 'name' | 'params' | 'rules' | 'freeForm' | 'otherParams'>

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
 * module_defaults or variables can add options), what is missing.
 */
export function checkLiterals(
  module: Signature,
  args: Dict,
  where: ArgsPlace,
  isComplete: boolean,
): readonly Problem[] {
  const check = new ArgsCheck(module, where)
  const given = check.resolve(args)
  const literals = new Map([...given].filter(([, { value }]) => !hasTemplate(value)))
  for (const [name, { written, value }] of literals)
    check.coerced(module.params[name] ?? module.otherParams!, name, written, value)
  if (isComplete) check.checkRequired(given)
  check.checkRules(literals, isComplete ? given : undefined)
  return check.problems
}

/** Whether a template stands anywhere in the value. */
export function hasTemplate(value: Value): boolean {
  if (value instanceof Template) return true
  if (Array.isArray(value)) return (value as readonly Value[]).some(hasTemplate)
  return isDict(value) && [...value.values()].some(hasTemplate)
}

class ArgsCheck {
  readonly problems: Problem[] = []
  readonly #module: Signature
  readonly #where: ArgsPlace

  constructor(module: Signature, where: ArgsPlace) {
    this.#module = module
    this.#where = where
  }

  /** Options by their own names. */
  resolve(args: Dict): Map<string, Given> {
    const names = ownNames(this.#module)
    const given = new Map<string, Given>()
    for (const [key, value] of args) {
      const written = String(key)
      const name = names.get(written) ?? (this.#module.otherParams ? written : undefined)
      if (name === undefined) this.#unknown(written, [...names.keys()])
      else if (value === OMIT || (value === null && names.has(written))) continue
      else if (given.has(name)) this.#twice(written, given.get(name)!.written)
      else given.set(name, { written, value })
    }
    return given
  }

  coerced(param: Param, name: string, written: string, value: Value): unknown {
    const result = coerce(param, name, value)
    if ('value' in result) return result.value
    this.#say(
      `${this.#module.name}: ${written} ${result.wrong}`,
      written,
      result.hint ?? `${written}: ${param.doc}`,
    )
    return undefined
  }

  checkRequired(given: ReadonlyMap<string, Given>): void {
    for (const [name, param] of Object.entries(this.#module.params))
      if ('required' in param && param.required && !given.has(name))
        this.#say(`${this.#module.name} needs ${name}`, undefined, `add ${name}: ${param.doc}`)
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
      if (both.length > 1) this.#rule(`takes only one of ${group.join(', ')}`, both[1]!, `remove ${both[1]}`)
    }
    if (all === undefined) return
    for (const group of requiredOneOf)
      if (!group.some(name => all.has(name)))
        this.#rule(`needs one of ${group.join(', ')}`, undefined, `add ${group[0]}`)
    for (const group of requiredTogether)
      this.#needs(
        group,
        group.find(name => sure.has(name)),
        all,
        '',
      )
    for (const [name, value, needed] of requiredIf) {
      const is = sure.get(name)?.value ?? defaultOf(this.#module.params[name])
      if (is !== undefined && String(is) === String(value))
        this.#needs(needed, name, all, ` is ${String(value)}`)
    }
  }

  #needs(
    needed: readonly string[],
    because: string | undefined,
    all: ReadonlyMap<string, Given>,
    is: string,
  ): void {
    const missing = needed.filter(name => !all.has(name))
    if (because === undefined || missing.length === 0) return
    this.#rule(
      `needs ${missing.join(', ')} when ${because}${is || ' is given'}`,
      because,
      `add ${missing[0]}`,
    )
  }

  #rule(words: string, name: string | undefined, hint: string): void {
    this.#say(`${this.#module.name} ${words}`, name, hint)
  }

  #unknown(written: string, known: readonly string[]): void {
    const hint = renderDidYouMean(written, known, `see rota doc ${this.#module.name}`)
    this.#say(`${this.#module.name} has no option ${written}`, written, hint)
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
