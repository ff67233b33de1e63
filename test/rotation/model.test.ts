// Every state that the protocol of journal, epoch and commit can come into, and each of its rules broken.
import { expect, it } from 'vitest'
import { type Rule, rules, searchAll } from './model.ts'

it('no state is faulty and each has a way to an end, whoever takes over and whatever fails once', () => {
  const { states, fault } = searchAll(Number(process.env['ROTA_MODEL_FAULTS'] ?? 1))
  console.log(`states of the protocol: ${states}`)
  expect(fault).toBeUndefined()
  expect(states).toBeGreaterThan(100_000)
}, 900_000)

it.each(Object.keys(rules) as Rule[])(
  'finds what happens without the rule: %s',
  rule => {
    const { fault } = searchAll(1, new Set([rule]))
    console.log(`${rules[rule]}: ${fault?.what}\n  ${fault?.path.join('\n  ')}`)
    expect(fault, rules[rule]).toBeDefined()
  },
  300_000,
)
