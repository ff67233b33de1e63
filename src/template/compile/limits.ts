import { limitFault } from '../fault.ts'

/** What one rendering may cost. A template that needs more is refused, not waited for. */
export interface Limits {
  /** Loop rounds, calls, filters and tests. */
  readonly steps: number
  /** Nesting of macros, includes, recursive loops and variables made of variables. */
  readonly depth: number
  /** Characters of text. */
  readonly outputSize: number
  readonly deadlineMs: number
}
export const defaultLimits: Limits = {
  steps: 5_000_000,
  depth: 100,
  outputSize: 64 * 1024 * 1024,
  deadlineMs: 30_000,
}

/** The clock is read once in so many steps. */
const STEPS_BETWEEN_LOOKS = 512

/** Counts what one rendering costs. */
export class Meter {
  private readonly limits: Limits
  private readonly clock: () => number
  private deadline: number
  private steps = 0
  private depth = 0
  constructor(limits: Limits, clock: () => number) {
    this.limits = limits
    this.clock = clock
    this.deadline = clock() + limits.deadlineMs
  }
  step(): void {
    this.steps++
    if (this.steps > this.limits.steps)
      throw limitFault(`the template takes more than ${this.limits.steps} steps`)
    if (this.steps % STEPS_BETWEEN_LOOKS === 0 && this.clock() > this.deadline)
      throw limitFault(`the template takes longer than ${this.limits.deadlineMs} ms`)
  }
  /** Runs one level deeper; `what` is named when that is too deep. */
  deeper<T>(what: string, run: () => T): T {
    if (this.depth >= this.limits.depth)
      throw limitFault(`${what} is nested more than ${this.limits.depth} levels deep`)
    this.depth++
    try {
      return run()
    } finally {
      this.depth--
    }
  }
  /** Waiting for a file or a command is not the template's time. */
  outsideTheClock<T>(run: () => T): T {
    const start = this.clock()
    try {
      return run()
    } finally {
      this.deadline += this.clock() - start
    }
  }
  checkOutput(size: number): void {
    if (size > this.limits.outputSize)
      throw limitFault(`the text is longer than ${this.limits.outputSize} characters`)
  }
}
