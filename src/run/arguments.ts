import { problem, RotaError } from '../core/error.ts'
import type { Module } from '../core/module.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, Omit, Template, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { needsRendering } from './keyword.ts'
import { renderLabel } from './result.ts'

/** An option needs a variable that there is not. */
export class UndefinedOption extends RotaError {
  /** For the result. It begins as Ansible's, since rescues and assertions look for that. */
  get msg(): string {
    return `The task includes an option with an undefined variable. The error was: ${this.message}`
  }
}

type Signature = Pick<Module, 'params' | 'freeForm' | 'otherParams'>

/**
 * A task's options, rendered: `module_defaults` below its own, `omit` left out. What the module takes as an expression is passed on
 * as it stands. Throws UndefinedOption, and what the template throws.
 */
export function renderArguments(act: Act, name: string, module: Signature): Dict {
  try {
    return renderOptions(act, name, module)
  } catch (error) {
    throw error instanceof RotaError && error.code === 'E_UNDEFINED'
      ? new UndefinedOption(error.problems)
      : error
  }
}

function renderOptions(act: Act, name: string, module: Signature): Dict {
  const { task, keywords } = act.step.node
  const raw = new Map<Value, Value>()
  for (const defaults of keywords.moduleDefaults)
    for (const each of namesOf(name)) addDefaults(act, raw, defaults.get(each))
  addVariable(act, raw, name)
  for (const [key, value] of task.args) raw.set(renderKey(act, key, module), value)
  if (task.freeForm !== undefined) raw.set(requireFreeForm(act, name, module), task.freeForm)
  const unrendered = expressionsOf(module)
  const rendered = new Map<Value, Value>()
  for (const [key, value] of raw) {
    const member = unrendered.has(String(key))
      ? toExpression(value, task.argsAt.get(String(key)) ?? act.at)
      : needsRendering(value)
        ? act.templar.render(value, act.scope, isTextual(module, String(key)))
        : value
    if (!(member instanceof Omit)) rendered.set(key, member)
  }
  return rendered
}

/** Options of text get it as it was written, even when it looks like a list. */
function isTextual({ params, freeForm }: Pick<Module, 'params' | 'freeForm'>, key: string): boolean {
  const found = Object.entries(params).find(([name, { aliases }]) => name === key || aliases?.includes(key))
  return key === freeForm || (found !== undefined && /^(?:string|path|mode|text|secret)$/.test(found[1].type))
}

/** Options out of a variable; text that came from a target is data there, as everywhere. */
function addVariable(act: Act, raw: Map<Value, Value>, name: string): void {
  const { argsFrom } = act.step.node.task
  if (argsFrom === undefined) return
  const value = act.templar.render(argsFrom, act.scope)
  if (value === null || value instanceof Omit) return
  if (!isDict(value))
    throw problem('E_PARAMS', `the variable that holds the options of ${name} is no mapping`, {
      at: act.at,
      hint: `write ${name}: { option: value }`,
    })
  for (const [key, member] of value) raw.set(key, member)
}

/** The names of variables that set_fact and its like are given may be templates; those of options may not. */
function renderKey(act: Act, key: Value, { otherParams }: Pick<Module, 'otherParams'>): Value {
  if (!otherParams || typeof key !== 'string' || !key.includes('{{')) return key
  return act.templar.render(new Template(key, act.at), act.scope)
}

function requireFreeForm(act: Act, name: string, { freeForm }: Pick<Module, 'freeForm'>): string {
  if (freeForm !== undefined) return freeForm
  const text = renderLabel(act.templar.render(act.step.node.task.freeForm ?? '', act.scope))
  throw problem('E_PARAMS', `${name} takes options, and no text; invalid or malformed argument: '${text}'`, {
    at: act.at,
    hint: `write ${name}: { option: value }`,
  })
}

/** gather_facts does what setup does, and with its defaults. */
function namesOf(name: string): string[] {
  const names = name === 'gather_facts' ? ['setup', name] : [name]
  return names.flatMap(each => [each, `ansible.legacy.${each}`, `ansible.builtin.${each}`])
}

function addDefaults(act: Act, raw: Map<Value, Value>, defaults: Value | undefined): void {
  if (defaults === undefined) return
  const value = isDict(defaults) ? defaults : act.templar.render(defaults, act.scope)
  if (isDict(value)) for (const [key, member] of value) raw.set(key, member)
}

/** Not rendered, so its text is the operator's own and may be evaluated. */
function toExpression(value: Value, at: Source): Value {
  if (typeof value === 'string') return new Template(value, at)
  return Array.isArray(value) ? (value as readonly Value[]).map(each => toExpression(each, at)) : value
}

const expressions = new WeakMap<object, ReadonlySet<string>>()

function expressionsOf({ params }: Pick<Module, 'params'>): ReadonlySet<string> {
  let names = expressions.get(params)
  if (!names) {
    names = new Set(
      Object.entries(params).flatMap(([name, param]) =>
        param.type === 'expression' ? [name, ...(param.aliases ?? [])] : [],
      ),
    )
    expressions.set(params, names)
  }
  return names
}
