import type { Module } from '../core/module.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, Omit, Template, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { needsRendering } from './keyword.ts'

/**
 * A task's options, rendered: `module_defaults` below its own, `omit` left out. What the module takes as an expression is passed on
 * as it stands.
 */
export function renderArguments(
  act: Act,
  name: string,
  module: Pick<Module, 'params' | 'freeForm' | 'otherParams'>,
): Dict {
  const { task, keywords } = act.step.node
  const raw = new Map<Value, Value>()
  for (const defaults of keywords.moduleDefaults)
    for (const each of [name, `ansible.builtin.${name}`, `ansible.legacy.${name}`])
      addDefaults(act, raw, defaults.get(each))
  for (const [key, value] of task.args) raw.set(key, value)
  if (task.freeForm !== undefined && module.freeForm !== undefined) raw.set(module.freeForm, task.freeForm)
  const unrendered = expressionsOf(module)
  const rendered = new Map<Value, Value>()
  for (const [key, value] of raw) {
    const member = unrendered.has(String(key))
      ? toExpression(value, task.argsAt.get(String(key)) ?? act.at)
      : needsRendering(value)
        ? act.templar.render(value, act.scope)
        : value
    if (!(member instanceof Omit)) rendered.set(key, member)
  }
  return rendered
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
