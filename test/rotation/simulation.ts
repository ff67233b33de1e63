// A fleet in memory, a disk that loses what was not synced, and a stop that can be put at any effect of either.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { problem } from '../../src/core/error.ts'
import type { RunEvent } from '../../src/core/event.ts'
import type { Prove } from '../../src/core/fence.ts'
import type { Phase, SecretSpec } from '../../src/core/play.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { fingerprint, reveal, Secret } from '../../src/core/secret.ts'
import type {
  Apply,
  Change,
  HostSecrets,
  InForce,
  PhaseResult,
  RotationWorld,
} from '../../src/core/transaction.ts'
import { isSameState, type State } from '../../src/core/value.ts'
import type { AppendFile, Disk } from '../../src/rotation/disk.ts'
import type { Processes } from '../../src/rotation/lock.ts'
import type { RotationDeps } from '../../src/rotation/run.ts'
import { makeRunFolder, nextRunId, type RunFolder } from '../../src/rotation/run-folder.ts'
import { generateSecret } from '../../src/secrets/generate.ts'
import { loadIdentity } from '../../src/secrets/identity.ts'
import { createSealer } from '../../src/secrets/seal.ts'
import { type Host, inPlace, type Known, type Scheme, type Task, valueIn } from './schemes.ts'

export class Stopped extends Error {}

