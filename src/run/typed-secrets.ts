import type { Module } from '../core/module.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import type { TaskResult } from './result.ts'

/** Shorter ones would blank ordinary text; the redactor knows none of these either. */
const SHORTEST = 4
const MASK = '********'

/** What was given in plain for options that are secret. A Secret among them is the redactor's. */
function typedSecrets({ params }: Pick<Module, 'params'>, given: Dict): readonly string[] {
  return Object.entries(params)
    .filter(([, { type }]) => type === 'secret')
    .flatMap(([name, { aliases = [] }]) => [name, ...aliases])
    .map(name => given.get(name))
    .flatMap(value => (typeof value === 'string' || typeof value === 'number' ? [String(value)] : []))
    .filter(text => text.length >= SHORTEST)
    .sort((a, b) => b.length - a.length)
}

/** The result without them, as Ansible takes out what its modules' `no_log` options hold: whatever answers may repeat them. */
export function withoutTyped(result: TaskResult, module: Pick<Module, 'params'>, given: Dict): TaskResult {
  const texts = typedSecrets(module, given)
  if (texts.length === 0) return result
  const cleanText = (text: string): string => texts.reduce((left, each) => left.replaceAll(each, MASK), text)
  const clean = (value: Value): Value => {
    if (typeof value === 'string') return cleanText(value)
    if (Array.isArray(value)) return (value as readonly Value[]).map(clean)
    if (!isDict(value)) return value
    return new Map([...value].map(([key, member]) => [clean(key), clean(member)]))
  }
  return {
    ...result,
    // Names of the result's own members are the module's, and are looked for in playbooks.
    values: new Map([...result.values].map(([name, value]) => [name, clean(value)])),
    ...(result.message === undefined ? {} : { message: cleanText(result.message) }),
  }
}
