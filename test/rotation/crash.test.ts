// The promise of the whole product: stopped at any instant, a run ends all old or all new.
import { expect, it, vi } from 'vitest'
import type { Reason } from '../../src/core/transaction.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { type Faults, Fleet, Fuse, isNew, isOld, Operator, Stopped, World } from './simulation.ts'

// Thousands of runs: seconds on a free machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

const commands = { resume: resumeRotation, rollback: rollbackRotation }
type Command = keyof typeof commands

interface Story {
  readonly waves: string[][]
  readonly reason?: Reason
  readonly faults?: () => Faults
}

class Site {
  readonly fleet: Fleet
  readonly operator = new Operator()
  readonly story: Story
  constructor(story: Story) {
    this.story = story
    this.fleet = new Fleet(story.waves)
  }
  async live(command: 'run' | Command, fuse: Fuse): Promise<RotationOutcome | { error: unknown }> {
    this.operator.disk.fuse = fuse
    const world = new World(this.fleet, fuse, this.story.faults?.())
    const deps = this.operator.deps({ reason: this.story.reason ?? 'scheduled' })
    const work = command === 'run' ? runRotation : commands[command]
    return work(world, deps).catch(error => ({ error }))
  }
  /** The command as a person would give it until it is done; a rollback that comes too late is answered by a resume. */
  async settle(command: Command): Promise<RotationOutcome> {
    const outcome = await this.live(command, new Fuse())
    if (!('error' in outcome)) return outcome
    expect(outcome.error).toMatchObject({ code: 'E_HELD' })
    const forward = await this.live('resume', new Fuse())
    if ('error' in forward) throw forward.error
    return forward
  }
  isAllOld(): boolean {
    return [...this.fleet.hosts.values()].every(isOld)
  }
  isAllNew(): boolean {
    return [...this.fleet.hosts.values()].every(isNew)
  }
}

/** Stops at point i, reboots, gives the command (itself stopped at point j, if any), gives it again, and looks. */
async function tell(story: Story, i: number, how: 'kill' | 'power', command: Command, j?: number) {
  const site = new Site(story)
  const fuse = new Fuse(i)
  await site.live('run', fuse)
  if (!fuse.isDead) return { isOver: true, points: 0 }
  site.operator.reboot(how, new Fuse())
  if (j !== undefined) {
    const second = new Fuse(j)
    await site.live(command, second)
    if (!second.isDead) return { isOver: true, points: 0 }
    site.operator.reboot(how, new Fuse())
  }
  const outcome = await site.settle(command)
  const where = `stopped at ${i} and ${j} by ${how}, ${command}: ${outcome.state}`
  if (outcome.state === 'committed') expect(site.isAllNew(), where).toBe(true)
  else {
    expect(['rolled_back', 'refused'], where).toContain(outcome.state)
    expect(site.isAllOld(), where).toBe(true)
  }
  const writes = site.fleet.writes
  const again = await site.live('resume', new Fuse())
  expect(again, where).toMatchObject({ state: outcome.state })
  expect(site.fleet.writes, where).toBe(writes)
  expect(
    [...site.operator.disk.files.keys()].filter(path => path.includes('lock')).length,
    `${where}: only locks of the dead are left`,
  ).toBeLessThanOrEqual(2)
  return { isOver: false, state: outcome.state }
}

async function tellAll(story: Story): Promise<Map<string, number>> {
  const ends = new Map<string, number>()
  for (const command of ['resume', 'rollback'] as const)
    for (const how of ['kill', 'power'] as const)
      for (let i = 1; ; i++) {
        const told = await tell(story, i, how, command)
        if (told.isOver) break
        const key = `${command} ${told.state}`
        ends.set(key, (ends.get(key) ?? 0) + 1)
      }
  return ends
}

it('without a stop it commits, and everything is new', async () => {
  const site = new Site({ waves: [['a'], ['b', 'c']] })
  expect(await site.live('run', new Fuse())).toMatchObject({ state: 'committed', exit: 'ok' })
  expect(site.isAllNew()).toBe(true)
})

it('stopped anywhere, then resumed or rolled back: all old or all new', async () => {
  const ends = await tellAll({ waves: [['a'], ['b']] })
  console.log('single stops:', Object.fromEntries(ends))
  expect([...ends.keys()].sort()).toEqual([
    'resume committed',
    'resume refused',
    'rollback committed',
    'rollback refused',
    'rollback rolled_back',
  ])
  expect([...ends.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(400)
})

it('a red verify that undoes the run, stopped anywhere: all old', async () => {
  const faults = (): Faults => ({
    phase: (phase, host, inForce) =>
      phase === 'verify' && host === 'b' && inForce === 'pending'
        ? { status: 'failed', message: 'red' as never }
        : undefined,
  })
  const ends = await tellAll({ waves: [['a'], ['b']], faults })
  expect([...ends.keys()].sort()).toEqual([
    'resume refused',
    'resume rolled_back',
    'rollback refused',
    'rollback rolled_back',
  ])
})

it('an incident never goes back: once something was touched, every stop ends all new', async () => {
  const ends = await tellAll({ waves: [['a', 'b']], reason: 'incident' })
  // Before the first change a rollback is allowed: it only says that nothing happened.
  expect([...ends.keys()].sort()).toEqual([
    'resume committed',
    'resume refused',
    'rollback committed',
    'rollback refused',
    'rollback rolled_back',
  ])
})

it('stopped twice, at every seventh pair of points: all old or all new', async () => {
  let pairs = 0
  for (const command of ['resume', 'rollback'] as const)
    for (let i = 1; ; i++) {
      if ((await tell({ waves: [['a']] }, i, 'power', command)).isOver) break
      for (let j = 1 + (i % 7); ; j += 7) {
        if ((await tell({ waves: [['a']] }, i, 'power', command, j)).isOver) break
        pairs++
      }
    }
  console.log('pairs of stops:', pairs)
  expect(pairs).toBeGreaterThan(1000)
})

it('a stop really stops: nothing works in that life any more', async () => {
  const site = new Site({ waves: [['a']] })
  const fuse = new Fuse(30)
  const ended = await site.live('run', fuse)
  expect(ended).toHaveProperty('error')
  expect(() => fuse.burn()).toThrow(Stopped)
})