/** Counts effects and, at the chosen one, stops this life for good: nothing works after it. */
export class Fuse {
  points = 0
  isDead = false
  readonly #at: number
  constructor(at = Number.POSITIVE_INFINITY) {
    this.#at = at
  }
  burn(): void {
    if (this.isDead) throw new Stopped('dead')
    if (++this.points !== this.#at) return
    this.isDead = true
    throw new Stopped(`stopped at ${this.#at}`)
  }
}

/** Bytes reach `volatile` by append and `durable` by sync. A kill keeps the first, a power cut only the second. */
class MemoryDisk implements Disk {
  readonly files = new Map<string, { volatile: Buffer; durable: Buffer }>()
  fuse = new Fuse()
  /** Appends fail from now on, as on a full disk. */
  isFull = false
  #file(path: string) {
    const found = this.files.get(path) ?? { volatile: Buffer.alloc(0), durable: Buffer.alloc(0) }
    this.files.set(path, found)
    return found
  }
  reboot(how: 'kill' | 'power', fuse: Fuse): void {
    for (const file of this.files.values()) {
      if (how === 'power') file.volatile = file.durable
      else file.durable = file.volatile
    }
    this.fuse = fuse
  }
  async createFolder(): Promise<void> {}
  async list(folder: string): Promise<readonly string[]> {
    const inside = [...this.files.keys()].filter(path => path.startsWith(`${folder}/`))
    return inside.map(path => path.slice(folder.length + 1))
  }
  async read(path: string): Promise<Buffer | undefined> {
    return this.files.get(path)?.volatile
  }
  async createWhole(path: string, text: string): Promise<boolean> {
    this.fuse.burn()
    if (this.files.has(path)) return false
    this.files.set(path, { volatile: Buffer.from(text), durable: Buffer.from(text) })
    return true
  }
  async remove(path: string): Promise<void> {
    this.fuse.burn()
    this.files.delete(path)
  }
  async openAppend(path: string): Promise<AppendFile> {
    const file = this.#file(path)
    const add = (bytes: Uint8Array): void => {
      file.volatile = Buffer.concat([file.volatile, bytes])
    }
    return {
      append: async bytes => {
        this.fuse.burn()
        if (this.isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        // In two halves, with a stop between them: a torn write.
        const half = Math.floor(bytes.length / 2)
        add(bytes.subarray(0, half))
        this.fuse.burn()
        add(bytes.subarray(half))
        this.fuse.burn()
      },
      sync: async () => {
        this.fuse.burn()
        file.durable = file.volatile
        this.fuse.burn()
      },
      truncate: async sizeBytes => {
        this.fuse.burn()
        file.volatile = file.volatile.subarray(0, sizeBytes)
      },
      close: async () => {},
    }
  }
  async syncFolder(): Promise<void> {
    this.fuse.burn()
  }
}

export const oldHost = ({ env, role }: Scheme = inPlace): Host => ({
  env,
  role,
  running: env + role,
  revoked: false,
})
const isOldOf = (scheme: Scheme, host: Host): boolean => {
  const old = oldHost(scheme)
  return JSON.stringify({ ...host, running: host.running || old.running }) === JSON.stringify(old)
}
export const isOld = (host: Host): boolean => isOldOf(inPlace, host)
export const isNew = (host: Host): boolean => inPlace.isNew(host)

export interface Faults {
  /** What a phase says of a host instead of running there. Called before each. */
  phase?: (phase: Phase, host: string, inForce: InForce) => PhaseResult | undefined
  /** Called around each write; may throw. `after` runs when the write has happened. */
  beforeWrite?: (change: Change) => void
  afterWrite?: (change: Change) => void
  beforeReread?: (change: Change) => void
  /** The value that a host says is in force, where it is another one; may throw. */
  current?: (host: string) => unknown
}

export class Fleet {
  readonly hosts = new Map<string, Host>()
  readonly waves: string[][]
  readonly scheme: Scheme
  /** Who was refused at some instant, though nobody may be. */
  readonly refused = new Set<string>()
  writes = 0
  constructor(waves: string[][], scheme = inPlace) {
    this.waves = waves
    this.scheme = scheme
    for (const host of waves.flat()) this.hosts.set(host, oldHost(scheme))
  }
  /** A host that knows the old values only. When new ones are in use already, it takes part from its first restart on. */
  join(name: string): void {
    if (this.hosts.has(name)) return
    const host = oldHost(this.scheme)
    if (![...this.hosts.values()].every(({ running }) => running === host.running)) host.running = ''
    this.hosts.set(name, host)
    this.waves.at(-1)!.push(name)
  }
  /** Asks everybody, after each thing that happens. */
  look(): void {
    const refused = this.scheme.refused?.(this.hosts)
    if (refused !== undefined) this.refused.add(refused)
  }
  restart(name: string): void {
    const host = this.hosts.get(name)!
    host.running = host.env + host.role
    this.look()
  }
  isOldHost(name: string): boolean {
    return isOldOf(this.scheme, this.hosts.get(name)!)
  }
  isOld(): boolean {
    return [...this.hosts.keys()].every(name => this.isOldHost(name))
  }
  /** A value that hosts share is the same on all. */
  isNew(): boolean {
    const hosts = [...this.hosts.values()]
    const isShared = ({ name, shared = false }: SecretSpec): boolean =>
      !shared || new Set(hosts.map(({ env }) => valueIn(env, name))).size === 1
    return hosts.every(this.scheme.isNew) && this.scheme.secrets.every(isShared)
  }
}

const clean = createRedactor().clean

const toState = ({ changes }: Task, text: string): State =>
  changes === 'role'
    ? { role: new Secret(text, 'verifier') }
    : { path: '/.env', text: new Secret(text, 'env') }

/** One life of the engine over a fleet: what it knows in memory dies with it. */
export class World implements RotationWorld {
  hosts: readonly string[]
  waves: readonly (readonly string[])[]
  readonly secrets: readonly SecretSpec[]
  readonly distributes: boolean
  readonly setHosts?: (hosts: readonly string[]) => Promise<void>
  readonly #fleet: Fleet
  readonly #fuse: Fuse
  readonly #faults: Faults
  readonly #values = new Map<string, HostSecrets>()
  readonly log: string[] = []
  /** The engine's redactor. */
  clean = clean
  #registered: Record<string, string> = {}
  constructor(fleet: Fleet, fuse = new Fuse(), faults: Faults = {}) {
    this.hosts = fleet.waves.flat()
    this.waves = fleet.waves.map(wave => [...wave])
    this.secrets = fleet.scheme.secrets
    this.distributes = fleet.scheme.tasks.some(({ phase }) => phase === 'distribute')
    this.#fleet = fleet
    this.#fuse = fuse
    this.#faults = faults
    if (this.distributes)
      this.setHosts = async hosts => {
        fuse.burn()
        this.hosts = hosts
        this.waves = fleet.waves.map(wave => wave.filter(host => hosts.includes(host)))
      }
  }

