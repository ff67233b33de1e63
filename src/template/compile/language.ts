import { Fault } from '../fault.ts'
import type { Py } from '../python/kinds.ts'
import { type Args, parseSignature, type Signature } from '../python/signature.ts'
import type { Runtime } from './runtime.ts'

export interface Filter {
  readonly signature: Signature
  readonly run: (value: Py, args: Args, runtime: Runtime) => Py
}
export interface Test {
  readonly signature: Signature
  readonly run: (value: Py, args: Args, runtime: Runtime) => boolean
}

/** The words of the language: what stands after `|`, after `is`, and the names that are no variables. */
export interface Language {
  readonly filters: ReadonlyMap<string, Filter>
  readonly tests: ReadonlyMap<string, Test>
  /** Values by name, made for one evaluation when first asked for. */
  readonly globals: ReadonlyMap<string, (runtime: Runtime) => Py>
}

/** Filters or tests by their names (aliases with a blank between), each as `[signature, run]`. */
export type FilterSet = Readonly<Record<string, readonly [string, Filter['run']]>>
export type TestSet = Readonly<Record<string, readonly [string, Test['run']]>>

type Run = Filter['run'] | Test['run']
function byName<R extends Run>(
  sets: readonly Readonly<Record<string, readonly [string, R]>>[],
): ReadonlyMap<string, { signature: Signature; run: R }> {
  const words = new Map<string, { signature: Signature; run: R }>()
  for (const set of sets)
    for (const [names, [signature, run]] of Object.entries(set)) {
      const word = { signature: parseSignature(signature), run }
      for (const name of names.split(' ')) words.set(name, word)
    }
  return words
}
export const filterMap = (...sets: readonly FilterSet[]): Language['filters'] => byName(sets)
export const testMap = (...sets: readonly TestSet[]): Language['tests'] => byName(sets)

/** `ansible.builtin.NAME` and `ansible.legacy.NAME` are NAME. */
export function plainName(name: string): string {
  return name.replace(/^(?:ansible\.(?:builtin|legacy|utils)|community\.general)\./, '')
}

/** There is no such filter or test. A name that no plugin can have is answered as Ansible's loader of plugins does. */
export function missingPlugin(
  language: Language,
  kind: 'filter' | 'test',
  name: string,
  place: { readonly line?: number } = {},
): Fault {
  const message = /^[A-Za-z_][\w.]*$/.test(name)
    ? `No ${kind} named '${name}'.`
    : `TemplateSyntaxError: Could not load "${name}": 'invalid plugin name: ansible.builtin.${name}'`
  return new Fault('syntax', message, { ...place, variable: name, known: () => language[`${kind}s`].keys() })
}
