// json_query: what Python's jmespath, which community.general uses, gives for the same queries.
import { expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { Template, type Value } from '../../src/core/value.ts'
import { here, scopeOf, templar } from './engine.ts'

const evaluate = (source: string, vars: Record<string, unknown>): Value =>
  templar.evaluate(new Template(source, here), scopeOf(vars))

const data = {
  d: [
    { n: 'a', p: 80, t: ['x', 'y'] },
    { n: 'b', p: 443, t: [] },
    { n: 'c', p: null },
  ],
  o: { k: { v: 1 }, l: { v: 2 } },
  s: 'text',
  f: 1.5,
}
const cases: readonly (readonly [string, unknown])[] = [
  ['d[*].n', ['a', 'b', 'c']],
  ['d[?p==`443`].n | [0]', 'b'],
  ["d[?contains(not_null(t, `[]`), 'x')].{name: n, port: p}", [{ name: 'a', port: 80 }]],
  ['o.*.v', [1, 2]],
  ['sum(o.*.v)', 3],
  ['max_by(d[?p], &p).n', 'b'],
  ['sort_by(d, &n)[-1].n', 'c'],
  ['length(d)', 3],
  ["join(', ', d[*].n)", 'a, b, c'],
  ['d[].t[]', ['x', 'y']],
  ['nothing.at.all', null],
  ['keys(o)', ['k', 'l']],
  ['d[1:].n', ['b', 'c']],
  ['to_string(f)', '1.5'],
  ['constructor', null],
  ['__proto__.x', null],
  ['s', 'text'],
  ["d[?n=='a' || n=='c'].n", ['a', 'c']],
  ['type(@)', 'object'],
  ['[f, s]', [1.5, 'text']],
]

it.each(cases)('%s', (query, wanted) => {
  expect(plain(evaluate('data | json_query(query)', { data, query }))).toEqual(wanted)
})
it('names what is wrong with a query', () => {
  expect(() => evaluate("data | community.general.json_query('d[?')", { data })).toThrow(
    "json_query cannot evaluate 'd[?'",
  )
})
it('keeps secrets secret', () => {
  const found = evaluate("{'a': [word]} | json_query('a[0]')", { word: new Secret('hidden', 'word') })
  expect(found).toBeInstanceOf(Secret)
})

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Map ? Object.fromEntries([...value].map(([key, one]) => [key, plain(one)])) : value
}
