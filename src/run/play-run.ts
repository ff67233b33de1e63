import type { LimitFunction } from 'p-limit'
import type { Phase, Play } from '../core/play.ts'
import type { Apply } from '../core/transaction.ts'
import type { Layer } from '../core/vars.ts'
import type { RunDeps } from './deps.ts'
import type { Fleet } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { PlanOptions } from './plan.ts'
import type { RolePlanner } from './roles.ts'
import type { Place } from './walk.ts'

/** One play being run over one batch of hosts: what every task of it shares. */
export interface PlayRun {
  readonly deps: RunDeps
  readonly fleet: Fleet
  readonly play: Play
  readonly playName: string
  readonly startedAt: Date
  /** Of the playbook. */
  readonly folder: string
  /** Prefix of task ids, unique within the run. */
  readonly id: string
  /** Prefix of step ids: like `id`, but the same each time a phase is run. */
  readonly stepId: string
  /** All hosts of the play, and those of this batch. */
  readonly allHosts: readonly string[]
  readonly hosts: readonly string[]
  readonly handlers: Handlers
  readonly planOptions: PlanOptions
  readonly planner: RolePlanner
  /** Layers of the play for a host: play vars, prompts, vars_files. */
  readonly playLayers: ReadonlyMap<string, readonly Layer[]>
  readonly limit: LimitFunction
  /** How changes of state are made: at once, or through a rotation's journal. */
  readonly apply: Apply
  readonly isUndoable: boolean
  /** The phase of a rotation that this is. */
  readonly phase?: Phase | undefined
  /** `once` per text: warnings that every host would repeat. */
  warn(text: string): void
  /** Position of an include among those at one place: the same for all hosts that include the same. */
  orderOfInclude(at: Place, key: string): number
  /** Hosts for which meta: end_host has ended the play. */
  readonly gone: Set<string>
  /** Set by meta: end_play, end_batch. */
  ended: 'no' | 'batch' | 'play'
}
