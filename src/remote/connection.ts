import type { Link, Session } from '../core/remote.ts'

/** A link that also tells when its program has ended, though what that left in the background may hold the pipes. */
export interface Channel extends Link {
  readonly exited: Promise<void>
}

/** A way to one host as one login: starts programs there, forwards, and carries any number of sessions. */
export interface Connection {
  /** Has the login's shell run a command line (see `shellWord`). Throws E_UNREACHABLE when the host does not. */
  start(command: string): Promise<Channel>
  forward: Session['forward']
  /** True from the moment that nothing new can be started. */
  readonly isOver: boolean
  close(): void
}

/** One word for any POSIX sh, and for fish and csh as long as there is no newline or `!` in it. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_/.=:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
