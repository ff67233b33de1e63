// A value that hosts share: at no instant does a host send what another one does not accept, whatever stops the run and wherever.
import { describe, expect, it, vi } from 'vitest'
import { problem } from '../../src/core/error.ts'
import type { Phase } from '../../src/core/play.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { PhaseResult } from '../../src/core/transaction.ts'
import { finaliseRotation } from '../../src/rotation/closing.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { distributed, valueIn } from './schemes.ts'
import { type Faults, Fleet, Fuse, Operator, World } from './simulation.ts'

vi.setConfig({ testTimeout: 120_000 })

const { clean } = createRedactor()
const OLD = valueIn(distributed.env, 'KEY')
const hosts = ['a', 'b', 'c']
/** Before either barrier, and behind the last wave. */
const moments = ['distribute b both', 'verify c both', 'change b pending', 'verify c pending'] as const
const joinsAt = (desk: Desk, moment: string): Faults => ({
  phase: (phase, host, inForce) => {
    if (`${phase} ${host} ${inForce}` === moment) desk.fleet.join('d')
    return undefined
  },
})
const commands = {
  run: runRotation,
  resume: resumeRotation,
  rollback: rollbackRotation,
  finalise: finaliseRotation,
}

class Desk {
  readonly fleet = new Fleet([['a'], ['b', 'c']], distributed)
  readonly operator = new Operator()
  async give(
    command: keyof typeof commands,
    fuse = new Fuse(),
    faults: Faults = {},
  ): Promise<RotationOutcome | { error: unknown }> {
    this.operator.disk.fuse = fuse
    const world = new World(this.fleet, fuse, faults)
    const outcome = await commands[command](world, this.operator.deps()).catch((error: unknown) => ({
      error,
    }))
    expect([...this.fleet.refused]).toEqual([])
    return outcome
  }
  /** What every host accepts beside what it sends. */
  accepted(): string[] {
    return [...this.fleet.hosts.values()].map(({ env }) => valueIn(env, 'ALSO'))
  }
}
const failed = (message: string): PhaseResult => ({ status: 'failed', message: clean(message) })
const gone = (message: string): PhaseResult => ({ status: 'unreachable', message: clean(message) })

describe('a shared value', () => {
  it('is distributed to all, then sent by all, then the old one is retired', async () => {
    const desk = new Desk()
    expect(await desk.give('run')).toMatchObject({ state: 'committed' })
    expect([desk.fleet.isNew(), desk.accepted()]).toEqual([true, [OLD, OLD, OLD]])
    expect(await desk.give('finalise')).toMatchObject({ state: 'finalised' })
    expect([desk.fleet.isNew(), desk.accepted()]).toEqual([true, ['', '', '']])
  })
  it('is sent by nobody when one host cannot be reached', async () => {
    const desk = new Desk()
    const seen: string[] = []
    const outcome = await desk.give('run', new Fuse(), {
      phase: (phase, host, inForce) => {
        seen.push(phase)
        return phase === 'distribute' && host === 'c' && inForce === 'both' ? gone('no route') : undefined
      },
    })
    expect(outcome).toMatchObject({ state: 'rolled_back' })
    expect(seen).not.toContain('change')
    expect(desk.fleet.isOld()).toBe(true)
  })
  it('goes back by the same steps when a host is red after it sends the new one', async () => {
    for (const host of hosts)
      for (const phase of ['converge', 'verify'] as const) {
        const desk = new Desk()
        const outcome = await desk.give('run', new Fuse(), {
          phase: (now, where, inForce) =>
            now === phase && where === host && inForce === 'pending' ? failed('red') : undefined,
        })
        expect(outcome).toMatchObject({ state: 'rolled_back' })
        expect(desk.fleet.isOld()).toBe(true)
      }
  })
  it('stays accepted everywhere while a host that sends it cannot be reached, and a later rollback ends it', async () => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), {
      phase: (phase, host, inForce) =>
        phase === 'verify' && host === 'c' && inForce === 'pending' ? failed('red') : undefined,
      beforeReread: change => {
        if (change.host === 'b') throw problem('E_UNREACHABLE', 'no route')
      },
    })
    expect(outcome).toMatchObject({ state: 'in_doubt', exit: 'held' })
    expect(desk.accepted().includes('')).toBe(false)
    expect(await desk.give('rollback')).toMatchObject({ state: 'rolled_back' })
    expect(desk.fleet.isOld()).toBe(true)
  })
  it('is not touched where the hosts begin with different values', async () => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), {
      current: host => (host === 'b' ? 'another' : undefined),
    })
    expect(outcome).toMatchObject({ state: 'refused', exit: 'preflight' })
    expect((outcome as RotationOutcome).hosts.get('a')!.message).toContain('b has another value than a')
  })
  it.each(moments)('is given to a host that joins at %s, before anybody goes on', async moment => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), joinsAt(desk, moment))
    expect(outcome).toMatchObject({ state: 'committed' })
    expect([...(outcome as RotationOutcome).hosts]).toContainEqual(['d', { state: 'committed' }])
    expect([desk.fleet.isNew(), desk.accepted()]).toEqual([true, [OLD, OLD, OLD, OLD]])
    expect(await desk.give('finalise')).toMatchObject({ state: 'finalised' })
    expect([desk.fleet.isNew(), desk.accepted()]).toEqual([true, ['', '', '', '']])
  })
  it('takes all back when the host that joined cannot be reached, or has another value', async () => {
    for (const more of [
      { phase: (_: Phase, host: string) => (host === 'd' ? gone('no route') : undefined) },
      { current: (host: string) => (host === 'd' ? 'another' : undefined) },
    ]) {
      const desk = new Desk()
      const joins = joinsAt(desk, 'change b pending')
      const outcome = await desk.give('run', new Fuse(), {
        ...more,
        phase: (...call) => joins.phase?.(...call) ?? more.phase?.(call[0], call[1]),
      })
      expect(outcome).toMatchObject({ state: 'rolled_back', exit: 'rolledBack' })
      expect(desk.fleet.isOld()).toBe(true)
    }
  })
  it('is not ended while a host has joined that may still send the old one', async () => {
    const desk = new Desk()
    await desk.give('run')
    desk.fleet.join('d')
    expect(await desk.give('finalise')).toMatchObject({
      error: { code: 'E_PREFLIGHT', message: expect.stringContaining('d joined after the commit') },
    })
    expect(await desk.give('resume')).toMatchObject({ state: 'committed' })
  })
})

