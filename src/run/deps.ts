import type { Readable, Writable } from 'node:stream'
import type { Exit } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Module, ReadKeys, Registry, Shown } from '../core/module.ts'
import type { Field, Item, Phase, Play, Playbook } from '../core/play.ts'
import type { Clean, Redactor } from '../core/redact.ts'
import type { Address, Become, Connections } from '../core/remote.ts'
import type { Source } from '../core/source.ts'
import type { Templar } from '../core/templar.ts'
import type { Change, Reason, RotationWorld } from '../core/transaction.ts'
import type { Dict, Scope, Value } from '../core/value.ts'
import type { Inventory, Layer } from '../core/vars.ts'

/** What the command line and the configuration say about a whole run. */
export interface Settings {
  readonly forks: number
  readonly check: boolean
  readonly diff: boolean
  /** `['all']` when `--tags` was not given. */
  readonly tags: readonly string[]
  readonly skipTags: readonly string[]
  /** A task name or glob: everything before it is left out. */
  readonly startAtTask?: string | undefined
  /** `--limit`, a host pattern. */
  readonly limit?: string | undefined
  readonly extraVars: ReadonlyMap<string, Value>
  readonly verbosity: number
  /** `--force`: the operator accepts what a rotation would refuse (`rota_force`). */
  readonly force?: boolean
  /** `--reason`: `rota_reason`. */
  readonly reason?: Reason
  /** `--force-handlers`. */
  readonly forceHandlers: boolean
  /** Whether plays that do not say `gather_facts` gather them. */
  readonly gatherFacts: boolean
  /** `gathering = smart`: of a host whose facts are known none are gathered. */
  readonly gathersOnce?: boolean
  /** `--flush-cache`. */
  readonly flushesCache?: boolean
  /** `error_on_missing_handler = false`: a topic without a handler is warned of. */
  readonly allowsMissingHandlers?: boolean
  /** `jinja2_native`: `set_fact` leaves the texts `yes` and `no` what they are. */
  readonly keepsText?: boolean
  /** `inject_facts_as_vars = false`: facts are in `ansible_facts` alone. */
  readonly hidesFacts?: boolean
  /** `facts_modules`, where no variable says otherwise. */
  readonly factsModules?: readonly string[] | undefined
  /** `host_pattern_mismatch`: what a pattern that names nothing is; a warning by default. */
  readonly onMismatch?: 'warning' | 'error' | 'ignore'
  /** `enable_task_debugger`: the debugger asks at a failure where no keyword says otherwise. */
  readonly debugsFailures?: boolean
  /** Recovery: of all plays only the one with `rotation:` is run. Its place among the plays stays, and so do its step ids. */
  readonly rotationOnly?: boolean
  /** Folders of roles besides those at the playbook. */
  readonly rolesPath?: readonly string[] | undefined
  /** Folders that hold `ansible_collections`, besides `collections` beside the playbook. */
  readonly collectionsPath?: readonly string[] | undefined
  /** The run's id: `rota_run`. */
  readonly runId: string
  readonly version: string
}

/** The keywords that say how a host is reached; variables win over them, they win over flags. */
export interface ConnectionKeywords {
  readonly connection?: string | undefined
  readonly user?: string | undefined
  readonly port?: number | undefined
}
export interface BecomeKeywords {
  readonly become?: boolean | undefined
  readonly user?: string | undefined
  readonly method?: string | undefined
}
/** A connection variable by name (`ansible_host`), rendered; undefined when there is none. */
export type GetVariable = (name: string) => Value | undefined

/** Where a task's arguments stand, for messages. */
export interface ArgsPlace {
  readonly at: Source
  readonly argsAt: ReadonlyMap<string, Source>
}

/** A file of variables. */
export interface VarsFile {
  readonly values: ReadonlyMap<string, Value>
  readonly at?: ReadonlyMap<string, Source>
}

