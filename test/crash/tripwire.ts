// Where a process of rota can be struck, and by what. A point is passed before and after everything that has an effect.

/** What happens at a point. */
export const faults = {
  kill: 'kill -9 of the operator’s process',
  power: 'power cut of the operator’s machine',
  cut: 'the TCP connection is cut, and heals',
  gone: 'the host stays unreachable',
  shell: 'kill -9 of the remote shell',
  session: 'kill -9 of sshd’s session; the script runs on',
  stop: 'SIGSTOP; another operator finishes; SIGCONT',
  partition: 'the operator is cut off; another operator finishes',
  laptop: 'the operator’s machine is lost; another operator finishes',
  'full-operator': 'the operator’s disk is full',
  'full-host': 'the host’s disk is full',
} as const
export type Fault = keyof typeof faults
export const allFaults = Object.keys(faults) as Fault[]

/** A struck process: whatever it still tries has no effect. */
class Stopped extends Error {}
/** A remote script ends in the middle, and with it the shell that ran it. */
export class ShellKilled extends Error {}

/**
 * One life of one operator's process. Counts the points that it passes, strikes at the chosen one, and remembers from then on
 * what the fault left behind.
 */
export class Tripwire {
  /** Every point that any life passed. */
  static readonly seen = new Set<string>()
  /** Names of the points passed, in order. */
  readonly points: string[] = []
  readonly #at: number
  readonly fault: Fault | undefined
  isStruck = false
  isDead = false
  #wake: (() => void) | undefined
  #frozen: Promise<void> | undefined
  /** Resolves when the process is frozen. */
  readonly frozen: Promise<void>
  #announce: () => void = () => {}

  /** `at` counts from 1; without one nothing strikes. */
  constructor(fault?: Fault, at = Number.POSITIVE_INFINITY) {
    this.fault = fault
    this.#at = at
    this.frozen = new Promise(resolve => {
      this.#announce = resolve
    })
  }

  /** The operator's process goes by here: it may die, or be stopped until it is woken. True: the fault struck at this point. */
  async pass(name: string): Promise<boolean> {
    const isHere = this.#count(name)
    await this.#frozen
    if (this.isDead) throw new Stopped(name)
    return isHere
  }
  /** The host goes by here by itself, whatever becomes of the operator. True: the fault struck at this point. */
  passOnHost(name: string): boolean {
    return this.#count(name)
  }
  #count(name: string): boolean {
    if (this.isDead) return false
    this.points.push(name)
    Tripwire.seen.add(name)
    if (this.points.length !== this.#at) return false
    this.isStruck = true
    if (this.fault === 'kill' || this.fault === 'power' || this.fault === 'laptop') this.isDead = true
    if (this.fault === 'stop') {
      this.#frozen = new Promise(resolve => {
        this.#wake = resolve
      })
      this.#announce()
    }
    return true
  }
  wake(): void {
    this.#frozen = undefined
    this.#wake?.()
  }
}
