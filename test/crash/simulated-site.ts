// A fleet, its operators, and one trial: a run that is struck, a recovery that may be struck too, and a look at what is left.
import type { Phase } from '../../src/core/play.ts'
import { reveal } from '../../src/core/secret.ts'
import type { FleetRule, HostSecrets, InForce, PhaseResult, Reason } from '../../src/core/transaction.ts'
import { createHostJournal, rebuildJournal } from '../../src/rotation/host-journal.ts'
import { createHostLocks, freeHost, type Owner, takeCopy } from '../../src/rotation/host-lock.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import type { RotationDeps } from '../../src/rotation/run.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { alternating, distributed, type Scheme } from '../rotation/schemes.ts'
import { type Faults, Fleet, Fuse, Operator } from '../rotation/simulation.ts'
import { watchDisk } from './doors.ts'
import { FleetWorld } from './fleet-world.ts'
import { SimulatedHost } from './simulated-host.ts'
import { type Fault, Tripwire } from './tripwire.ts'

const works = { run: runRotation, resume: resumeRotation, rollback: rollbackRotation }
export type Way = 'resume' | 'rollback'

/** What is rotated. */
export interface Story {
  readonly name: string
  readonly waves: readonly (readonly string[])[]
  readonly reason?: Reason
  /** This host's verify is red with the new secrets. */
  readonly red?: string
  readonly scheme?: Scheme
  readonly rule?: FleetRule
}
export const stories: readonly Story[] = [
  { name: 'one host', waves: [['a']] },
  { name: 'two waves', waves: [['a'], ['b']] },
  { name: 'verify red', waves: [['a'], ['b']], red: 'b' },
  { name: 'incident', waves: [['a', 'b']], reason: 'incident' },
  {
    name: 'commit: host',
    waves: [['a'], ['b']],
    rule: { commit: 'host', failureBudget: 0 },
  },
  {
    name: 'commit: host, one red within the budget',
    waves: [['a'], ['b', 'c']],
    rule: { commit: 'host', failureBudget: 1 },
    red: 'b',
  },
  { name: 'distribute', waves: [['a'], ['b']], scheme: distributed },
  { name: 'distribute, verify red', waves: [['a'], ['b']], scheme: distributed, red: 'b' },
  { name: 'alternate', waves: [['a'], ['b']], scheme: alternating },
  { name: 'alternate, verify red', waves: [['a'], ['b']], scheme: alternating, red: 'b' },
]

export interface Trial {
  readonly story: Story
  readonly fault: Fault
  /** Which point of the run is struck, from 1. */
  readonly at: number
  readonly way: Way
  /** Which point of the recovery is struck too, by kill -9. */
  readonly again?: number
}
export interface Verdict {
  /** False: the run has no such point. */
  readonly isStruck: boolean
  /** What is not as it has to be; empty when everything is whole. */
  readonly wrong: readonly string[]
  readonly point: string
  readonly state: string
  /** How many points the recovery passed. */
  readonly recovery: number
}

type Ended = RotationOutcome | { readonly error: unknown }
const run = '20261123T034500Z-k3f9'

class Machine extends Operator {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
}

class Site {
  readonly fleet: Fleet
  readonly hosts = new Map<string, SimulatedHost>()
  readonly secrets = new Set<string>()
  readonly #story: Story
  #lives = 0
  constructor(story: Story) {
    this.#story = story
    this.fleet = new Fleet(
      story.waves.map(wave => [...wave]),
      story.scheme,
    )
    for (const name of story.waves.flat()) this.hosts.set(name, new SimulatedHost(name))
  }

