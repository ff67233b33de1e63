import type { Source } from '../core/source.ts'
import type { Scope, Value } from '../core/value.ts'
import { type Layer, type Rank, ranks } from '../core/vars.ts'

const strength: ReadonlyMap<Rank, number> = new Map(ranks.map((rank, index) => [rank, index]))

/** Layers from the strongest to the weakest: by rank, and within a rank the later one first. Pure. */
export function sortLayers(layers: readonly Layer[]): readonly Layer[] {
  return layers.toReversed().sort((a, b) => strength.get(b.rank)! - strength.get(a.rank)!)
}

/**
 * Variables as Ansible's precedence has them (hash_behaviour=replace: a mapping replaces one, they are never merged).
 * Nothing is copied: a name is looked for in each layer when it is asked for, so what is put into a layer's map later is
 * seen. `magic` wins over every layer.
 */
export function scopeOf(layers: readonly Layer[], magic?: ReadonlyMap<string, Value> | Scope): Scope {
  const maps = sortLayers(layers).map(layer => layer.values)
  return {
    get(name) {
      const own = magic?.get(name)
      if (own !== undefined) return own
      for (const values of maps) {
        const value = values.get(name)
        if (value !== undefined) return value
      }
      return undefined
    },
    *names() {
      const seen = new Set<string>()
      const all = [...(magic === undefined ? [] : [namesOf(magic)]), ...maps.map(values => values.keys())]
      for (const names of all)
        for (const name of names)
          if (!seen.has(name)) {
            seen.add(name)
            yield name
          }
    },
  }
}

function namesOf(magic: ReadonlyMap<string, Value> | Scope): Iterable<string> {
  return 'names' in magic ? magic.names() : magic.keys()
}

/** One definition of a variable. */
export interface Definition {
  readonly rank: Rank
  readonly from: string
  readonly at?: Source | undefined
  readonly value: Value
  /** Whether it is the one in force. */
  readonly wins: boolean
}

/** Every definition of a variable, the strongest first: for `rota vars --explain`. Empty: there is none. Pure. */
export function explain(name: string, layers: readonly Layer[]): readonly Definition[] {
  return sortLayers(layers)
    .filter(({ values }) => values.has(name))
    .map(({ rank, from, values, at }, index) => ({
      rank,
      from,
      at: at?.get(name),
      value: values.get(name)!,
      wins: index === 0,
    }))
}
