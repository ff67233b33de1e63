import type { Play, Task } from './play.ts'
import type { Source } from './source.ts'

/** What a policy says of one secret of an application. Times in milliseconds. */
export interface Duty {
  readonly secret: string
  readonly class: string
  readonly cryptoperiodMs: number
  /** So long before the end of the cryptoperiod the secret is due. */
  readonly warnMs: number
  readonly owner: string
  readonly consumers: readonly string[]
  readonly tra?: string | undefined
  /** RFC 3339 or a date: the last rotation that rota knows nothing of. */
  readonly rotated?: string | undefined
  /** Each would change nothing, and not fail, as long as every place holds the same value. */
  readonly agrees: readonly Task[]
  readonly at: Source
}

/** Secrets that are rotated together by one playbook. */
export interface Application {
  readonly name: string
  /** Absolute. */
  readonly playbook: string
  readonly duties: readonly Duty[]
  /** A play on the application's hosts whose tasks read what `agrees` compares. */
  readonly play: Play
  readonly at: Source
}

export interface Policy {
  readonly file: string
  readonly applications: readonly Application[]
}
