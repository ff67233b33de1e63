// A session whose /etc, /usr, /var, /home, /root and /run are private copies: accounts, packages and services can be changed in it, and
// the machine stays as it is. Its host name and network are its own too. Made of namespaces and overlays, so it needs root on Linux.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { openLocalSession } from '../support/local-session.ts'
import { shells } from './harness.ts'

const mounts = `
set -e
mount -t tmpfs rota "$1"
for dir in etc usr var home root run; do
  mkdir "$1/$dir" "$1/$dir.work"
  lower=/$dir
  if [ -n "$2" ] && [ -d "$2/$dir" ]; then lower=$2/$dir:/$dir; fi
  mount -t overlay rota -o "lowerdir=$lower,upperdir=$1/$dir,workdir=$1/$dir.work" "/$dir"
done
`

/** Mounts, the name of the host, and network settings. */
const namespaces = ['-m', '-u', '-n']

/** Why there can be no sandbox here; undefined when there can. */
function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root'
  const folder = mkdtempSync(join(tmpdir(), 'rota-sandbox-'))
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', mounts, 'sh', folder, ''])
  rmSync(folder, { recursive: true })
  return tried.status === 0 ? undefined : 'mount namespaces with overlays are not allowed'
}

const missing = whyNot()
if (missing !== undefined && process.env['CI']) throw new Error(`no sandbox: ${missing}`)
if (missing !== undefined) console.log(`skipped: no sandbox for accounts and services: ${missing}`)
export const hasSandbox = missing === undefined

export interface Sandbox {
  readonly session: () => Session
}

interface SandboxOptions {
  /** A script that runs in it before the session's shell. */
  readonly setUp?: string
  /** Stand-ins that go before all others on PATH, by name. */
  readonly programs?: Readonly<Record<string, string>>
  /** Under busybox too: the programs of this machine, and not busybox's own. */
  readonly isDebian?: boolean
  /** Unpacked packages that are laid over the machine. */
  readonly unpacked?: string
}

/** The folder in which packages lie unpacked (scripts/setup.mjs); undefined, said and in CI an error, when they are not there. */
export function unpackedPackages(name: string): string | undefined {
  const lab = process.env['ROTA_LAB'] ?? join(import.meta.dirname, '../../.lab')
  const folder = join(lab, 'unpacked', name)
  if (existsSync(folder)) return folder
  if (process.env['CI']) throw new Error(`${folder} is not there: run scripts/test.mjs`)
  console.log(`skipped: ${name}: it is not in ${folder}`)
  return undefined
}

const debianPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A sandbox for the tests of this describe. */
export function useSandbox(shell: string, options: SandboxOptions = {}): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'rota-sandbox-'))
  const programs = mkdtempSync(join(tmpdir(), 'rota-programs-'))
  let session: Session
  beforeAll(async () => {
    for (const [name, text] of Object.entries(options.programs ?? {})) {
      writeFileSync(join(programs, name), text)
      chmodSync(join(programs, name), 0o755)
    }
    const start = join(programs, '.start')
    // A busybox-only host sets PATH itself, so what is added to it has to be added behind that.
    const isTiny = shell === 'busybox' && options.isDebian !== true
    const path = `${programs}:${isTiny ? execPath() : debianPath}`
    const [program, ...words] = shell === 'busybox' ? [`${execPath()}/sh`] : shells[shell]!
    writeFileSync(
      start,
      `#!/bin/sh\nset -- '${folder}' '${options.unpacked ?? ''}' "$@"\n${mounts}\n${options.setUp ?? ''}\nset +e\nshift 2\nPATH='${path}'\nexport PATH\nexec ${program} ${words.join(' ')} "$@"\n`,
    )
    chmodSync(start, 0o755)
    writeFileSync(
      join(programs, '.sandbox'),
      `#!/bin/sh\nexec unshare ${namespaces.join(' ')} '${start}' "$@"\n`,
    )
    chmodSync(join(programs, '.sandbox'), 0o755)
    session = await openLocalSession({ shell: [join(programs, '.sandbox')] })
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true, force: true })
    rmSync(programs, { recursive: true, force: true })
  })
  return { session: () => session }
}

/** The folder of busybox's applets. */
function execPath(): string {
  return shells['busybox']![0]!.replace(/\/[^/]*$/, '')
}

export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name])
    return true
  } catch {
    return false
  }
}
