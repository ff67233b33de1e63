import type { Source } from './source.ts'

/**
 * Exit codes of every command: stable, one meaning each. 2 and 4 are Ansible's; 3 and 5–9 are the rotation's.
 * docs/exit-codes.md is generated from this table.
 */
export const exits = {
  ok: { code: 0, say: 'everything asked for was done' },
  error: { code: 1, say: 'rota could not do it; the message says why' },
  failed: { code: 2, say: 'a task failed on at least one host' },
  preflight: { code: 3, say: 'a rotation was refused before anything was changed' },
  unreachable: { code: 4, say: 'at least one host could not be reached' },
  held: { code: 5, say: 'a rotation is held or in doubt: a person has to decide' },
  warnings: { code: 6, say: 'a rotation is committed, but something after the commit failed' },
  locked: { code: 7, say: 'another run holds the lock' },
  approval: { code: 8, say: 'an approval is missing or does not match' },
  evidence: { code: 9, say: 'evidence is invalid' },
  rolledBack: { code: 10, say: 'a rotation was undone: every host is on its old secrets' },
  awaiting: {
    code: 11,
    say: 'a rotation is committed and waits for a change that a person makes at a provider',
  },
  overdue: { code: 12, say: 'a secret is overdue, or nobody knows how old it is' },
  drift: { code: 13, say: 'the places that hold a secret do not agree' },
  unknown: { code: 16, say: 'a link died after work was sent: the outcome on at least one host is unknown' },
  usage: { code: 64, say: 'the command line is wrong' },
  input: {
    code: 65,
    say: 'a playbook, inventory, variable or other input is wrong; unless tasks had begun to run, nothing was touched',
  },
  internal: { code: 70, say: 'a bug in rota' },
  interrupted: { code: 130, say: 'stopped by ^C after a clean stop' },
} as const
export type Exit = keyof typeof exits

/** Every kind of error a user can meet. docs/errors.md is generated from this table. */
export const errors = {
  E_USAGE: { exit: 'usage', say: 'the command line is wrong' },
  E_CONFIG: {
    exit: 'input',
    say: 'ansible.cfg or an ANSIBLE_* variable has something rota does not understand',
  },
  E_FILE: { exit: 'input', say: 'a file cannot be read' },
  E_YAML: { exit: 'input', say: 'the file is not valid YAML' },
  E_DUPLICATE_KEY: {
    exit: 'unreachable',
    say: 'a YAML file has a key twice, and the configuration says that this is an error',
  },
  E_PLAYBOOK: { exit: 'input', say: 'the playbook has something rota does not understand' },
  E_POLICY: { exit: 'input', say: 'the policy file has something rota does not understand' },
  E_MODULE: { exit: 'input', say: 'there is no such module' },
  E_PARAMS: { exit: 'input', say: 'the module does not take these arguments' },
  E_INVENTORY: { exit: 'input', say: 'the inventory has something rota does not understand' },
  E_HOSTS: { exit: 'input', say: 'no host matches' },
  E_VARS: { exit: 'input', say: 'the variables cannot be read' },
  E_TEMPLATE: { exit: 'failed', say: 'the template cannot be evaluated' },
  E_UNDEFINED: { exit: 'failed', say: 'a variable is not defined' },
  E_VAULT: { exit: 'error', say: 'the vault cannot be opened' },
  E_SEAL: { exit: 'input', say: 'something sealed cannot be opened, or cannot be sealed to a recipient' },
  E_ENV_FILE: { exit: 'failed', say: 'the env file would not read back as written' },
  E_TASK: { exit: 'failed', say: 'the task failed' },
  E_CONFLICT: { exit: 'failed', say: 'the target is no longer as it was read' },
  E_UNREACHABLE: { exit: 'unreachable', say: 'the host cannot be reached' },
  E_HOST_KEY: { exit: 'unreachable', say: 'the host key is not the known one' },
  E_AUTH: { exit: 'unreachable', say: 'the host refused the login' },
  E_BECOME: { exit: 'unreachable', say: 'the user could not be changed' },
  E_UNKNOWN: { exit: 'unknown', say: 'the outcome is unknown' },
  E_LOCKED: { exit: 'locked', say: 'another run holds the lock' },
  E_PREFLIGHT: { exit: 'preflight', say: 'the rotation was refused before anything was changed' },
  E_APPROVAL: { exit: 'approval', say: 'the plan is not approved, or is no longer what was approved' },
  E_HELD: { exit: 'held', say: 'the rotation needs a person' },
  E_AWAITING: { exit: 'awaiting', say: 'the rotation waits for a change at a provider' },
  E_JOURNAL: { exit: 'error', say: 'the journal cannot be used' },
  E_EVIDENCE: { exit: 'evidence', say: 'the evidence cannot be written or does not verify' },
  E_BUG: { exit: 'internal', say: 'a bug in rota' },
} as const satisfies Record<string, { exit: Exit; say: string }>
export type ErrorCode = keyof typeof errors

