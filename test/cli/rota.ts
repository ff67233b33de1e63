// Runs the built program as a user does: `npm test` builds it first.
import { spawnSync } from 'node:child_process'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'

const program = join(resolve(import.meta.dirname, '../..'), 'dist', 'rota.mjs')

export interface Ended {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Where the compiled program is kept: one for all tests, and not in the folder that a test looks at. */
export const cache = join(tmpdir(), `rota-test-cache-${userInfo().uid}`)

/** `rota ARGS…` in a folder, without a terminal and without the settings of whoever runs the tests. */
export function rota(
  folder: string,
  args: readonly string[],
  options: {
    readonly input?: string
    readonly env?: Readonly<Record<string, string>>
    /** A file's descriptor, instead of what is given back. */
    readonly stdout?: number
  } = {},
): Ended {
  const own = Object.entries(process.env).filter(([name]) => !/^(ANSIBLE_|ROTA_|EDITOR$|PAGER$)/.test(name))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    input: options.input ?? '',
    ...(options.stdout === undefined ? {} : { stdio: ['pipe', options.stdout, 'pipe'] as const }),
    encoding: 'utf8',
    env: { ...Object.fromEntries(own), HOME: folder, XDG_CACHE_HOME: cache, ...options.env },
  })
  return { exit: status, stdout, stderr }
}
