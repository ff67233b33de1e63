import type { Source } from './source.ts'
import type { Dict, Template, Value } from './value.ts'

/** A keyword's value as loaded: may be a Template to be rendered for each host. */
export type Field = Value
/** A bare expression (when, until, changed_when, …): text without braces, or a boolean. */
export type Condition = Template | boolean

/** Keywords that plays, blocks and tasks share; a task's own value wins over its block's, that over its play's. */
export interface Common {
  readonly name?: Field
  readonly vars?: Dict
  readonly environment?: readonly Field[]
  readonly become?: Field
  readonly becomeUser?: Field
  readonly becomeMethod?: Field
  readonly connection?: Field
  readonly remoteUser?: Field
  readonly port?: Field
  readonly noLog?: Field
  readonly checkMode?: Field
  readonly diff?: Field
  readonly ignoreErrors?: Field
  readonly ignoreUnreachable?: Field
  readonly anyErrorsFatal?: Field
  readonly runOnce?: Field
  readonly throttle?: Field
  readonly debugger?: Field
  readonly timeout?: Field
  readonly tags?: readonly Field[]
  readonly moduleDefaults?: Dict
  /** Collections that roles are looked for in, before other places. */
  readonly collections?: readonly Field[]
  readonly at: Source
}
/** Blocks and tasks; a block's `when` applies to each task in it. */
export interface Conditional extends Common {
  readonly when?: readonly Condition[]
  readonly delegateTo?: Field
  readonly delegateFacts?: Field
  readonly notify?: readonly Field[]
}

export interface Loop {
  /** `loop`, or the lookup of `with_NAME`. */
  readonly kind: string
  readonly items: Field
  readonly at: Source
}
export interface LoopControl {
  readonly loopVar?: Field
  readonly indexVar?: Field
  readonly label?: Field
  readonly pause?: Field
  readonly extended?: Field
  /** False leaves `allitems` out of ansible_loop. */
  readonly extendedAllitems?: Field
  readonly at: Source
}

export interface Task extends Conditional {
  readonly kind: 'task'
  /** As written; may be a Template for `action: "{{ x }}"`. */
  readonly module: string | Template
  readonly moduleAt: Source
  /** Options by name as loaded. */
  readonly args: Dict
  /** Free text of `command: ls -l`. */
  readonly freeForm?: Field
  /** A variable that holds options: `add_host: "{{ host }}"`, `args: "{{ more }}"`. Those that are written out win. */
  readonly argsFrom?: Field
  /** Where each argument's key stands. */
  readonly argsAt: ReadonlyMap<string, Source>
  readonly loop?: Loop
  readonly loopControl?: LoopControl
  readonly register?: Field
  readonly until?: readonly Condition[]
  readonly retries?: Field
  readonly delay?: Field
  readonly changedWhen?: readonly Condition[]
  readonly failedWhen?: readonly Condition[]
  readonly async?: Field
  readonly poll?: Field
  /** Handlers only. */
  readonly listen?: readonly Field[]
}
export interface Block extends Conditional {
  readonly kind: 'block'
  readonly block: readonly Item[]
  readonly rescue?: readonly Item[]
  readonly always?: readonly Item[]
}
export type Item = Task | Block

/** A secret of a rotation: how the pending value is made and where the value in force is read. */
export interface SecretSpec {
  readonly name: string
  /** Characters; at least 16. */
  readonly length: Field
  /** Where the value in force now comes from, rendered after preflight: "{{ old_env.JWT_SECRET }}". */
  readonly current?: Field
  /** Given by the operator instead of generated (`--secret NAME=-`); `optional`: has no part in a run that it is not given to. */
  readonly given?: boolean | 'optional'
  /** The new value as somebody else made it, rendered after backup: "{{ made.value }}". Omitted: no part in the run. */
  readonly issued?: Field
  /** How long the value of before still counts after the commit: 72h. */
  readonly grace?: Field
  /** One value for all hosts of the run instead of one a host. */
  readonly shared?: boolean
  readonly alphabet?: Field
  readonly cryptoperiod?: Field
  readonly policy?: Field
  /** Who has to log in anew when it changes, for the plan. */
  readonly logsOut?: Field
  readonly at: Source
}
/** A name that goes back and forth between two, such as that of a database role: the idle one is made ready while the other works. */
export interface Alternate {
  readonly name: string
  readonly between: readonly Field[]
  readonly current: Field
  readonly at: Source
}
/** Something that a person changes by hand elsewhere: the run waits for it after the commit. */
export interface ProviderGate {
  readonly name: string
  /** What to do, and where. */
  readonly say: Field
  readonly when?: readonly Condition[]
  readonly at: Source
}
export const phases = [
  'preflight',
  'backup',
  'distribute',
  'change',
  'converge',
  'verify',
  'committed',
  'confirmed',
  'finalise_preflight',
  'finalise',
] as const
export type Phase = (typeof phases)[number]
export interface Rotation {
  readonly name: Field
  readonly secrets: readonly SecretSpec[]
  readonly alternates?: readonly Alternate[]
  /** `run` or `host`: whether all hosts are committed together. */
  readonly commit?: Field
  /** Hosts that may be red, as a number or a percentage. */
  readonly failureBudget?: Field
  readonly providerGates: readonly ProviderGate[]
  /** How long what is not there while it converges, for the plan. */
  readonly downtime?: Field
  /** Only a plan that a second person has approved is run. */
  readonly approval?: boolean
  readonly phases: Readonly<Record<Phase, readonly Item[]>>
  readonly at: Source
}

export interface Play extends Common {
  readonly kind: 'play'
  readonly hosts: Field
  readonly serial?: Field
  readonly strategy?: Field
  readonly order?: Field
  readonly gatherFacts?: Field
  readonly gatherSubset?: Field
  readonly gatherTimeout?: Field
  readonly factPath?: Field
  readonly maxFailPercentage?: Field
  readonly forceHandlers?: Field
  readonly varsFiles?: readonly Field[]
  readonly varsPrompt?: readonly Dict[]
  readonly roles?: readonly Field[]
  readonly preTasks: readonly Item[]
  readonly tasks: readonly Item[]
  readonly postTasks: readonly Item[]
  readonly handlers: readonly Item[]
  readonly rotation?: Rotation
  /** Where the values of keywords stand; of a list each entry. By keyword as it is written. */
  readonly valuesAt?: ReadonlyMap<string, readonly Source[]>
}
export interface ImportPlaybook extends Common {
  readonly kind: 'import_playbook'
  readonly playbook: Field
  readonly when?: readonly Condition[]
}
export interface Playbook {
  readonly file: string
  readonly plays: readonly (Play | ImportPlaybook)[]
}
