import type { Duplex, Readable, Writable } from 'node:stream'
import type { Args, Param, Params } from './params.ts'
import type { Clean, Redactor } from './redact.ts'
import type { Call, Ran, ScriptParams } from './remote.ts'
import type { Script } from './script.ts'
import type { Secret } from './secret.ts'
import type { Scope, State, Value } from './value.ts'

/** What a module may ask of the machine rota runs on. */
export interface Operator {
  /**
   * Finds a file the way Ansible does: absolute as it is; else in the role's and the playbook's `kind` folder,
   * then beside the tasks file, then beside the playbook. Throws E_FILE naming every place searched.
   */
  find(kind: 'files' | 'templates', path: string): string
  /** Renders text as a template file, with the task's variables and `extra` on top. A Secret used in it makes the result one. */
  renderFile(
    text: string,
    file: string,
    extra?: Readonly<Record<string, Value>>,
    options?: TemplateOptions,
  ): string | Secret
  /**
   * What is in a file of the operator's that is an ansible-vault; base64 when it is no UTF-8 text. `renderFile` opens them itself.
   * Throws E_VAULT.
   */
  openVault(armored: string, file: string): { readonly text: Secret; readonly encoding?: 'base64' }
  /** Evaluates a bare expression (as in `when`). */
  evaluate(expression: Value): Value
  /** Renders a value deeply. */
  render(value: Value): Value
  /** The task's variables. */
  readonly scope: Scope
  /** Folder for what this run fetches and backs up: mode 0700, made when first asked for. */
  backupFolder(): Promise<string>
  /** Encrypts a stream to every recipient of the run (age), so that no plaintext of a backup touches the disk. */
  seal(plain: Readable, to: Writable): Promise<{ readonly sha256: string; readonly sizeBytes: number }>
  /** Opens what `seal` wrote with the operator's own identity. For proving a backup. */
  unseal(sealed: Readable, to: Writable): Promise<void>
  readonly now: () => Date
  readonly random: (sizeBytes: number) => Buffer
  /** A line typed at the terminal, `hidden` unseen; undefined at ^C. Absent: there is nobody to ask. */
  readonly ask?: ((prompt: string, hidden: boolean) => Promise<string | undefined>) | undefined
  readonly readKeys?: ReadKeys | undefined
}

/**
 * Keys typed at the terminal, ^C among them, one by one until `take` makes something of one. undefined: stopped, or the terminal is gone.
 */
export type ReadKeys = <T>(take: (key: string) => T | undefined, stop?: AbortSignal) => Promise<T | undefined>

/** Jinja2's own options, as the template module takes them. */
export interface TemplateOptions {
  readonly blockStart?: string
  readonly blockEnd?: string
  readonly variableStart?: string
  readonly variableEnd?: string
  readonly commentStart?: string
  readonly commentEnd?: string
  readonly trimBlocks?: boolean
  readonly lstripBlocks?: boolean
  readonly newlineSequence?: string
}

export interface RunOptions {
  readonly stdin?: Call['stdin']
  readonly timeoutMs?: number
  /** Send live output to the run's reporters. */
  readonly live?: boolean
}

/** One host, as one user, during one task: all that a module sees of it. */
export interface Target {
  /** The inventory name. */
  readonly name: string
  /** Runs a script in the host's session. Throws RotaError E_UNKNOWN when the outcome is unknown; any exit status is a result. */
  run(script: Script, params?: ScriptParams, options?: RunOptions): Promise<Ran>
  pipe(
    script: Script,
    params: ScriptParams,
    io: { stdin?: Readable; stdout?: Writable },
    options?: { timeoutMs?: number },
  ): Promise<Ran>
  forward(to: { readonly host: string; readonly port: number } | { readonly socket: string }): Promise<Duplex>
  /** Drops the connection to the host: the next call makes a new one. For a host that restarts. */
  reconnect(): Promise<void>
  readonly operator: Operator
  readonly redactor: Redactor
  /** The task's `environment:` keyword, rendered; later definitions have won. For the user's programs, not for rota's own scripts. */
  readonly environment: Readonly<Record<string, string | Secret>>
  /** A line of live output for the reporters. */
  say(text: Clean): void
  /** Shown like `say`, and registered among `warnings` whether the task fails or not. May hold raw text of the target. */
  warn(text: string): void
  readonly check: boolean
  readonly diff: boolean
  /** How many `-v` were given. */
  readonly verbosity: number
  /** `jinja2_native`: texts that look like booleans stay texts. */
  readonly keepsText?: boolean | undefined
  /** True inside a rotation's change phase: `read` must then return all that undoing needs (file content). */
  readonly undoable: boolean
  readonly stop: AbortSignal
}

interface Described<P extends Params> {
  /** Ansible's name, without the collection. */
  readonly name: string
  /** One sentence. */
  readonly summary: string
  /** Lines of free text after the summary, for the docs. */
  readonly notes?: readonly string[]
  readonly params: P
  /** Groups of params of which at most / exactly / at least one may be given; pairs that go together. */
  readonly rules?: ParamRules
  /** Options of Ansible's module that this one does not have, and what to do instead. */
  readonly refused?: Readonly<Record<string, string>>
  /** What Ansible's module says when one of these is missing, where that is not its usual sentence. */
  readonly missing?: Readonly<Record<string, string>>
  /** Takes options of any other name, each of this kind (set_fact): they arrive in the arguments under their own names. */
  readonly otherParams?: Param
  /** The param that takes the free text of `command: ls -l`, which may also hold k=v options (command, shell, script). */
  readonly freeForm?: string
  readonly returns: Readonly<Record<string, { readonly doc: string }>>
  /** A YAML list of tasks; loaded by a test, and run where safe. */
  readonly examples: string
}
export interface ParamRules {
  readonly mutuallyExclusive?: readonly (readonly string[])[]
  readonly requiredOneOf?: readonly (readonly string[])[]
  readonly requiredTogether?: readonly (readonly string[])[]
  /** [param, value, needed params] */
  readonly requiredIf?: readonly (readonly [string, string | boolean, readonly string[]])[]
}

