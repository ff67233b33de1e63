// A value that hosts share: at no instant does a host send what another one does not accept, whatever stops the run and wherever.
import { describe, expect, it, vi } from 'vitest'
import { problem } from '../../src/core/error.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { PhaseResult } from '../../src/core/transaction.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import {
  finaliseRotation,
  resumeRotation,
  rollbackRotation,
  runRotation,
} from '../../src/rotation/transaction.ts'
import { distributed, valueIn } from './schemes.ts'
import { type Faults, Fleet, Fuse, Operator, World } from './simulation.ts'

vi.setConfig({ testTimeout: 120_000 })

const { clean } = createRedactor()
const hosts = ['a', 'b', 'c']
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
    joined: readonly string[] = [],
  ): Promise<RotationOutcome | { error: unknown }> {
    this.operator.disk.fuse = fuse
    const world = Object.assign(new World(this.fleet, fuse, faults), { joined: async () => joined })
    const outcome = await commands[command](world, this.operator.deps()).catch((error: unknown) => ({
      error,
    }))
    expect([...this.fleet.refused]).toEqual([])
    return outcome
  }
  /** What the hosts send, and what they accept besides. */
  keys(): readonly (readonly [string, string])[] {
    return [...this.fleet.hosts.values()].map(({ running }) => [
      valueIn(running, 'KEY'),
      valueIn(running, 'ALSO'),
    ])
  }
}
const [[old] = ['']] = new Desk().keys()
const failed = (message: string): PhaseResult => ({ status: 'failed', message: clean(message) })
const gone = (message: string): PhaseResult => ({ status: 'unreachable', message: clean(message) })
const redAt = (phase: string, host: string): Faults => ({
  phase: (now, where, inForce) =>
    now === phase && where === host && inForce === 'pending' ? failed('red') : undefined,
})

describe('a shared value', () => {
  it('is distributed to all, then sent by all, then the old one is retired', async () => {
    const desk = new Desk()
    expect(await desk.give('run')).toMatchObject({ state: 'committed' })
    expect([desk.fleet.isNew(), desk.keys().every(([, also]) => also === old)]).toEqual([true, true])
    expect(await desk.give('finalise')).toMatchObject({ state: 'finalised' })
    expect([desk.fleet.isNew(), desk.keys().every(([, also]) => also === '')]).toEqual([true, true])
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
        expect(await desk.give('run', new Fuse(), redAt(phase, host))).toMatchObject({ state: 'rolled_back' })
        expect(desk.fleet.isOld()).toBe(true)
      }
  })
  it('stays accepted everywhere while a host that sends it cannot be reached, and a later rollback ends it', async () => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), {
      ...redAt('verify', 'c'),
      beforeReread: change => {
        if (change.host === 'b') throw problem('E_UNREACHABLE', 'no route')
      },
    })
    expect(outcome).toMatchObject({ state: 'in_doubt', exit: 'held' })
    expect(desk.keys().every(([sends, also]) => also !== '' && sends !== also)).toBe(true)
    expect(await desk.give('rollback')).toMatchObject({ state: 'rolled_back' })
    expect(desk.fleet.isOld()).toBe(true)
  })
  it('is not touched where the hosts begin with different values', async () => {
    const desk = new Desk()
    desk.fleet.hosts.get('b')!.env = 'KEY=another\nALSO=\n'
    const outcome = await desk.give('run')
    expect(outcome).toMatchObject({ state: 'refused', exit: 'preflight' })
    expect((outcome as RotationOutcome).hosts.get('a')!.message).toContain('b has another value than a')
  })
  it('is not sent when a host has joined that does not know it', async () => {
    const desk = new Desk()
    expect(await desk.give('run', new Fuse(), {}, ['d'])).toMatchObject({ state: 'rolled_back' })
    expect(JSON.stringify(desk.operator.events)).toContain('d: joined since the run began')
    expect(desk.fleet.isOld()).toBe(true)
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
const isWhole = ({ fleet }: Desk, { state }: RotationOutcome): boolean =>
  state === 'committed' ? fleet.isNew() : fleet.isOld()

it.each([
  ['a good run', {}],
  ['a run that goes back', redAt('verify', 'b')],
] as const)(
  '%s, stopped anywhere: every host accepts what any host sends, and it ends all old or all new',
  async (_, faults) => {
    const whole = new Fuse()
    await new Desk().give('run', whole, faults)
    const ends = { committed: 0, rolled_back: 0, refused: 0 }
    for (const command of ['resume', 'rollback'] as const)
      for (let point = 1; point <= whole.points; point++) {
        const desk = new Desk()
        await desk.give('run', new Fuse(point), faults)
        desk.operator.reboot(point % 2 ? 'kill' : 'power', new Fuse())
        const end = await settle(desk, command)
        ends[end.state as keyof typeof ends]++
        expect([point, command, isWhole(desk, end)]).toEqual([point, command, true])
      }
    console.log(`stops: ${2 * whole.points}`, ends)
    expect(ends.rolled_back).toBeGreaterThan(whole.points / 4)
  },
)
