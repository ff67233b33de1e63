// Hosts that part ways: a failure budget, and `commit: host`. Each host ends all old or all new, also when stopped anywhere.
import { expect, it, vi } from 'vitest'
import type { FleetRule, PhaseResult, Reason } from '../../src/core/transaction.ts'
import { finaliseRotation } from '../../src/rotation/closing.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { type Faults, Fleet, Fuse, isNew, isOld, Operator, World } from './simulation.ts'

vi.setConfig({ testTimeout: 120_000 })

const red: PhaseResult = { status: 'failed', message: 'red' as never }
const gone: PhaseResult = { status: 'unreachable', message: 'gone' as never }
/** These hosts are red at a phase while they go forward. */
const redAt =
  (at: string, hosts: readonly string[], result = red): (() => Faults) =>
  () => ({
    phase: (phase, host, inForce) =>
      phase === at && hosts.includes(host) && inForce === 'pending' ? result : undefined,
  })

class Site {
  readonly fleet: Fleet
  readonly operator = new Operator()
  readonly #rule: FleetRule
  readonly #reason: Reason
  readonly #faults: () => Faults
  log: string[] = []
  constructor(
    waves: string[][],
    rule: FleetRule,
    faults: () => Faults = () => ({}),
    reason: Reason = 'scheduled',
  ) {
    this.fleet = new Fleet(waves)
    this.#rule = rule
    this.#faults = faults
    this.#reason = reason
  }
  async live(work: typeof runRotation, fuse = new Fuse(), faults = this.#faults()): Promise<RotationOutcome> {
    this.operator.disk.fuse = fuse
    const world = Object.assign(new World(this.fleet, fuse, faults), { rule: this.#rule })
    this.log = world.log
    return work(world, this.operator.deps({ reason: this.#reason }))
  }
  /** `a new, b old`: what is true of each host, by its files. */
  truth(): string {
    return [...this.fleet.hosts]
      .map(([name, host]) => `${name} ${isNew(host) ? 'new' : isOld(host) ? 'old' : 'MIXED'}`)
      .join(', ')
  }
}
const states = ({ hosts }: RotationOutcome) =>
  [...hosts].map(([host, { state }]) => `${host} ${state}`).join(', ')
const run = (failureBudget: number): FleetRule => ({ commit: 'run', failureBudget })
const host = (failureBudget: number): FleetRule => ({ commit: 'host', failureBudget })

it.each([
  ['change', red],
  ['converge', red],
  ['verify', red],
  ['verify', gone],
  ['converge', { status: 'unknown', message: 'lost' as never } as const],
])(
  'within the budget a host that is red at %s is undone alone, the others are committed',
  async (phase, how) => {
    const site = new Site([['a', 'b'], ['c']], run(1), redAt(phase, ['b'], how))
    const outcome = await site.live(runRotation)
    expect([outcome.state, outcome.exit, states(outcome)]).toEqual([
      'committed',
      'failed',
      'a committed, c committed, b rolled_back',
    ])
    expect(site.truth()).toBe('a new, b old, c new')
    expect(site.log).toContain('committed a,c pending')
  },
)

it('failed, unreachable and unknown hosts count together; one more than the budget undoes every host of the run', async () => {
  const faults = (): Faults => ({
    phase: (phase, name, inForce) => {
      if (phase !== 'verify' || inForce !== 'pending') return undefined
      return { b: red, c: gone, d: { status: 'unknown', message: 'lost' as never } as const }[name]
    },
  })
  const within = new Site([['a', 'b'], ['c'], ['d']], run(3), faults)
  expect(states(await within.live(runRotation))).toBe(
    'a committed, b rolled_back, c rolled_back, d rolled_back',
  )
  expect(within.truth()).toBe('a new, b old, c old, d old')
  const over = new Site([['a', 'b'], ['c'], ['d']], run(2), faults)
  expect(await over.live(runRotation)).toMatchObject({ state: 'rolled_back', exit: 'rolledBack' })
  expect(over.truth()).toBe('a old, b old, c old, d old')
})

it('when no host is left the run is rolled back, whatever the budget', async () => {
  const site = new Site([['a', 'b']], run(9), redAt('verify', ['a', 'b']))
  expect(await site.live(runRotation)).toMatchObject({ state: 'rolled_back', exit: 'rolledBack' })
  expect(site.truth()).toBe('a old, b old')
})

it('a host that answers no more cannot be undone: the others are committed, the run stays open, and resume ends it', async () => {
  const dead = (): Faults => ({
    ...redAt('converge', ['b'], gone)(),
    beforeReread: change => {
      if (change.host === 'b') throw new Error('no route')
    },
  })
  const site = new Site([['a', 'b', 'c']], run(1), dead)
  const outcome = await site.live(runRotation)
  expect([outcome.state, outcome.exit, states(outcome)]).toEqual([
    'in_doubt',
    'held',
    'a committed, c committed, b in_doubt',
  ])
  await expect(site.live(rollbackRotation)).rejects.toMatchObject({ code: 'E_HELD' })
  const writes = site.fleet.writes
  const end = await site.live(resumeRotation, new Fuse(), {})
  expect([end.state, states(end)]).toEqual(['committed', 'a committed, c committed, b rolled_back'])
  expect(site.truth()).toBe('a new, b old, c new')
  // What was done after the commit is not done again.
  expect(site.log).toEqual(['converge b current', 'verify b current'])
  expect(site.fleet.writes).toBe(writes + 3)
  // For ever after it answers the same.
  expect(await site.live(resumeRotation)).toMatchObject({ state: 'committed', exit: 'failed' })
})

it('a reason that forbids going back drops nobody', async () => {
  const site = new Site([['a', 'b'], ['c']], run(2), redAt('verify', ['b']), 'incident')
  const outcome = await site.live(runRotation)
  expect([outcome.state, states(outcome)]).toEqual(['held', 'a running, b held, c running'])
  const end = await site.live(resumeRotation, new Fuse(), {})
  expect([end.state, site.truth()]).toEqual(['committed', 'a new, b new, c new'])
})

it('commit: host commits what is green wave by wave; one red host too many stops the rest, and undoes only itself', async () => {
  const site = new Site([['a'], ['b', 'c'], ['d']], host(0), redAt('verify', ['b']))
  const outcome = await site.live(runRotation)
  expect([outcome.state, outcome.exit, states(outcome)]).toEqual([
    'committed',
    'failed',
    'a committed, c committed, b rolled_back, d rolled_back',
  ])
  expect(site.truth()).toBe('a new, b old, c new, d old')
  expect(site.log).toEqual([
    'preflight a,b,c,d current',
    'backup a,b,c,d current',
    'change a pending',
    'converge a pending',
    'verify a pending',
    'committed a pending',
    'change b,c pending',
    'converge b,c pending',
    'verify b,c pending',
    'committed c pending',
    'converge b current',
    'verify b current',
  ])
  await expect(site.live(rollbackRotation)).rejects.toMatchObject({ code: 'E_HELD' })
  expect(await site.live(finaliseRotation)).toMatchObject({ state: 'finalised' })
  expect(site.log).toEqual(['finalise_preflight a,c pending', 'finalise a,c pending'])
})

it('commit: host with a budget goes on to the next waves', async () => {
  const site = new Site([['a'], ['b', 'c'], ['d']], host(1), redAt('change', ['b']))
  const outcome = await site.live(runRotation)
  expect(states(outcome)).toBe('a committed, c committed, d committed, b rolled_back')
  expect(site.truth()).toBe('a new, b old, c new, d new')
})

it('commit: host and an incident: what is green is committed, the red host is held', async () => {
  const site = new Site([['a', 'b'], ['c']], host(0), redAt('verify', ['b']), 'incident')
  expect(states(await site.live(runRotation))).toBe('a committed, b held, c running')
  expect((await site.live(resumeRotation, new Fuse(), {})).state).toBe('committed')
  expect(site.truth()).toBe('a new, b new, c new')
})

/** All points cost two minutes on a busy machine. */
const STRIDE = process.env['ROTA_EVERY_POINT'] ? 1 : 5
const stories: readonly [string, FleetRule, () => Faults][] = [
  ['a budget, one host red', run(1), redAt('verify', ['b'])],
  ['a budget, one host red at converge', run(1), redAt('converge', ['b'])],
  ['commit: host, all green', host(0), () => ({})],
  ['commit: host, one host red', host(0), redAt('verify', ['b'])],
  ['commit: host with a budget', host(1), redAt('converge', ['b'])],
]
it.each(stories)(
  '%s: stopped anywhere, then resumed or rolled back, each host is all old or all new',
  async (_name, rule, faults) => {
    const ends = new Map<string, number>()
    for (const work of [resumeRotation, rollbackRotation])
      for (const how of ['kill', 'power'] as const)
        for (let i = 1; ; i += STRIDE) {
          const site = new Site([['a', 'b'], ['c']], rule, faults)
          const fuse = new Fuse(i)
          await site.live(runRotation, fuse).catch(() => undefined)
          if (!fuse.isDead) break
          site.operator.reboot(how, new Fuse())
          // A rollback that comes too late is answered by a resume.
          const end = await site.live(work).catch(error => {
            expect(error).toMatchObject({ code: 'E_HELD' })
            return site.live(resumeRotation)
          })
          const where = `stopped at ${i} by ${how}, ${work.name}: ${end.state}`
          const wanted = end.state === 'refused' ? 'a old, b old, c old' : truthOf(end)
          expect(site.truth(), where).toBe(wanted)
          const again = await site.live(resumeRotation)
          expect(states(again), where).toBe(states(end))
          ends.set(states(end), (ends.get(states(end)) ?? 0) + 1)
        }
    console.log(Object.fromEntries(ends))
    expect(ends.size).toBeGreaterThan(1)
  },
)

/** What has to be true of the hosts when the run says this of them. */
function truthOf(outcome: RotationOutcome): string {
  return [...outcome.hosts]
    .map(([name, { state }]) => `${name} ${state === 'committed' ? 'new' : 'old'}`)
    .sort()
    .join(', ')
}
