// A host behind a link that can fail: what is sent to it passes points on the way, on the host line by line, and on the way back.
import { problem, type RotaError } from '../../src/core/error.ts'
import type { Ran, ScriptParams } from '../../src/core/remote.ts'
import { HostBook, type OnLine } from './host-book.ts'
import { type Fault, ShellKilled, type Tripwire } from './tripwire.ts'

class HostFull extends Error {}

/** Faults after which the answer of a call that was under way never comes. */
const losing: ReadonlySet<Fault> = new Set(['cut', 'gone', 'partition', 'shell', 'session'])

/** How many calls a cut link refuses before it is up again: fewer than a probe asks. */
const CUT_CALLS = 3

/** A script that runs on without its sshd lands before one of the next calls, so many at the most. */
const LATEST = 10

/** What lies on the host, for as long as it exists. Operators come and go. */
export class SimulatedHost {
  readonly name: string
  readonly book = new HostBook()
  /** Scripts whose sshd died run on, and land while so many more calls are made. */
  late: { calls: number; readonly land: () => void }[] = []
  constructor(name: string) {
    this.name = name
  }
  landLate(isAll = false): void {
    const due = this.late.filter(script => isAll || script.calls-- <= 0)
    this.late = this.late.filter(script => !due.includes(script))
    for (const script of due) script.land()
  }
}

const unreachable = (host: string): RotaError => problem('E_UNREACHABLE', `${host} does not answer`)
const unknown = (host: string): RotaError =>
  problem('E_UNKNOWN', `${host}: the channel closed without an exit status`)

/** The way of one operator's process to one host. */
export class Link {
  readonly host: SimulatedHost
  readonly #wire: Tripwire
  #refuses = 0
  #isFull = false
  /** The process's idle shells died with the fault: the next call finds that out. */
  #broken: 'shell' | 'session' | undefined
  #isTold = false
  constructor(host: SimulatedHost, wire: Tripwire) {
    this.host = host
    this.#wire = wire
  }

  /** What a fault that struck elsewhere means for this link; asked before each call. */
  #learn(): void {
    if (!this.#wire.isStruck || this.#isTold) return
    this.#isTold = true
    const { fault } = this.#wire
    if (fault === 'cut') this.#refuses = CUT_CALLS
    if (fault === 'gone' || fault === 'partition') this.#refuses = Number.POSITIVE_INFINITY
    if (fault === 'full-host') this.#isFull = true
    if (fault === 'shell' || fault === 'session') this.#broken = fault
  }
  #refuse(): void {
    if (this.#refuses > 0) {
      this.#refuses--
      throw unreachable(this.host.name)
    }
    const broken = this.#broken
    this.#broken = undefined
    if (broken === 'shell') throw unknown(this.host.name)
    if (broken === 'session') throw unreachable(this.host.name)
  }

  /**
   * One round trip. `effect` is what the host does; `guard` what its script asks first, at once, even if the rest comes late.
   * Rejects with E_UNREACHABLE when nothing was sent, E_UNKNOWN when nobody knows.
   */
  async call<T>(what: string, effect: (onLine: OnLine) => T, guard = (): void => {}): Promise<T> {
    const { name } = this.host
    this.#learn()
    this.#refuse()
    const isHere = await this.#wire.pass(`send ${what}`)
    this.#learn()
    if (isHere && this.#wire.fault === 'session') {
      this.#broken = undefined
      guard()
      this.host.late.push({ calls: this.#wire.points.length % LATEST, land: () => void effect(() => {}) })
      throw unknown(name)
    }
    this.#refuse()
    this.host.landLate()
    guard()
    const { result, isLost } = this.#run(what, effect)
    const isCut = (await this.#wire.pass(`answer ${what}`)) || isLost
    this.#learn()
    if (isCut && this.#wire.fault !== undefined && losing.has(this.#wire.fault)) {
      this.#broken = undefined
      throw unknown(name)
    }
    return result
  }

  /** The host's own part: it goes on when the operator dies, and ends when its shell is killed. */
  #run<T>(what: string, effect: (onLine: OnLine) => T): { readonly result: T; readonly isLost: boolean } {
    let isLost = false
    const onLine: OnLine = (line, writes) => {
      const isHere = this.#wire.passOnHost(`host ${what}: ${line}`)
      if (isHere && this.#wire.fault === 'full-host') this.#learn()
      if (writes && this.#isFull) throw new HostFull('no space left on device')
      if (isHere && this.#wire.fault === 'shell') throw new ShellKilled(line)
      isLost ||= isHere
    }
    try {
      return { result: effect(onLine), isLost }
    } catch (error) {
      if (error instanceof ShellKilled) {
        this.#isTold = true
        throw unknown(this.host.name)
      }
      throw error
    }
  }

  /** One of the transaction's own scripts. */
  async script(params: ScriptParams): Promise<Ran> {
    const what = bookWord(params)
    const { book } = this.host
    return this.call(what, onLine => {
      try {
        return book.run(params, onLine)
      } catch (error) {
        if (!(error instanceof HostFull)) throw error
        const stderr = Buffer.from(error.message)
        return { status: 'ran', exit: 1, stdout: Buffer.alloc(0), stderr, values: {} }
      }
    })
  }
}

function bookWord(params: ScriptParams): string {
  if ('lines' in params) return 'copy of the journal'
  if ('held' in params) return 'free lock'
  return 'known' in params ? 'take lock' : 'take over'
}

export function isNoRoom(error: unknown): boolean {
  return error instanceof HostFull
}
