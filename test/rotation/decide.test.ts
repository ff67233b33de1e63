import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Reason } from '../../src/core/transaction.ts'
import { planBatches } from '../../src/rotation/back.ts'
import { decide, type Probe, selectProbe } from '../../src/rotation/decide.ts'
import { isSuperseded, type Step } from '../../src/rotation/ledger.ts'

const back: Reason[] = ['scheduled', 'drill']
const forward: Reason[] = ['incident', 'offboarding', 'key-compromise']

// The design's table, row by row: probe, then no commit and back, no commit and forward only, commit.
it.each<[Probe, string, string, string]>([
  ['not_applied', 'skip', 'apply', 'apply'],
  ['applied', 'undo', 'keep', 'done'],
  ['conflict', 'held', 'held', 'held'],
  ['unreachable', 'in_doubt', 'in_doubt', 'in_doubt'],
])('%s: %s, %s, %s', (probe, goingBack, goingForward, committed) => {
  for (const reason of back) expect(decide(probe, false, reason)).toBe(goingBack)
  for (const reason of forward) expect(decide(probe, false, reason)).toBe(goingForward)
  for (const reason of [...back, ...forward]) expect(decide(probe, true, reason)).toBe(committed)
})

it('probes by equality of states', () => {
  const change = { before: { a: 1, b: undefined }, after: { a: 2 } }
  expect(selectProbe(change, { a: 1 })).toBe('not_applied')
  expect(selectProbe(change, { a: 2 })).toBe('applied')
  expect(selectProbe(change, { a: 3 })).toBe('conflict')
  expect(selectProbe(change, null)).toBe('conflict')
})

const step = (task: string, host: string): Step => ({
  progress: 'done',
  isDistributed: false,
  change: { step: `${task}@${host}`, host, module: 'm', what: task as never, before: 0, after: 1 },
})
const ids = (batches: readonly (readonly Step[])[]) =>
  batches.map(batch => batch.map(({ change }) => change.step))

it('undoes one task on many hosts at once, different tasks one after the other', () => {
  expect(ids(planBatches([step('1', 'a'), step('1', 'b'), step('2', 'b'), step('2', 'a')]))).toEqual([
    ['2@a', '2@b'],
    ['1@b', '1@a'],
  ])
  expect(ids(planBatches([step('1', 'db'), step('2', 'web')]))).toEqual([['2@web'], ['1@db']])
  expect(ids(planBatches([step('1', 'a'), step('1', 'a')]))).toEqual([['1@a'], ['1@a']])
})

it('batches keep the reverse order and never hold a host twice', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('1', '2', '3'), fc.constantFrom('a', 'b', 'c')))
  fc.assert(
    fc.property(steps, pairs => {
      const made = pairs.map(([task, host]) => step(task, host))
      const batches = planBatches(made)
      expect(batches.flat()).toEqual([...made].reverse())
      for (const batch of batches) {
        expect(new Set(batch.map(({ change }) => change.host)).size).toBe(batch.length)
        expect(new Set(batch.map(({ change }) => change.what)).size).toBe(1)
      }
    }),
  )
})

it('a later change of the same thing stands over an earlier one, however each of them looks at it', () => {
  const step = (module: string, before: object, after: object): Step => ({
    change: {
      step: `${module} ${JSON.stringify(after)}`,
      host: 'h',
      module,
      what: 'w' as never,
      before: before as never,
      after: after as never,
    },
    progress: 'done',
    isDistributed: false,
  })
  const file = (text: string, more = {}) => ({
    path: '/.env',
    content: text,
    terms: { showKey: `${Math.random()}` },
    ...more,
  })
  const isOver = (first: Step, second: Step) => isSuperseded(first, [first, second])
  const first = step('env_file', file('a'), file('b'))
  expect(isOver(first, step('env_file', file('b'), file('c')))).toBe(true)
  expect(isOver(first, step('env_file', file('x'), file('c')))).toBe(false)
  expect(isOver(first, step('lineinfile', file('b', { mode: '0600' }), file('c')))).toBe(true)
  expect(isOver(first, step('copy', { path: '/.env', sha256: '1' }, { path: '/.env', sha256: '2' }))).toBe(
    true,
  )
  expect(isOver(first, step('lineinfile', { ...file('b'), path: '/other' }, file('c')))).toBe(false)
  expect(
    isOver(step('service', { on: true }, { on: false }), step('other', { on: false }, { on: true })),
  ).toBe(false)
  const undone = { ...step('env_file', file('b'), file('c')), progress: 'undone' as const }
  expect(isOver(first, undone)).toBe(false)
})