  /** One process of rota on a machine. */
  async live(machine: Machine, work: 'run' | Way, wire: Tripwire): Promise<Ended> {
    const { world, owner } = this.#open(machine, wire)
    if (this.#story.rule) Object.assign(world, { rule: this.#story.rule })
    const { setFence } = world
    const hostLocks = createHostLocks({ ...owner, setFence: setFence.bind(world) })
    const { secrets } = this
    const set = world.setSecrets.bind(world)
    world.setSecrets = (host: string, values: HostSecrets) => {
      for (const secret of values.pending.values()) secrets.add(reveal(secret))
      set(host, values)
    }
    const deps: RotationDeps = machine.deps({
      run,
      reason: this.#story.reason ?? 'scheduled',
      disk: watchDisk(machine.disk, wire),
      hostLocks,
      hostJournal: createHostJournal(run, owner.runOnHost, hostLocks.prove),
      settleEvidence: async () => {
        await wire.pass('evidence settle')
      },
      refuseOverlap: async () => {},
    })
    return works[work](world, deps).catch(error => ({ error }))
  }
  #open(machine: Machine, wire: Tripwire): { readonly world: FleetWorld; readonly owner: Owner } {
    const world = new FleetWorld(this.fleet, this.hosts, wire, redVerify(this.#story.red))
    const owner: Owner = {
      run,
      operator: machine.name,
      token: `${machine.name}${++this.#lives}`,
      now: () => new Date('2026-11-23T03:45:00Z'),
      runOnHost: (host, script, params) => world.runOnHost(host, script, params),
    }
    return { world, owner }
  }

  /**
   * As `--from-host`: the run's hold of every host and its copies, onto another machine. False: the run had changed nothing, and the host is given
   * back.
   */
  async takeOver(machine: Machine, wire: Tripwire): Promise<boolean> {
    const { owner } = this.#open(machine, wire)
    const copies = new Map<string, string>()
    for (const host of this.hosts.keys()) {
      const { isHeld, journal } = await takeCopy(host, owner)
      if (journal !== undefined || isHeld) copies.set(host, journal ?? '')
    }
    const has = (type: string): boolean =>
      [...copies.values()].some(journal => journal.includes(`"type":"${type}"`))
    // The run is over, and of a copy only its end may be left: `rota recover HOST` gives the host back.
    if (has('begin') && !has('end')) {
      await rebuildJournal('/run', copies, watchDisk(machine.disk, wire))
      return true
    }
    for (const host of copies.keys()) await freeHost(host, owner)
    return false
  }

  /** The command as a person gives it until it is done: a rollback that comes too late is answered by a resume. */
  async settle(machine: Machine, way: Way): Promise<{ readonly ended: Ended; readonly points: number }> {
    const wire = new Tripwire()
    let ended = await this.live(machine, way, wire)
    if ('error' in ended && codeOf(ended.error) === 'E_HELD') ended = await this.live(machine, 'resume', wire)
    return { ended, points: wire.points.length }
  }

  /** What is not whole on the hosts, given how the run says that it ended. */
  look(ended: Ended): string[] {
    const state = stateOf(ended)
    const wrong = [...this.fleet.refused]
    if (state === 'rolled_back' && this.#story.reason === 'incident' && this.fleet.writes > 0)
      wrong.push('an incident went back')
    if (!['committed', 'committed_with_warnings', 'rolled_back', 'refused'].includes(state))
      wrong.push(`the recovery ends ${state}`)
    else wrong.push(...this.#lookAtHosts(ended))
    wrong.push(...this.#lookAtBooks())
    return wrong
  }
  /** Where every host is a transaction of its own, each is whole as its own state says; else all are as the run's. */
  #lookAtHosts(ended: Ended): string[] {
    const wrong: string[] = []
    const state = stateOf(ended)
    for (const [name, host] of this.fleet.hosts) {
      const own = (this.#story.rule && 'hosts' in ended && ended.hosts.get(name)?.state) || state
      const isCommitted = own.startsWith('committed')
      if (isCommitted && name === this.#story.red) wrong.push(`${name} ${own}, though verify is red`)
      const seen = own === 'committed' ? host : { ...host, revoked: true }
      const isWhole = isCommitted ? this.fleet.scheme.isNew(seen) : this.fleet.isOldHost(name)
      if (!isWhole) wrong.push(`${own}, but ${name} is not ${isCommitted ? 'new' : 'old'}`)
    }
    const isAllNew = state === 'committed' && !this.#story.rule
    if (isAllNew && !this.fleet.isNew()) wrong.push('the hosts do not share what they should')
    if (!this.#story.rule && this.#story.red && state.startsWith('committed'))
      wrong.push(`${state}, though verify is red`)
    return wrong
  }
  #lookAtBooks(): string[] {
    const wrong: string[] = []
    for (const { name, book } of this.hosts.values()) {
      if (book.isHeld()) wrong.push(`${name} is still locked`)
      for (const journal of book.journals.values())
        if (this.#hasSecret(journal)) wrong.push(`a secret lies in plain in the journal on ${name}`)
    }
    return wrong
  }
  /** Nobody was left to say how it ended: all old, or all new. */
  lookUnsaid(): string[] {
    const state = this.fleet.isOld() ? 'rolled_back' : 'committed'
    return this.look({ state, hosts: new Map(), exit: 'ok' })
  }
  lookAt(machine: Machine): string[] {
    const files = [...machine.disk.files].filter(([, { volatile }]) => this.#hasSecret(volatile.toString()))
    return files.map(([path]) => `a secret lies in plain in ${path}`)
  }
  #hasSecret(text: string): boolean {
    return [...this.secrets].some(secret => text.includes(secret))
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code)
}
function redVerify(red: string | undefined): Faults {
  if (red === undefined) return {}
  return {
    phase: (phase: Phase, host: string, inForce: InForce): PhaseResult | undefined =>
      phase === 'verify' && host === red && inForce === 'pending'
        ? { status: 'failed', message: 'red' as never }
        : undefined,
  }
}
function stateOf(ended: Ended): string {
  if ('state' in ended) return ended.state
  const { error } = ended
  return `with ${codeOf(error)}: ${(error as Error).message}`
}

/** The points of a run that nothing strikes, by name. */
export async function census(story: Story): Promise<readonly string[]> {
  const wire = new Tripwire()
  await new Site(story).live(new Machine('alice'), 'run', wire)
  return wire.points
}

/** Strikes, recovers, and looks. */
export async function tryOut(trial: Trial): Promise<Verdict> {
  return ['stop', 'partition', 'laptop'].includes(trial.fault) ? tryTakenOver(trial) : tryStruck(trial)
}

/** The same machine takes the run up again, after the process has died or ended by itself. */
async function tryStruck({ story, fault, at, way, again }: Trial): Promise<Verdict> {
  const site = new Site(story)
  const alice = new Machine('alice')
  const wire = new Tripwire(fault, at)
  await site.live(alice, 'run', wire)
  if (!wire.isStruck) return missed
  const reboot = (): void => alice.reboot(fault === 'power' ? 'power' : 'kill', new Fuse())
  reboot()
  for (const host of site.hosts.values()) host.landLate(true)
  if (again !== undefined) {
    const second = new Tripwire(fault === 'power' ? 'power' : 'kill', again)
    await site.live(alice, way, second)
    if (!second.isStruck) return missed
    reboot()
  }
  const { ended, points } = await site.settle(alice, way)
  const state = stateOf(ended)
  const wrong = [...site.look(ended), ...site.lookAt(alice), ...(await lookAgain(site, alice, state))]
  return { isStruck: true, wrong, point: wire.points[at - 1]!, state, recovery: points }
}
const missed: Verdict = { isStruck: false, wrong: [], point: '', state: '', recovery: 0 }

/** Once ended, a run answers the same for ever and touches nothing. */
async function lookAgain(site: Site, machine: Machine, state: string): Promise<string[]> {
  const { writes } = site.fleet
  const again = stateOf(await site.live(machine, 'resume', new Tripwire()))
  const wrong: string[] = []
  if (again !== state) wrong.push(`resume says ${again} after ${state}`)
  if (site.fleet.writes !== writes) wrong.push('resume changed something after the end')
  return wrong
}

/**
 * The process sleeps, or goes on where it reaches no host, or is gone with its machine; a colleague finishes from the hosts. If it
 * wakes it may change nothing any more, nor say that it committed what did not stay so.
 */
async function tryTakenOver({ story, fault, at, way, again }: Trial): Promise<Verdict> {
  const site = new Site(story)
  const [alice, bob] = [new Machine('alice'), new Machine('bob')]
  const wire = new Tripwire(fault, at)
  const living = site.live(alice, 'run', wire)
  await (fault === 'stop' ? Promise.race([living, wire.frozen]) : living)
  if (!wire.isStruck) return missed
  const taken = (await site.takeOver(bob, new Tripwire())) ? await finish(site, bob, way, again) : undefined
  if (taken === 'missed') return missed
  const wrong = taken ? site.look(taken.ended) : []
  const { writes } = site.fleet
  wire.wake()
  const claim = await living
  if (taken) {
    const state = stateOf(taken.ended)
    if (site.fleet.writes !== writes) wrong.push('whoever was taken over wrote something')
    if (stateOf(claim).startsWith('committed') && !state.startsWith('committed'))
      wrong.push(`whoever was taken over says ${stateOf(claim)}`)
    wrong.push(...site.look(taken.ended))
  } else wrong.push(...(await lookUntaken(site, fault === 'laptop' ? undefined : alice, claim)))
  return {
    isStruck: true,
    wrong: [...wrong, ...site.lookAt(alice), ...site.lookAt(bob)],
    point: wire.points[at - 1]!,
    state: taken ? stateOf(taken.ended) : 'refused',
    recovery: taken?.points ?? 0,
  }
}
async function finish(site: Site, machine: Machine, way: Way, again: number | undefined) {
  if (again !== undefined) {
    const second = new Tripwire('kill', again)
    await site.live(machine, way, second)
    if (!second.isStruck) return 'missed'
    machine.reboot('kill', new Fuse())
  }
  return site.settle(machine, way)
}

/** Nobody had anything to take over: the first process went on, or was refused and left everything old; or is no more. */
async function lookUntaken(site: Site, machine: Machine | undefined, claim: Ended): Promise<string[]> {
  if (machine === undefined) return site.lookUnsaid()
  if (['committed', 'committed_with_warnings', 'rolled_back'].includes(stateOf(claim)))
    return site.look(claim)
  machine.reboot('kill', new Fuse())
  const { ended } = await site.settle(machine, 'rollback')
  return site.look(ended)
}