/** One thing that is wrong: what, where, and what to type next. Plain data; many can be shown at once. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly at?: Source | undefined
  readonly hint?: string | undefined
}

/** The one error class of rota. Carries at least one problem; `message` is the first one's. */
export class RotaError extends Error {
  override readonly name = 'RotaError'
  readonly problems: readonly Problem[]
  /** What `register` gets besides `msg` when this makes a task fail. */
  readonly values: Readonly<Record<string, unknown>>
  constructor(
    problem: Problem | readonly Problem[],
    options: { cause?: unknown; values?: Readonly<Record<string, unknown>> | undefined } = {},
  ) {
    const problems = Array.isArray(problem) ? (problem as readonly Problem[]) : [problem as Problem]
    super(problems[0]?.message ?? 'no message', options)
    this.problems = problems
    this.values = options.values ?? {}
  }
  get code(): ErrorCode {
    return this.problems[0]?.code ?? 'E_BUG'
  }
  get at(): Source | undefined {
    return this.problems[0]?.at
  }
  get hint(): string | undefined {
    return this.problems[0]?.hint
  }
}

/** Shorthand: `throw problem('E_FILE', 'cannot read x', { hint: 'check the path' })`. */
export function problem(
  code: ErrorCode,
  message: string,
  more: {
    at?: Source | undefined
    hint?: string | undefined
    cause?: unknown
    values?: Readonly<Record<string, unknown>>
  } = {},
): RotaError {
  const { at, hint, cause, values } = more
  return new RotaError({ code, message, at, hint }, { cause, values })
}

/** What to do about an error of this machine's own system, by its code (errno(3)). */
const systemHints: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on the disk of this machine',
  EDQUOT: 'make room: the quota is used up',
  EFBIG: 'the file is larger than the file system or `ulimit -f` allows',
  EROFS: 'the file system is mounted read-only',
  EACCES: 'check the owner and mode of the file and of the folders above it',
  EPERM: 'check the owner and mode of the file and of the folders above it',
  ENOENT: 'check the path',
  ENOTDIR: 'check the path: something above it is no folder',
  EISDIR: 'check the path: it is a folder',
  ELOOP: 'check the path: its links go round in a circle',
  ENAMETOOLONG: 'check the path',
  EMFILE: 'raise the limit of open files: ulimit -n',
  ENFILE: 'this machine has too many open files',
  EIO: 'check the disk',
}

/**
 * Whatever was thrown, as problems. A full disk or a forbidden file of this machine is E_FILE; what is no RotaError otherwise is
 * a bug.
 */
export function problemsOf(error: unknown): readonly Problem[] {
  if (error instanceof RotaError) return error.problems
  const message = error instanceof Error ? error.message : String(error)
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown }
  const hint = typeof code === 'string' && typeof syscall === 'string' ? systemHints[code] : undefined
  if (hint !== undefined) return [{ code: 'E_FILE', message, hint }]
  return [{ code: 'E_BUG', message, hint: 'set ROTA_DEBUG=1 for the stack trace, and report it' }]
}
