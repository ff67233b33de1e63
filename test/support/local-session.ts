import { createRedactor, type Redactor } from '../../src/core/redact.ts'
import type { Session } from '../../src/core/remote.ts'
import { forwardLocally, openLocalLink } from '../../src/remote/local.ts'
import { bootstrap } from '../../src/remote/prelude.ts'
import { ShellSession } from '../../src/remote/session.ts'

/** A session on this machine. `shell` is argv of a POSIX sh; busybox is `['busybox', 'sh']`. */
export async function openLocalSession(
  options: { readonly shell?: readonly string[]; readonly redactor?: Redactor } = {},
): Promise<Session> {
  const shell = options.shell ?? ['/bin/sh']
  const session = new ShellSession({
    name: 'localhost',
    path: shell[0]!,
    redactor: options.redactor ?? createRedactor(),
    openLink: () => openLocalLink([...shell, '-c', bootstrap]),
    forward: forwardLocally,
  })
  await session.open()
  return session
}
