// The simulated fleet of test/rotation, with every word to a host going through a link that passes points.
import { problem } from '../../src/core/error.ts'
import { type Fence, type Prove, requireHeld } from '../../src/core/fence.ts'
import type { Phase } from '../../src/core/play.ts'
import type { Ran, ScriptParams } from '../../src/core/remote.ts'
import type { Script } from '../../src/core/script.ts'
import type { Apply, Change, InForce, PhaseResult } from '../../src/core/transaction.ts'
import type { State } from '../../src/core/value.ts'
import { type Faults, type Fleet, Fuse, World } from '../rotation/simulation.ts'
import { isNoRoom, Link, type SimulatedHost } from './simulated-host.ts'
import type { Tripwire } from './tripwire.ts'

/** One life of rota's engine over the fleet. */
export class FleetWorld extends World {
  readonly #links = new Map<string, Link>()
  readonly #fences = new Map<string, Prove>()
  readonly #fleet: Fleet
  constructor(fleet: Fleet, hosts: ReadonlyMap<string, SimulatedHost>, wire: Tripwire, faults: Faults = {}) {
    super(fleet, new Fuse(), faults)
    this.#fleet = fleet
    for (const [name, host] of hosts) this.#links.set(name, new Link(host, wire))
  }
  override setFence(host: string, prove: Prove): void {
    this.#fences.set(host, prove)
  }
  override async runOnHost(host: string, _script?: Script, params: ScriptParams = {}): Promise<never> {
    const ran: Ran = await this.#links.get(host)!.script(params)
    return ran as never
  }

  /** A task's script: guarded, then line by line what it does. */
  async #task<T>(
    host: string,
    what: string,
    effect: (onLine: (line: string, writes: boolean) => void) => T,
  ): Promise<T> {
    const link = this.#links.get(host)!
    const fence = await this.#fences.get(host)?.()
    const guard = (): void => {
      if (fence) refuseFenced(host, fence, link)
    }
    return link.call(what, effect, guard).catch(error => {
      throw isNoRoom(error) ? problem('E_FILE', `${host}: no space left on device`) : error
    })
  }

  override async runPhase(phase: Phase, hosts: readonly string[], inForce: InForce, apply: Apply) {
    const results = new Map<string, PhaseResult>()
    await Promise.all(
      hosts.map(async host => {
        results.set(
          host,
          await this.#runOn(phase, host, inForce, apply).catch(error => this.#toResult(error)),
        )
      }),
    )
    return results
  }
  async #runOn(phase: Phase, host: string, inForce: InForce, apply: Apply): Promise<PhaseResult> {
    const run = async (): Promise<PhaseResult> =>
      (await super.runPhase(phase, [host], inForce, apply)).get(host)!
    if (this.#fleet.scheme.tasks.some(task => task.phase === phase)) {
      await this.#task(host, 'read', () => {})
      return run()
    }
    await this.#task(host, phase, onLine => {
      if (phase === 'converge') {
        onLine('restart', true)
        this.#fleet.restart(host)
        onLine('restarted', false)
      }
      if (phase === 'committed') {
        onLine('revoke', true)
        this.#fleet.hosts.get(host)!.revoked = true
        onLine('revoked', false)
      }
    })
    // What the phase itself does is done above; what is left is to look.
    if (phase === 'converge' || phase === 'committed') return { status: 'ok' }
    return run()
  }
  #toResult(error: unknown): PhaseResult {
    const { code, message } = error as { code?: string; message: string }
    const status = code === 'E_UNKNOWN' ? 'unknown' : code === 'E_UNREACHABLE' ? 'unreachable' : 'failed'
    return { status, message: this.clean(String(message)) }
  }

  override async currentSecrets(host: string) {
    await this.#task(host, 'read', () => {})
    return super.currentSecrets(host)
  }
  override async reread(change: Change): Promise<State> {
    await this.#task(change.host, 'reread', () => {})
    return super.reread(change)
  }
  /** The compare-and-set: what is compared is compared when the script gets there, not when it was sent. */
  override async write(change: Change, from: State, to: State): Promise<void> {
    let done: Promise<void> | undefined
    await this.#task(change.host, `write ${change.what}`, onLine => {
      onLine('draft', true)
      onLine('mv', true)
      done = super.write(change, from, to)
      // A write that lands late has nobody to answer to.
      done.catch(() => {})
      onLine('sync', false)
    })
    await done
  }
}

/** The guard that every script of a task begins with. */
function refuseFenced(host: string, fence: Fence, link: Link): void {
  const fenced = link.host.book.guard(fence)
  if (fenced !== undefined) requireHeld(host, fence, { values: { fenced } })
}
