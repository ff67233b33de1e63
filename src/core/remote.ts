import type { Duplex, Readable, Writable } from 'node:stream'
import type { Clean } from './redact.ts'
import type { Script } from './script.ts'
import type { Secret } from './secret.ts'

/** How a host is reached. Made from inventory variables, flags and `ssh -G`. Times in milliseconds. */
export interface Address {
  /** The inventory name: what messages call the host. */
  readonly name: string
  readonly transport: 'ssh' | 'openssh' | 'local' | 'docker'
  /** ansible_host; what `ssh -G` is asked about. */
  readonly host: string
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly password?: Secret | undefined
  readonly identityFiles: readonly string[]
  readonly passphrase?: Secret | undefined
  /** `accept-new` records the key of a host never seen before; a changed key is refused by both. */
  readonly hostKeyChecking: 'strict' | 'accept-new'
  readonly knownHostsFiles?: readonly string[] | undefined
  /** Extra `ssh` options as in ansible_ssh_common_args, already split. */
  readonly sshArgs: readonly string[]
  readonly connectTimeoutMs: number
  /** Shell started on the target. */
  readonly shell: string
  /** Where it starts, without ssh: the playbook's folder. */
  readonly folder?: string | undefined
}

export interface Become {
  readonly method: 'sudo' | 'su' | 'doas'
  readonly user: string
  readonly password?: Secret | undefined
}

/** How a channel ended. No exit status seen means unknown: never ok, never plainly failed. */
export type Ended = { readonly code: number } | { readonly signal: string } | { readonly unknown: string }

/** A byte pipe to `exec /bin/sh` on a target. Every transport gives this and nothing more. */
export interface Link {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  readonly ended: Promise<Ended>
  close(): void
}

export type ScriptParams = Readonly<Record<string, string | number | boolean | Secret | undefined>>

/** A list as params `NAME0`, `NAME1`, …: each of them is one text. */
export function listParams(name: string, items: readonly (string | Secret)[]): ScriptParams {
  return Object.fromEntries(items.map((item, i) => [`${name}${i}`, item]))
}

/** The words of a command line: `argc`, and `arg0`, `arg1`, …, of which a script makes its `"$@"` again. */
export function argvParams(words: readonly string[]): ScriptParams {
  return { argc: words.length, ...listParams('arg', words) }
}

/**
 * One run of a script. What the script sees:
 * - `$p_NAME` for each param (booleans as 1 or 0; undefined ones are unset; no NUL). By stdin frame: never argv, environment or file.
 * - its stdin: `stdin` when given, else /dev/null. `LC_ALL=C`, `set -u` off, cwd = the login folder, umask 022.
 * - `rt_set NAME VALUE`: returns a named value (any bytes but NUL). `rt_fail MESSAGE`: ends the script with exit 99 and that message.
 * - it runs in a subshell: cd, exit, traps and variables do not leak into the next call. The session's shell leads a process
 *   group of its own; a timeout, or a call that kills the shell, ends that whole group (a daemon that has its own is spared).
 * - fd 8 is the session's: start what goes on in the background with `8>&-`.
 */
export interface Call {
  readonly script: Script
  readonly params?: ScriptParams | undefined
  readonly stdin?: string | Uint8Array | Secret | undefined
  /** 0: no limit. When it runs out, the process group is killed and the outcome is `unknown`. */
  readonly timeoutMs?: number | undefined
  /** Live output, already redacted. */
  readonly onText?: ((text: Clean, stream: 'stdout' | 'stderr') => void) | undefined
}

export interface Ran {
  readonly status: 'ran'
  readonly exit: number
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly values: Readonly<Record<string, string>>
}
export type Done = Ran | { readonly status: 'unknown'; readonly why: string }

/** One persistent sh on one host as one user. A call is one round trip; calls can be pipelined and answer in order. */
export interface Session {
  run(call: Call): Promise<Done>
  /**
   * Runs on a channel of its own, with bytes of any size flowing through: dumps, archives, big files.
   * `stdout` of the result is empty. Rejects only when the local streams fail.
   */
  pipe(call: Omit<Call, 'stdin' | 'onText'>, io: { stdin?: Readable; stdout?: Writable }): Promise<Done>
  /** A TCP or unix-socket connection made by the target's sshd, as `ssh -W` makes it. */
  forward(to: { readonly host: string; readonly port: number } | { readonly socket: string }): Promise<Duplex>
  close(): Promise<void>
}

/** A login that was accepted, for the evidence. Fingerprints as `ssh-keygen -l` shows them. */
export interface AcceptedLogin {
  /** The inventory name; of a jump host the host behind it. */
  readonly name: string
  readonly address: string
  readonly user: string
  /** What the server took: "key ~/.ssh/id_ed25519 (SHA256:…)", "password". */
  readonly by: string
  readonly hostKey: string
}

/** Opens sessions and keeps them: one connection a host, one shell a user on it. */
export interface Connections {
  /** Throws RotaError E_UNREACHABLE, E_HOST_KEY, E_AUTH or E_BECOME. */
  open(address: Address, become: Become | undefined): Promise<Session>
  /** Drops what is open to the host, so that the next `open` connects anew. */
  reset(address: Address): Promise<void>
  close(): Promise<void>
}
