import type { Problem } from './error.ts'
import type { Phase } from './play.ts'
import type { Clean } from './redact.ts'

export type HostStatus =
  | 'ok'
  | 'changed'
  | 'skipped'
  | 'failed'
  | 'unreachable'
  | 'unknown'
  | 'rescued'
  | 'ignored'

/** Run states of a rotation on one host (glossary in docs/glossary.md). */
export type RotationState =
  | 'running'
  | 'committed'
  | 'committed_with_warnings'
  | 'rolling_back'
  | 'rolled_back'
  | 'held'
  | 'in_doubt'
  | 'refused'
  | 'finalised'
  /** Committed; a person has to change something at a provider before the old values may go. */
  | 'awaiting_provider'
  /** Committed; previous values still count, until they are finalised. */
  | 'in_grace'
  /** The run ended without this host: a person gave it up, and nobody knows what is true there. */
  | 'abandoned'

/** Counts of PLAY RECAP, by host. */
export interface Recap {
  readonly ok: number
  readonly changed: number
  readonly unreachable: number
  readonly failed: number
  readonly skipped: number
  readonly rescued: number
  readonly ignored: number
  readonly unknown: number
}

export interface TaskRef {
  /** Unique within the run; the same for all hosts of one task. */
  readonly task: string
  readonly host: string
}

/** Plain JSON, in order; a run's file is a list of these and every report can be made from it again. Text of targets is Clean. */
export type RunEvent =
  | {
      readonly type: 'run.start'
      readonly run: string
      readonly version: string
      readonly playbooks: readonly string[]
      readonly check: boolean
      readonly operator: Readonly<Record<string, string>>
    }
  | {
      readonly type: 'play.start'
      readonly play: string
      readonly name: Clean
      readonly hosts: readonly string[]
      /** Nothing is changed, unless a task says otherwise. */
      readonly check?: boolean
      /** Hosts do not wait for one another: several tasks are on their way at once. */
      readonly free?: boolean
    }
  | { readonly type: 'phase.start'; readonly phase: Phase | 'undo'; readonly hosts: readonly string[] }
  | {
      readonly type: 'task.start'
      readonly task: string
      readonly name: Clean
      readonly module: string
      /** file:line:col. */
      readonly place: string
      readonly handler: boolean
      /** As of `play.start`. */
      readonly check?: boolean
    }
  | ({ readonly type: 'host.start' } & TaskRef)
  | ({
      readonly type: 'host.text'
      readonly stream: 'stdout' | 'stderr' | 'note'
      readonly text: Clean
    } & TaskRef)
  | ({
      readonly type: 'host.item'
      readonly status: HostStatus
      readonly label: Clean
      readonly message?: Clean
      readonly diff?: Clean
      /** As of `host.end`. */
      readonly result?: Clean
    } & TaskRef)
  | ({ readonly type: 'host.retry'; readonly left: number } & TaskRef)
  /** A task with `async` that is waited for. */
  | ({
      readonly type: 'host.job'
      readonly job: string
      readonly state: 'running' | 'ok' | 'failed'
    } & TaskRef)
  | ({
      readonly type: 'host.end'
      readonly status: HostStatus
      readonly elapsedMs: number
      readonly message?: Clean
      readonly problem?: Problem
      readonly diff?: Clean
      /** The registered result as redacted JSON text, for `-v` and debug. */
      readonly result?: Clean
      /** Hidden by `no_log`. */
      readonly censored?: boolean
    } & TaskRef)
  | {
      readonly type: 'change'
      readonly host: string
      readonly step: string
      readonly module: string
      readonly what: Clean
      readonly record: 'intent' | 'done' | 'undone' | 'held'
    }
  | {
      readonly type: 'check'
      readonly host: string
      readonly name: Clean
      readonly ok: boolean
      readonly message?: Clean
    }
  | {
      readonly type: 'backup'
      readonly host: string
      readonly path: Clean
      readonly sha256: string
      readonly sizeBytes: number
      readonly proof: Clean
    }
  | {
      readonly type: 'secret'
      readonly host: string
      readonly secret: string
      readonly fromFingerprint?: string
      readonly toFingerprint: string
    }
  | {
      readonly type: 'rotation.state'
      readonly host: string
      readonly state: RotationState
      readonly message?: Clean
    }
  | {
      /** A connection to a host that was opened: as whom, proven by which key, and which key the host proved itself with. */
      readonly type: 'login'
      readonly host: string
      readonly address: string
      readonly user: string
      readonly by: Clean
      readonly hostKey: string
    }
  | { readonly type: 'note'; readonly level: 'info' | 'warn'; readonly text: Clean }
  | { readonly type: 'problem'; readonly problem: Problem }
  | {
      /** One of several playbooks ended, and another one follows; the counts are those of the run so far. */
      readonly type: 'playbook.end'
      readonly recap: Readonly<Record<string, Recap>>
      readonly missingRole: readonly string[]
    }
  | {
      readonly type: 'run.end'
      readonly run: string
      readonly exit: number
      readonly recap: Readonly<Record<string, Recap>>
      /** Hosts that failed by a role that is not there, which the recap does not count. */
      readonly missingRole?: readonly string[]
    }

/** seq counts from 0 without gaps; at is RFC 3339 UTC. Order is by seq, never by clock. */
export type Stamped = RunEvent & { readonly seq: number; readonly at: string }
export type Emit = (event: RunEvent) => void

export interface Reporter {
  on(event: Stamped): void
  close(): Promise<void>
}
