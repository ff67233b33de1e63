import type { RotationState } from '../core/event.ts'
import type { Phase } from '../core/play.ts'
import type { Clean } from '../core/redact.ts'
import type { Gate, Reason } from '../core/transaction.ts'

/** Who gave a host up, when and why. */
export interface Abandoned {
  /** `user@machine`. */
  readonly by: string
  readonly why: Clean
  /** RFC 3339 UTC. */
  readonly at: string
}

/** Which values a run put in force, and when: all that is left to know of it when its values are forgotten. */
export interface Rotated {
  /** RFC 3339 UTC. */
  readonly at: string
  /** Names of secrets by host. */
  readonly secrets: Readonly<Record<string, readonly string[]>>
}

/** What a journal says, in plain: never a value of the target or a secret. Those are in the sealed payload. */
export type Entry =
  | {
      readonly type: 'begin'
      readonly run: string
      /** sha256 of the plan. */
      readonly plan: string
      readonly reason: Reason
      readonly hosts: readonly string[]
      /** What was typed, sealed: whoever takes the run up needs no flags. */
      readonly invocation?: string
    }
  /** These hosts joined since the run began, and are of the run from now on. */
  | { readonly type: 'admit'; readonly hosts: readonly string[] }
  /** Payload: the current and pending secrets of every host, or of those that were admitted. `secrets`: their names by host, for who only wants to know how old they are. */
  | { readonly type: 'pending'; readonly secrets?: Readonly<Record<string, readonly string[]>> }
  /** Payload of an `ok`: the snapshot. `undo` has only a start: from then on the run only goes back. */
  | {
      readonly type: 'phase'
      readonly phase: Phase | 'undo'
      /** While every host has to accept both values. */
      readonly inForce?: 'both'
      readonly status: 'start' | 'ok' | 'red'
      readonly hosts: readonly string[]
    }
  /** Payload: the change's before and after. `inForce`: it was made so that the host accepts both values. */
  | {
      readonly type: 'intent'
      readonly step: string
      readonly host: string
      readonly module: string
      readonly inForce?: 'both'
    }
  | { readonly type: 'done' | 'undo-intent' | 'undone'; readonly step: string; readonly host: string }
  /** The pivot of these hosts; without them that of the run: of every host that was not dropped. */
  | { readonly type: 'commit'; readonly hosts?: readonly string[] }
  /** The run goes on without these hosts: from now on they only go back. */
  | { readonly type: 'drop'; readonly hosts: readonly string[] }
  /**
   * A person gave these hosts up, as they stand: nothing is done or asked there any more. Where no pivot is passed, what belongs to
   * them on other hosts goes back.
   */
  | ({ readonly type: 'abandon'; readonly hosts: readonly string[] } & Omit<Abandoned, 'at'>)
  /** What a person has to change at which provider before the run can be finalised. */
  | { readonly type: 'awaiting'; readonly gates: readonly Gate[] }
  /** That person's word that it is done. */
  | { readonly type: 'confirm'; readonly by: string }
  /** Until when the value of before still counts, by secret name: RFC 3339 UTC. */
  | { readonly type: 'grace'; readonly until: Readonly<Record<string, string>> }
  /** What was sealed is gone; `head` is the sha256 of the last line when it was there, `sums` are the sums of all lines. */
  | { readonly type: 'forgotten'; readonly head: string; readonly sums: readonly string[] }
  | {
      readonly type: 'held' | 'end'
      readonly state: RotationState
      readonly hosts: Readonly<Record<string, RotationState>>
      /** By host, for whoever finds such a host. */
      readonly abandoned?: Readonly<Record<string, Abandoned>>
      /** `end` of a committed run: of all records it is the one that a host keeps. */
      readonly rotated?: Rotated
    }
