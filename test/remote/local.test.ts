import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openLocalSession } from '../support/local-session.ts'
import { testSession } from './session-suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-sh-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Path of a program, or undefined with the reason printed; in CI it must be there. */
function find(program: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' }).trim()
  } catch {
    if (process.env['CI']) throw new Error(`${program} is missing`)
    console.warn(`not run under ${program}: it is not installed`)
    return undefined
  }
}

for (const program of ['dash', 'bash', 'busybox']) {
  const path = find(program)
  if (path === undefined) continue
  // Called by the name `sh`, bash and busybox are what a target's /bin/sh would be.
  const shell = join(folder, program, 'sh')
  execFileSync('mkdir', ['-p', join(folder, program)])
  symlinkSync(path, shell)
  testSession(
    `a local session under ${program} as sh`,
    redactor => openLocalSession({ shell: [shell], redactor }),
    {
      isHere: true,
    },
  )
}
