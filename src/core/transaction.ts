import type { Prove } from './fence.ts'
import type { Phase, SecretSpec } from './play.ts'
import type { Clean } from './redact.ts'
import type { Ran, ScriptParams } from './remote.ts'
import type { Script } from './script.ts'
import type { Secret } from './secret.ts'
import type { State } from './value.ts'

/** Why a rotation is run: it decides in which direction recovery may go. */
export type Reason = 'scheduled' | 'incident' | 'offboarding' | 'key-compromise' | 'drill'

/** One change of state on one host: all that recovery needs to probe it, undo it or do it again. Sealed in the journal. */
export interface Change {
  /** Unique within the run and the same when the run is resumed: task id, host, loop index. */
  readonly step: string
  readonly host: string
  /** The host of the run whose task it is, where that was delegated to `host`. */
  readonly owner?: string | undefined
  readonly module: string
  /** The password is never part of it. */
  readonly become?: { readonly method: 'sudo' | 'su' | 'doas'; readonly user: string } | undefined
  /** For people: task name and place. */
  readonly what: Clean
  readonly before: State
  readonly after: State
}

/**
 * How the engine makes a change of state. An ordinary play calls `write` at once; a rotation makes its intent durable
 * before and its record of done after. A rotation that resumes may answer without calling `write`.
 */
export type Apply = (change: Change, write: () => Promise<void>) => Promise<void>

export type PhaseResult =
  | { readonly status: 'ok' }
  | {
      readonly status: 'failed' | 'unreachable' | 'unknown'
      readonly message: Clean
      /** All that failed was good now and then, and everything else is green. */
      readonly isFlaky?: boolean
    }

/**
 * Which values the play's `secrets.NAME` shows: the new ones while going forward, the old ones while verifying an undo. `both`: the old
 * ones, while every host has to accept the new ones too (distribute).
 */
export type InForce = 'pending' | 'current' | 'both'

/** The values of one host's rotation, by secret name. */
export interface HostSecrets {
  readonly current: ReadonlyMap<string, Secret>
  readonly pending: ReadonlyMap<string, Secret>
}

/** How the hosts of a run hang together. */
export interface FleetRule {
  /** `run`: one pivot for all hosts together. `host`: what is green of a wave is committed before the next wave begins. */
  readonly commit: 'run' | 'host'
  /**
   * So many hosts may be red (failed, unreachable or unknown): each is undone alone, and the run goes on without it. One more,
   * and the run goes back on every host that is not committed.
   */
  readonly failureBudget: number
}

/** A gate that is shut: what a person has to do at which provider. */
export interface Gate {
  readonly name: string
  readonly say: Clean
}

/** What a rotation gets passed in: the play's phases as functions over hosts, and single changes back and forth. */
export interface RotationWorld {
  /** Every host of the run, in order: see `setHosts`. */
  readonly hosts: readonly string[]
  /** The same hosts by `serial`: a wave is changed, converged and verified before the next begins. */
  readonly waves: readonly (readonly string[])[]
  readonly secrets: readonly SecretSpec[]
  /** The play has a `distribute` phase: no host sends a new value before all hosts accept it. */
  readonly distributes?: boolean
  /** Names of hosts that the play would now run on and that are not of this run: they joined since. Absent: nobody can say. */
  joined?(): Promise<readonly string[]>
  /**
   * The run is of these hosts from now on, in waves cut anew; those that joined are what the inventory now says of them. Absent: they
   * cannot change. Throws E_HOSTS, E_UNREACHABLE.
   */
  setHosts?(hosts: readonly string[]): Promise<void>
  /** Default: one pivot, and no host may be red. */
  readonly rule?: FleetRule
  /** Default: true. False: the play has nothing to finalise, so that a committed run needs its values no more. */
  readonly hasFinalise?: boolean
  /** True for a change of what nobody uses until a later change says so, as the idle one of two users. Absent: there is none. */
  isReadying?(change: Change): boolean
  /** Runs the tasks of a phase; one result a host. State changes inside go through `apply`. `isBack`: ^C does not end it. */
  runPhase(
    phase: Phase,
    hosts: readonly string[],
    inForce: InForce,
    apply: Apply,
    isBack?: boolean,
  ): Promise<ReadonlyMap<string, PhaseResult>>
  /** Renders each secret's `current` on the host, after preflight. Secrets without `current` are missing. */
  currentSecrets(host: string): Promise<ReadonlyMap<string, Secret>>
  /** Renders each secret's `issued` on the host, after backup. Those that render to nothing are missing. Absent: there are none. */
  issuedSecrets?(host: string): Promise<ReadonlyMap<string, Secret>>
  /** The provider gates that hold for this host's rotation. Absent: there are none. */
  providerGates?(host: string): readonly Gate[]
  /** For how many milliseconds the previous value of a secret still counts; 0: not at all. Absent: 0. */
  graceMs?(host: string, name: string): number
  /** The rendered length and alphabet of a secret, for making its pending value. */
  secretShape(host: string, name: string): { readonly length: number; readonly alphabet: string }
  /** Makes them visible to templates as `pending`, `current`, `secrets` and `stale`, and to the redactor. */
  setSecrets(host: string, values: HostSecrets): void
  /** What the target holds now of that change. Throws RotaError E_UNREACHABLE or E_UNKNOWN. */
  reread(change: Change): Promise<State>
  /** The module's compare-and-set. Throws E_CONFLICT, E_UNREACHABLE, E_UNKNOWN or what the module throws. */
  write(change: Change, from: State, to: State): Promise<void>
  /** What the play says of its own effect on a host, for a plan: `logsOut` by secret name. */
  forecast?(host: string): {
    readonly downtime?: string | undefined
    readonly logsOut: ReadonlyMap<string, string>
  }
  /** Registered variables and facts of the hosts, to be sealed into the journal after each phase, and back. */
  snapshot(): State
  restore(snapshot: State): void
  /**
   * Runs a script of the transaction's own on a host, as the user that the play becomes, without proving the host's fence.
   * `$p_folder` is added: the host's variable `rota_host_folder`, or empty. Throws E_UNREACHABLE or E_UNKNOWN.
   */
  runOnHost(host: string, script: Script, params: ScriptParams): Promise<Ran>
  /** From now on every script of a task on the host proves first that the host is still the run's. */
  setFence(host: string, prove: Prove): void
}

/** Seals the payloads of one run's journal. `context` is authenticated with the payload: moved to another record it does not open. */
export interface RunKey {
  seal(payload: State, context: string): string
  /** Throws RotaError E_SEAL when it was changed, or sealed under another key or context. */
  unseal(sealed: string, context: string): State
}

/** Makes and opens run keys: the key itself is sealed once, to every recipient of the run. Throws E_SEAL. */
export interface Sealer {
  createKey(): Promise<{ readonly key: RunKey; readonly sealed: string }>
  openKey(sealed: string): Promise<RunKey>
}