/** Facts of hosts that outlive the run. */
export interface FactCache {
  /** undefined: there are none, or they are too old. */
  load(host: string): ReadonlyMap<string, Value> | undefined
  save(host: string, facts: ReadonlyMap<string, Value>): void
  drop(host: string): void
}

/** The operator at a terminal, for the task debugger. */
export interface Terminal {
  /** A line; undefined when the terminal is gone, or at ^C. */
  ask(prompt: string, hidden?: boolean): Promise<string | undefined>
  readonly readKeys: ReadKeys
  say(text: Clean): void
  /** As the first ^C: no new task is started. */
  stop(): void
}

/** Everything the engine needs, passed in: it opens no file of the user's, no socket and no clock by itself. */
export interface RunDeps {
  readonly registry: Registry
  readonly connections: Connections
  readonly templar: Templar
  readonly inventory: Inventory
  readonly settings: Settings
  readonly redactor: Redactor
  readonly emit: Emit
  /** First ^C: no new task is started. */
  readonly stop: AbortSignal
  readonly now: () => Date
  readonly random: (sizeBytes: number) => Buffer
  /** Rendered options to checked arguments. Throws RotaError E_PARAMS with every problem. */
  checkArgs(module: Module, args: Dict, where: ArgsPlace): Readonly<Record<string, unknown>>
  /** Throws RotaError E_FILE, E_YAML, E_PLAYBOOK. */
  loadPlaybook(file: string): Playbook
  /** `isGuarded`: they are reached under a condition only. */
  loadTasks(file: string, isGuarded?: boolean): readonly Item[]
  /** A role's handlers: they may `listen`. */
  loadHandlers(file: string): readonly Item[]
  loadVarsFile(file: string): VarsFile
  /** Host names in inventory order. Throws RotaError E_HOSTS. */
  selectHosts(inventory: Inventory, pattern: string, limit: string | undefined): readonly string[]
  /** Layers may be live: what is put into a layer's map later is seen. `magic` wins over all layers. */
  scopeOf(layers: readonly Layer[], magic: Scope): Scope
  /** The items of `with_NAME`. */
  runLookup(name: string, terms: Value, scope: Scope): Value
  addressOf(name: string, get: GetVariable, keywords: ConnectionKeywords): Address
  /** undefined: no change of user. */
  becomeOf(get: GetVariable, keywords: BecomeKeywords): Become | undefined
  /** A diff of two states as text; '' when they read the same. */
  renderDiff(before: Shown, after: Shown): string
  /** Told of every file of the operator's that a task names, before it is read. May throw. */
  onFile?(path: string): void
  /** Told in check mode of every change of state that a run would make. */
  foresee?(change: Change, phase: Phase | undefined): void
  /** Runs a play with `rotation:`. Without it such a play is refused. */
  runRotation?(world: RotationWorld, rotation: RotationPlay): Promise<Exit>
  /** Asks the operator for a value of `vars_prompt`. Without it only extra vars can answer. */
  askVariable?(prompt: VarsPrompt): Promise<Value>
  /** `--step`: whether the operator wants the task of this title performed. */
  confirmTask?(title: string): Promise<boolean>
  /** Without it there is nobody to ask, and `debugger` is passed over with a warning. */
  readonly terminal?: Terminal | undefined
  readonly factCache?: FactCache | undefined
  /** Reads the inventory again, for meta: refresh_inventory. */
  refreshInventory?(): Promise<Inventory>
  /** The plain bytes of a file that is an ansible-vault. Throws E_VAULT. */
  openVault(armored: string, file: string): Buffer
  backupFolder(): Promise<string>
  seal(plain: Readable, to: Writable): Promise<{ readonly sha256: string; readonly sizeBytes: number }>
  unseal(sealed: Readable, to: Writable): Promise<void>
}

export interface RotationPlay {
  readonly name: string
  readonly play: Play
}

export interface VarsPrompt {
  readonly name: string
  readonly text: string
  /** The answer is not shown while it is typed. */
  readonly private: boolean
  /** Nor later. */
  readonly isSecret: boolean
  readonly confirm: boolean
  readonly default?: Field | undefined
}
