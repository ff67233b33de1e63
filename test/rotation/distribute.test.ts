// A value that hosts share: at no instant does a host send what another one does not accept, whatever stops the run and wherever.
import { describe, expect, it, vi } from 'vitest'
import { problem } from '../../src/core/error.ts'
import type { Phase, SecretSpec } from '../../src/core/play.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import type {
  Apply,
  Change,
  HostSecrets,
  InForce,
  PhaseResult,
  RotationWorld,
} from '../../src/core/transaction.ts'
import { isSameState, type State } from '../../src/core/value.ts'
import { finaliseRotation } from '../../src/rotation/closing.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { Fuse, Operator, Stopped } from './simulation.ts'

vi.setConfig({ testTimeout: 120_000 })

const { clean } = createRedactor()
const at = { file: 'play.yml', line: 1, col: 1 }
const OLD = 'old-shared-value-0123456789'

/** What a host's env file says, and what the application that was started with it does. */
interface Keys {
  readonly sends: string
  readonly also: string
}
class Site {
  readonly env = new Map<string, Keys>()
  readonly running = new Map<string, Keys>()
  /** As the inventory says. */
  readonly hosts: string[] = []
  constructor(hosts: readonly string[]) {
    for (const host of hosts) this.join(host)
  }
  /** A host that knows the old value only. When the new one is sent already, it can take part from its first restart on. */
  join(host: string): void {
    if (this.hosts.includes(host)) return
    const keys = { sends: OLD, also: '' }
    if ([...this.running.values()].every(({ sends }) => sends === OLD)) this.running.set(host, keys)
    this.env.set(host, keys)
    this.hosts.push(host)
  }
  /** Restarts the application of a host, and looks at everybody. */
  restart(host: string): void {
    this.running.set(host, this.env.get(host)!)
    for (const [from, { sends }] of this.running)
      for (const [to, keys] of this.running)
        if (keys.sends !== sends && keys.also !== sends)
          throw new Refused(`${to} does not accept what ${from} sends`)
  }
  all(is: (keys: Keys) => boolean): boolean {
    return this.hosts.every(
      host =>
        is(this.env.get(host)!) &&
        isSameState({ ...this.env.get(host)! }, { ...(this.running.get(host) ?? this.env.get(host)!) }),
    )
  }
  isOld = (): boolean => this.all(({ sends, also }) => sends === OLD && also === '')
  isNew = (): boolean => this.all(({ sends, also }) => sends !== OLD && also === OLD) && this.#isOne()
  isRetired = (): boolean => this.all(({ sends, also }) => sends !== OLD && also === '') && this.#isOne()
  #isOne = (): boolean => new Set([...this.env.values()].map(({ sends }) => sends)).size === 1
}
/** The one thing that must never happen: not a failure of a phase, but of the test. */
class Refused extends Error {}

interface Faults {
  phase?: (phase: Phase, host: string, inForce: InForce) => PhaseResult | undefined
  reread?: (change: Change) => void
  current?: (host: string) => string
}

class World implements RotationWorld {
  hosts: readonly string[]
  readonly secrets: readonly SecretSpec[] = [{ name: 'KEY', length: 32, shared: true, at }]
  readonly distributes = true
  refused: Refused | undefined
  readonly #site: Site
  readonly #fuse: Fuse
  readonly #faults: Faults
  readonly #values = new Map<string, HostSecrets>()
  constructor(site: Site, fuse = new Fuse(), faults: Faults = {}) {
    this.hosts = [...site.hosts]
    this.#site = site
    this.#fuse = fuse
    this.#faults = faults
  }
  get waves(): readonly (readonly string[])[] {
    return [this.hosts.slice(0, 1), this.hosts.slice(1)]
  }
  joined = async () => this.#site.hosts.filter(host => !this.hosts.includes(host))
  async setHosts(hosts: readonly string[]): Promise<void> {
    this.#fuse.burn()
    this.hosts = hosts
  }