  async joined(): Promise<readonly string[]> {
    return this.#fleet.waves.flat().filter(host => !this.hosts.includes(host))
  }
  isReadying({ what }: Change): boolean {
    return this.#fleet.scheme.tasks.some(task => task.name === what && task.isReadying)
  }
  async runPhase(phase: Phase, hosts: readonly string[], inForce: InForce, apply: Apply) {
    this.log.push(`${phase} ${hosts.join(',')} ${inForce}`)
    const results = new Map<string, PhaseResult>()
    const isChange = this.#fleet.scheme.tasks.some(task => task.phase === phase)
    const run = isChange ? this.#change : this.#act
    await Promise.all(
      hosts.map(async host => {
        const fault = this.#faults.phase?.(phase, host, inForce)
        results.set(host, fault ?? (await run.call(this, phase, host, inForce, apply)))
      }),
    )
    this.#registered = { ...this.#registered, [phase]: hosts.join() }
    return results
  }

  async #change(phase: Phase, host: string, _inForce: InForce, apply: Apply): Promise<PhaseResult> {
    const target = this.#fleet.hosts.get(host)!
    for (const task of this.#fleet.scheme.tasks.filter(task => task.phase === phase)) {
      const text = target[task.changes]
      const [before, after] = [toState(task, text), toState(task, task.edit(text, this.#known(host)))]
      if (isSameState(before, after)) continue
      const change: Change = {
        step: `${task.name}@${host}`,
        host,
        module: task.changes === 'role' ? 'postgresql_user' : 'env_file',
        what: clean(task.name),
        before,
        after,
      }
      try {
        await apply(change, () => this.write(change, before, after))
      } catch (error) {
        const { code } = error as { code?: string }
        const status = code === 'E_UNKNOWN' ? 'unknown' : code === 'E_UNREACHABLE' ? 'unreachable' : 'failed'
        return { status, message: this.clean(String((error as Error).message)) }
      }
    }
    if (phase === 'finalise') this.#restart(host)
    return { status: 'ok' }
  }
  #restart(host: string): void {
    this.#fuse.burn()
    this.#fleet.restart(host)
    this.#fuse.burn()
  }

  async #act(phase: Phase, host: string, inForce: InForce): Promise<PhaseResult> {
    const target = this.#fleet.hosts.get(host)!
    if (phase === 'converge') this.#restart(host)
    if (phase === 'committed') {
      this.#fuse.burn()
      target.revoked = true
      this.#fuse.burn()
    }
    const isKnown = (this.#values.get(host)?.current.size ?? 0) > 0
    const env = isKnown ? this.#fleet.scheme.wants(this.#known(host), inForce) : target.env
    const isGreen = target.running === target.env + target.role && target.env === env
    return phase !== 'verify' || isGreen
      ? { status: 'ok' }
      : { status: 'failed', message: clean('not green') }
  }

  #known(host: string): Known {
    const { current, pending } = this.#values.get(host)!
    const plain = (values: HostSecrets['current']) =>
      Object.fromEntries([...values].map(([name, secret]) => [name, reveal(secret)]))
    return { current: plain(current), pending: plain(pending) }
  }
  #read({ host, what }: Change): State {
    const task = this.#fleet.scheme.tasks.find(({ name }) => name === what)!
    return toState(task, this.#fleet.hosts.get(host)![task.changes])
  }

