// A check that is good now and then is no proof that the new values are to blame: the run waits for a person.
import { expect, it } from 'vitest'
import { problem } from '../../src/core/error.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { PhaseResult } from '../../src/core/transaction.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { type Faults, Fleet, Fuse, isNew, isOld, Operator, World } from './simulation.ts'

const { clean } = createRedactor()
const flaky: PhaseResult = { status: 'failed', message: clean('503 now and then'), isFlaky: true }
const red: PhaseResult = { status: 'failed', message: clean('refused') }

function site(waves: string[][], verify: (host: string) => PhaseResult | undefined) {
  const fleet = new Fleet(waves)
  const operator = new Operator()
  const world = () =>
    new World(fleet, new Fuse(), { phase: (phase, host) => (phase === 'verify' ? verify(host) : undefined) })
  return { fleet, operator, world, isAll: (is: typeof isOld) => [...fleet.hosts.values()].every(is) }
}

it('holds a run whose checks are only flaky; resume looks again and goes forward', async () => {
  let isFlaking = true
  const { operator, world, isAll } = site([['a', 'b']], host =>
    isFlaking && host === 'a' ? flaky : undefined,
  )
  const held = await runRotation(world(), operator.deps())
  expect(held).toMatchObject({ state: 'held', exit: 'held' })
  expect(held.hosts.get('a')).toMatchObject({ state: 'held', message: '503 now and then' })
  expect(isAll(isOld)).toBe(false)
  isFlaking = false
  expect((await resumeRotation(world(), operator.deps())).state).toBe('committed')
  expect(isAll(isNew)).toBe(true)
})

it('goes back from there when a person says so', async () => {
  let isFlaking = true
  const { operator, world, isAll } = site([['a']], () => (isFlaking ? flaky : undefined))
  await runRotation(world(), operator.deps())
  isFlaking = false
  expect((await rollbackRotation(world(), operator.deps())).state).toBe('rolled_back')
  expect(isAll(isOld)).toBe(true)
})

it('undoes the run when something else is red as well', async () => {
  const { operator, world, isAll } = site([['a', 'b']], host => (host === 'a' ? flaky : undefined))
  let isFirst = true
  const mixed = site([['a', 'b']], host => {
    if (!isFirst) return undefined
    if (host === 'b') isFirst = false
    return host === 'a' ? flaky : red
  })
  expect((await runRotation(mixed.world(), mixed.operator.deps())).state).toBe('rolled_back')
  expect(mixed.isAll(isOld)).toBe(true)
  expect((await runRotation(world(), operator.deps())).state).toBe('held')
  expect(isAll(isOld)).toBe(false)
})

it('a service that a killed restart has left stopped is started again before it is asked what it holds', async () => {
  const fleet = new Fleet([['a']])
  const operator = new Operator()
  let isDown = false
  const faults: Faults = {
    phase: (phase, _host, inForce) => {
      if (phase !== 'converge') return undefined
      isDown = inForce === 'pending'
      return isDown ? { status: 'unknown', message: clean('killed') } : undefined
    },
    beforeReread: () => {
      if (isDown) throw problem('E_UNREACHABLE', 'the service is not running')
    },
  }
  const back = await runRotation(new World(fleet, new Fuse(), faults), operator.deps())
  expect([back.state, isDown, fleet.isOld()]).toEqual(['rolled_back', false, true])
})
