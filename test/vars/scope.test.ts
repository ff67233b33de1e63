import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from '../../src/core/value.ts'
import { type Layer, type Rank, ranks } from '../../src/core/vars.ts'
import { mergingScopeOf } from '../../src/vars/merge.ts'
import { explain, scopeOf } from '../../src/vars/scope.ts'

const layer = (rank: Rank, values: Record<string, Value>, from: string = rank): Layer => ({
  rank,
  from,
  values: new Map(Object.entries(values)),
})
const anyLayer = fc
  .record({
    rank: fc.constantFrom(...ranks),
    values: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer()),
  })
  .map(({ rank, values }) => layer(rank, values))

describe('scopeOf', () => {
  it('gives what a full merge by rank would give', () => {
    fc.assert(
      fc.property(fc.array(anyLayer), layers => {
        const merged = new Map<string, Value>()
        for (const rank of ranks)
          for (const { rank: own, values } of layers)
            if (own === rank) for (const [name, value] of values) merged.set(name, value)
        const scope = scopeOf(layers)
        const names = [...scope.names()]
        expect(new Set(names)).toEqual(new Set(merged.keys()))
        expect(names.length).toBe(merged.size)
        for (const name of ['a', 'b', 'c']) expect(scope.get(name)).toBe(merged.get(name))
      }),
    )
  })
  it('replaces mappings and never merges them', () => {
    const old = layer('play vars', { d: new Map([['x', 1]]) })
    const other = new Map([['y', 2]])
    expect(scopeOf([layer('extra vars', { d: other }), old]).get('d')).toBe(other)
  })
  it('sees what is put into a layer later, and null as a value', () => {
    const values = new Map<string, Value>()
    const scope = scopeOf([layer('play vars', { a: 1 }), { rank: 'extra vars', from: 'later', values }])
    expect(scope.get('b')).toBeUndefined()
    values.set('a', null).set('b', 2)
    expect([scope.get('a'), scope.get('b')]).toEqual([null, 2])
  })
  it('lets magic win, as a map or as a scope', () => {
    const layers = [layer('extra vars', { a: 1, b: 2 })]
    const magic = new Map<string, Value>([['a', 'magic']])
    for (const m of [magic, scopeOf([layer('magic', { a: 'magic' })])]) {
      expect(scopeOf(layers, m).get('a')).toBe('magic')
      expect([...scopeOf(layers, m).names()]).toEqual(['a', 'b'])
    }
  })
})

describe('explain', () => {
  it('names the same winner as the scope', () => {
    fc.assert(
      fc.property(fc.array(anyLayer), layers => {
        const found = explain('a', layers)
        expect(found[0]?.value).toBe(scopeOf(layers).get('a'))
        expect(found.map(({ wins }) => wins)).toEqual(found.map((_, index) => index === 0))
        expect(found.length).toBe(layers.filter(({ values }) => values.has('a')).length)
      }),
    )
  })
})

describe('mergingScopeOf', () => {
  const dict = (members: Record<string, Value>): Value => new Map<Value, Value>(Object.entries(members))
  it('adds mappings up, as deep as both are mappings; anything else replaces', () => {
    const scope = mergingScopeOf([
      layer('extra vars', { a: dict({ x: 2, deep: dict({ q: 2 }) }), b: 5 }),
      layer('role defaults', { a: dict({ x: 1, y: 1, deep: dict({ p: 1 }) }), b: dict({ z: 1 }) }),
    ])
    expect(scope.get('a')).toEqual(dict({ x: 2, y: 1, deep: dict({ p: 1, q: 2 }) }))
    expect(scope.get('b')).toBe(5)
  })
  it('stops at a layer that has something else under the name', () => {
    const scope = mergingScopeOf([
      layer('extra vars', { a: dict({ x: 3 }) }),
      layer('play vars', { a: 'text' }),
      layer('role defaults', { a: dict({ y: 1 }) }),
    ])
    expect(scope.get('a')).toEqual(dict({ x: 3 }))
  })
})
