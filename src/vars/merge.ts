import { type Dict, isDict, type Scope, type Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import { scopeOf, sortLayers } from './scope.ts'

/**
 * Variables as with `hash_behaviour = merge`: a mapping adds to those that weaker layers hold under its name, key by key and as deep as
 * both are mappings. Everything else is as in scopeOf. Pure.
 */
export function mergingScopeOf(layers: readonly Layer[], magic?: Scope): Scope {
  const plain = scopeOf(layers, magic)
  const maps = sortLayers(layers).map(layer => layer.values)
  return {
    names: () => plain.names(),
    get(name) {
      const strongest = plain.get(name)
      if (magic?.get(name) !== undefined || !isDict(strongest)) return strongest
      const dicts: Dict[] = []
      for (const values of maps) {
        const value = values.get(name)
        if (value !== undefined && !isDict(value)) break
        if (value !== undefined) dicts.unshift(value)
      }
      return dicts.reduce(mergeDicts)
    },
  }
}

function mergeDicts(weak: Dict, strong: Dict): Dict {
  const merged = new Map<Value, Value>(weak)
  for (const [key, value] of strong) {
    const below = merged.get(key)
    merged.set(key, isDict(below) && isDict(value) ? mergeDicts(below, value) : value)
  }
  return merged
}