  async runPhase(phase: Phase, hosts: readonly string[], inForce: InForce, apply: Apply) {
    const results = new Map<string, PhaseResult>()
    for (const host of hosts)
      results.set(
        host,
        this.#faults.phase?.(phase, host, inForce) ?? (await this.#run(phase, host, inForce, apply)),
      )
    return results
  }
  async #run(phase: Phase, host: string, inForce: InForce, apply: Apply): Promise<PhaseResult> {
    if (phase === 'distribute' || phase === 'change' || phase === 'finalise')
      return this.#change(phase, host, apply)
    if (phase === 'converge') this.#restart(host)
    if (phase !== 'verify') return { status: 'ok' }
    const { sends, also } = this.#site.running.get(host)!
    const [current, pending] = [this.#value(host, 'current'), this.#value(host, 'pending')]
    const wanted = { pending: [pending, current], current: [current, ''], both: [current, pending] }[inForce]
    return sends === wanted[0] && also === wanted[1]
      ? { status: 'ok' }
      : { status: 'failed', message: clean('not green') }
  }
  #restart(host: string): void {
    this.#fuse.burn()
    try {
      this.#site.restart(host)
    } catch (error) {
      this.refused = error as Refused
    }
    this.#fuse.burn()
  }
  async #change(
    phase: 'distribute' | 'change' | 'finalise',
    host: string,
    apply: Apply,
  ): Promise<PhaseResult> {
    const [current, pending] = [this.#value(host, 'current'), this.#value(host, 'pending')]
    const before = { ...this.#site.env.get(host)! }
    const after = {
      distribute: { sends: current, also: pending },
      change: { sends: pending, also: current },
      finalise: { sends: pending, also: '' },
    }[phase]
    if (isSameState(before, after)) return { status: 'ok' }
    const change: Change = {
      step: `${phase}@${host}`,
      host,
      module: 'env_file',
      what: clean(phase),
      before,
      after,
    }
    try {
      await apply(change, () => this.write(change, before, after))
    } catch (error) {
      return { status: 'failed', message: clean((error as Error).message) }
    }
    if (phase === 'finalise') this.#restart(host)
    return { status: 'ok' }
  }
  #value(host: string, which: 'current' | 'pending'): string {
    return reveal(this.#values.get(host)![which].get('KEY')!)
  }
  currentSecrets = async (host: string) =>
    new Map([['KEY', new Secret(this.#faults.current?.(host) ?? OLD, 'KEY')]])
  secretShape = () => ({ length: 32, alphabet: '' })
  setSecrets(host: string, values: HostSecrets): void {
    this.#values.set(host, values)
  }
  async reread(change: Change): Promise<State> {
    if (this.#fuse.isDead) throw new Stopped('dead')
    this.#faults.reread?.(change)
    return { ...this.#site.env.get(change.host)! }
  }
  async write(change: Change, from: State, to: State): Promise<void> {
    this.#fuse.burn()
    if (!isSameState({ ...this.#site.env.get(change.host)! }, from))
      throw problem('E_CONFLICT', 'no longer so')
    this.#site.env.set(change.host, to as unknown as Keys)
    this.#fuse.burn()
  }
  async runOnHost(host: string): Promise<never> {
    throw new Error(`a script for ${host}`)
  }
  setFence(): void {}
  snapshot = (): State => ({})
  restore(): void {}
}

const hosts = ['a', 'b', 'c']
/** Before either barrier, and behind the last wave. */
const moments = ['distribute b both', 'verify c both', 'change b pending', 'verify c pending'] as const
const joinsAt = (desk: Desk, moment: string): Faults => ({
  phase: (phase, host, inForce) => {
    if (`${phase} ${host} ${inForce}` === moment) desk.site.join('d')
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
  readonly site = new Site(hosts)
  readonly operator = new Operator()
  async give(
    command: keyof typeof commands,
    fuse = new Fuse(),
    faults: Faults = {},
  ): Promise<RotationOutcome | { error: unknown }> {
    this.operator.disk.fuse = fuse
    const world = new World(this.site, fuse, faults)
    const outcome = await commands[command](world, this.operator.deps()).catch((error: unknown) => ({
      error,
    }))
    if (world.refused) throw world.refused
    return outcome
  }
}
const failed = (message: string): PhaseResult => ({ status: 'failed', message: clean(message) })
const gone = (message: string): PhaseResult => ({ status: 'unreachable', message: clean(message) })

describe('a shared value', () => {
  it('is distributed to all, then sent by all, then the old one is retired', async () => {
    const desk = new Desk()
    expect(await desk.give('run')).toMatchObject({ state: 'committed' })
    expect(desk.site.isNew()).toBe(true)
    expect(await desk.give('finalise')).toMatchObject({ state: 'finalised' })
    expect(desk.site.isRetired()).toBe(true)
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
    expect(desk.site.isOld()).toBe(true)
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
        expect(desk.site.isOld()).toBe(true)
      }
  })
  it('stays accepted everywhere while a host that sends it cannot be reached, and a later rollback ends it', async () => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), {
      phase: (phase, host, inForce) =>
        phase === 'verify' && host === 'c' && inForce === 'pending' ? failed('red') : undefined,
      reread: change => {
        if (change.host === 'b') throw problem('E_UNREACHABLE', 'no route')
      },
    })
    expect(outcome).toMatchObject({ state: 'in_doubt', exit: 'held' })
    expect(desk.site.all(({ sends, also }) => also !== '' && sends !== also)).toBe(true)
    expect(await desk.give('rollback')).toMatchObject({ state: 'rolled_back' })
    expect(desk.site.isOld()).toBe(true)
  })
  it('is not touched where the hosts begin with different values', async () => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), { current: host => (host === 'b' ? 'another' : OLD) })
    expect(outcome).toMatchObject({ state: 'refused', exit: 'preflight' })
    expect((outcome as RotationOutcome).hosts.get('a')!.message).toContain('b has another value than a')
  })
  it.each(moments)('is given to a host that joins at %s, before anybody goes on', async moment => {
    const desk = new Desk()
    const outcome = await desk.give('run', new Fuse(), joinsAt(desk, moment))
    expect(outcome).toMatchObject({ state: 'committed' })
    expect([...(outcome as RotationOutcome).hosts]).toContainEqual(['d', { state: 'committed' }])
    expect([desk.site.isNew(), desk.site.hosts]).toEqual([true, ['a', 'b', 'c', 'd']])
    expect(await desk.give('finalise')).toMatchObject({ state: 'finalised' })
    expect(desk.site.isRetired()).toBe(true)
  })
  it('takes all back when the host that joined cannot be reached, or has another value', async () => {
    for (const more of [
      { phase: (_: Phase, host: string) => (host === 'd' ? gone('no route') : undefined) },
      { current: (host: string) => (host === 'd' ? 'another' : OLD) },
    ]) {
      const desk = new Desk()
      const joins = joinsAt(desk, 'change b pending')
      const outcome = await desk.give('run', new Fuse(), {
        ...more,
        phase: (...call) => joins.phase?.(...call) ?? more.phase?.(call[0], call[1]),
      })
      expect(outcome).toMatchObject({ state: 'rolled_back', exit: 'rolledBack' })
      expect(desk.site.isOld()).toBe(true)
    }
  })
  it('is not ended while a host has joined that may still send the old one', async () => {
    const desk = new Desk()
    await desk.give('run')
    desk.site.join('d')
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
        expect([point, command, desk.site.isOld() !== desk.site.isNew()]).toEqual([point, command, true])
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
        expect([point, second, desk.site.isOld() !== desk.site.isNew()]).toEqual([point, second, true])
      }
    }
  console.log(`pairs of stops: ${pairs}`)
  expect(pairs).toBeGreaterThan(200)
})