async function settle(desk: Desk, command: 'resume' | 'rollback'): Promise<RotationOutcome> {
  const outcome = await desk.give(command)
  if (!('error' in outcome)) return outcome
  expect(outcome.error).toMatchObject({ code: 'E_HELD' })
  const forward = await desk.give('resume')
  if ('error' in forward) throw forward.error
  return forward
}
const redPromotion: Faults = {
  phase: (phase, host, inForce) =>
    phase === 'verify' && host === 'b' && inForce === 'pending' ? failed('red') : undefined,
}

it.each([
  ['a good run', 1, () => ({})],
  ['a run that goes back', 1, () => redPromotion],
  ['a run that a host joins before it promotes', 5, (desk: Desk) => joinsAt(desk, moments[0])],
  ['a run that a host joins while it promotes', 3, (desk: Desk) => joinsAt(desk, moments[2])],
] as const)(
  '%s, stopped anywhere: every host accepts what any host sends, and it ends all old or all new',
  async (_, stride, faultsOf) => {
    const whole = new Fuse()
    const first = new Desk()
    await first.give('run', whole, faultsOf(first))
    const ends = { committed: 0, rolled_back: 0, refused: 0 }
    for (const command of ['resume', 'rollback'] as const)
      for (let point = 1; point <= whole.points; point += stride) {
        const desk = new Desk()
        await desk.give('run', new Fuse(point), faultsOf(desk))
        desk.operator.reboot(point % 2 ? 'kill' : 'power', new Fuse())
        const { state } = await settle(desk, command)
        ends[state as keyof typeof ends]++
        expect([point, command, desk.fleet.isOld() !== desk.fleet.isNew()]).toEqual([point, command, true])
      }
    console.log(`stops: ${Math.floor((2 * whole.points) / stride)}`, ends)
    expect(ends.rolled_back * stride).toBeGreaterThan(whole.points / 4)
  },
)

it('stopped again while it recovers: the same', async () => {
  const whole = new Fuse()
  await new Desk().give('run', whole, redPromotion)
  let pairs = 0
  for (let point = 3; point <= whole.points; point += 17)
    for (const command of ['resume', 'rollback'] as const) {
      for (let second = 1; second < 400; second += 9) {
        const desk = new Desk()
        await desk.give('run', new Fuse(point), redPromotion)
        desk.operator.reboot('kill', new Fuse())
        const fuse = new Fuse(second)
        await desk.give(command, fuse)
        if (!fuse.isDead) break
        desk.operator.reboot('kill', new Fuse())
        await settle(desk, command)
        pairs++
        expect([point, second, desk.fleet.isOld() !== desk.fleet.isNew()]).toEqual([point, second, true])
      }
    }
  console.log(`pairs of stops: ${pairs}`)
  expect(pairs).toBeGreaterThan(200)
})