/** Members for `register` that only a tool of the host's knows, like its output. */
export type Told = Readonly<Record<string, unknown>>

/** How a change of state is shown by --diff. Never holds a secret's text. */
export interface Shown {
  readonly header: string
  readonly text: string
}

/**
 * A module that manages state: three functions over a plain value S. From them the engine derives changed,
 * --check, --diff, idempotence, undo, crash recovery and drift, once for all modules.
 * `I` is what `prepare` makes of the arguments: what has to be fetched from the operator's machine first.
 */
export interface StateModule<P extends Params, S extends State, I = Args<P>> extends Described<P> {
  readonly kind: 'state'
  /** Operator's machine only: file contents, rendered templates, random salts. Absent: the arguments themselves. */
  prepare?(t: Target, args: Args<P>): Promise<I> | I
  /** One round trip, no side effect. */
  read(t: Target, input: I): Promise<S>
  /** What the target holds now of what `state` describes: recovery has a state, but no arguments. S says where it is. */
  reread(t: Target, state: S): Promise<S>
  /** Pure: no I/O, no clock, no chance. want(i, want(i, s)) equals want(i, s). Throws RotaError for a want that cannot be. */
  want(input: I, before: S): S
  /**
   * Compare-and-set: throws E_CONFLICT when the target is no longer `before`. write(after, before) undoes write(before, after).
   * What the host's tool said may be given back, for `register`.
   */
  write(t: Target, before: S, after: S): Promise<void> | Promise<Told>
  /** In check mode, in place of `write`: what the host's tool says it would do. */
  foretell?(t: Target, before: S, after: S): Promise<Told>
  /** What `register` gets besides `changed` and `diff`; a `diff` of its own takes the place of what --diff shows. */
  result?(input: I, before: S, after: S): Readonly<Record<string, unknown>>
  show?(state: S): Shown
  /** `register` gets the diff as a list, as of Ansible's module. */
  readonly hasDiffList?: boolean
}

export interface Outcome {
  readonly changed: boolean
  readonly failed?: boolean
  /**
   * With `failed`: good now and then, so that nothing is proven either way. In a rotation's verify the host goes on with the other
   * checks, and the run is held instead of undone when only such are left.
   */
  readonly flaky?: boolean
  /** The task counts as skipped (Ansible's `skipped: true`). */
  readonly skipped?: boolean
  readonly msg?: string
  /** What the task is there to show: said without `-v` too (debug). */
  readonly shown?: string
  /** Members that `register` gets. Plain data; raw text of the target, redacted only where it becomes an event. */
  readonly values?: Readonly<Record<string, unknown>>
  /** Variables for the host, from now on (set_fact, include_vars, facts). */
  readonly facts?: ReadonlyMap<string, Value>
  readonly diff?: { readonly before: Shown; readonly after: Shown }
  /** Backups that it made on the operator's machine: each becomes part of the evidence. */
  readonly backups?: readonly Backup[]
}
export interface Backup {
  /** On the operator's machine. */
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
  /** How it was proven that it can be restored. */
  readonly proof: string
}

/** A module that does something: it cannot be undone and is skipped in check mode, unless it only reads or can foresee. */
export interface ActionModule<P extends Params> extends Described<P> {
  readonly kind: 'action'
  /** It changes nothing anywhere, so it also runs in check mode. */
  readonly reads?: boolean
  /** It runs in check mode too and then (`t.check`) changes nothing, only says what it would do. */
  readonly foresees?: boolean
  run(t: Target, args: Args<P>): Promise<Outcome>
}

type Erased = Readonly<Record<string, unknown>>
/** What the registry holds: the same data with the types forgotten. The arguments have been checked by then. */
export type Module =
  | (Described<Params> & {
      readonly kind: 'state'
      prepare?(t: Target, args: Erased): Promise<unknown> | unknown
      read(t: Target, input: unknown): Promise<State>
      reread(t: Target, state: State): Promise<State>
      want(input: unknown, before: State): State
      write(t: Target, before: State, after: State): Promise<void> | Promise<Told>
      foretell?(t: Target, before: State, after: State): Promise<Told>
      result?(input: unknown, before: State, after: State): Erased
      show?(state: State): Shown
      readonly hasDiffList?: boolean
    })
  | (Described<Params> & {
      readonly kind: 'action'
      readonly reads?: boolean
      readonly foresees?: boolean
      run(t: Target, args: Erased): Promise<Outcome>
    })

/** Types the author's side by the module's own params and returns the erased Module: the one cast lives here. */
export function defineState<const P extends Params, S extends State, I = Args<P>>(
  module: Omit<StateModule<P, S, I>, 'kind'>,
): Module {
  return { kind: 'state', ...module } as unknown as Module
}
export function defineAction<const P extends Params>(module: Omit<ActionModule<P>, 'kind'>): Module {
  return { kind: 'action', ...module } as unknown as Module
}

/** Modules by name. `get` also takes `ansible.builtin.x` and the other collection names it was given. */
export interface Registry {
  get(name: string): Module | undefined
  names(): readonly string[]
  /** Makes the programs in a folder modules. One that is not there has none. */
  addLibrary?(folder: string): void
}