  async currentSecrets(host: string): Promise<ReadonlyMap<string, Secret>> {
    const other = this.#faults.current?.(host)
    const { env } = this.#fleet.hosts.get(host)!
    const value = (name: string): string => (typeof other === 'string' ? other : valueIn(env, name))
    return new Map(this.secrets.map(({ name }) => [name, new Secret(value(name), name)]))
  }
  secretShape() {
    return { length: 32, alphabet: '' }
  }
  setSecrets(host: string, values: HostSecrets): void {
    this.#values.set(host, values)
  }
  async reread(change: Change): Promise<State> {
    if (this.#fuse.isDead) throw new Stopped('dead')
    this.#faults.beforeReread?.(change)
    return this.#read(change)
  }
  async write(change: Change, from: State, to: State): Promise<void> {
    this.#fuse.burn()
    this.#faults.beforeWrite?.(change)
    const target = this.#fleet.hosts.get(change.host)!
    if (!isSameState(this.#read(change), from)) throw problem('E_CONFLICT', 'no longer so')
    const state = to as { role?: Secret; text?: Secret }
    if (state.role) target.role = reveal(state.role)
    if (state.text) target.env = reveal(state.text)
    this.#fleet.writes++
    this.#fleet.look()
    this.#fuse.burn()
    this.#faults.afterWrite?.(change)
  }
  /** Copies and locks on simulated hosts are given as such: no script is run. */
  async runOnHost(host: string): Promise<never> {
    throw new Error(`a script for ${host}`)
  }
  setFence(_host?: string, _prove?: Prove): void {}
  snapshot(): State {
    return this.#registered
  }
  restore(snapshot: State): void {
    this.#registered = snapshot as Record<string, string>
  }
}

/** A machine of an operator: its disk outlives its processes. */
export class Operator {
  readonly disk = new MemoryDisk()
  readonly events: RunEvent[] = []
  #pid = 1
  readonly #processes: Processes = {
    self: () => ({ machine: 'm', boot: 'b', pid: this.#pid, started: '1' }),
    isAlive: holder => holder.pid === this.#pid,
  }
  reboot(how: 'kill' | 'power', fuse: Fuse): void {
    this.disk.reboot(how, fuse)
    this.#pid++
  }
  deps(more: Partial<RotationDeps> = {}): RotationDeps {
    return {
      folder: '/run',
      run: '20261123T034500Z-k3f9',
      plan: 'p'.repeat(64),
      reason: 'scheduled',
      sealer,
      generate: (shape, name) => generateSecret(shape, name, randomBytes),
      given: new Map(),
      fingerprint: secret => fingerprint(secret, Buffer.alloc(32)),
      emit: event => void this.events.push(event),
      clean,
      now: () => new Date('2026-11-23T03:45:00Z'),
      disk: this.disk,
      processes: this.#processes,
      wait: async () => {},
      ...more,
    }
  }
  states(): string[] {
    return this.events.flatMap(event =>
      event.type === 'rotation.state' ? [`${event.host} ${event.state}`] : [],
    )
  }
}

/** The folder of a new run on a real disk. */
export async function makeRun(state: string, now: Date): Promise<RunFolder> {
  const id = await nextRunId(state, now, randomBytes)
  const folder = join(state, 'runs', id)
  await makeRunFolder(folder)
  return { id, folder }
}

// One key for all simulated runs: making one costs milliseconds, and there are thousands.
const folder = `${process.env['TMPDIR'] ?? '/tmp'}/rota-simulation-${process.pid}`
const { identity, recipient } = await loadIdentity(folder)
await import('node:fs/promises').then(fs => fs.rm(folder, { recursive: true }))
export const realSealer = createSealer(identity, [recipient])
const made = await realSealer.createKey()
const sealer: RotationDeps['sealer'] = { createKey: async () => made, openKey: async () => made.key }
