import { isDict, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { renderJson, type TaskResult } from './result.ts'

/** The modules that gather facts, by the variable `ansible_facts_modules` or the configuration; undefined: `setup` alone, as by default. */
export function selectFactModules(act: Act): readonly string[] | undefined {
  const value = act.scope.get('ansible_facts_modules') ?? act.run.deps.settings.factsModules
  if (value === undefined) return undefined
  const rendered = act.templar.render(value, act.scope)
  const names = (Array.isArray(rendered) ? (rendered as readonly Value[]) : [rendered]).map(name =>
    String(name).replace(/^(?:smart|ansible\.(?:builtin|legacy)\.setup)$/, 'setup'),
  )
  return names.every(name => name === 'setup') ? undefined : names
}

/** The results of several such modules as one: the first that failed, else the facts of all. */
export function mergeGathered(results: readonly TaskResult[]): TaskResult {
  const [first] = results
  const failed = results.find(result => result.status !== 'ok')
  if (failed || !first) return failed ?? { status: 'ok', changed: false, values: new Map() }
  const gathered = results.map(result => result.facts ?? new Map<string, Value>()).reduce(mergeFacts)
  const facts = new Map([...gathered, ['_ansible_facts_gathered', true as Value]])
  return { ...first, facts, values: new Map([...first.values, ['ansible_facts', facts]]) }
}

/** The later one wins; dicts are merged, and of two lists the later one's members come once, at the end, as in Ansible. */
function mergeFacts(
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value> {
  const merged = new Map(before)
  for (const [name, value] of after) merged.set(name, mergeFact(before.get(name), value))
  return merged
}

function mergeFact(before: Value | undefined, after: Value): Value {
  if (isDict(before) && isDict(after))
    return new Map([
      ...before,
      ...[...after].map(([key, value]) => [key, mergeFact(before.get(key), value)] as const),
    ])
  if (!Array.isArray(before) || !Array.isArray(after)) return after
  const later = new Set((after as readonly Value[]).map(renderJson))
  return [
    ...(before as readonly Value[]).filter(each => !later.has(renderJson(each))),
    ...(after as readonly Value[]),
  ]
}
