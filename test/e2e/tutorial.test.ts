// The tutorial does what it says: every command of docs/tutorial.md is typed, in order, and shows what the page shows.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { repository } from '../../demo/panel-host.ts'

vi.setConfig({ testTimeout: 120_000 })

interface Step {
  readonly title: string
  readonly commands: string
  /** Lines that the commands print, in this order; others may stand between. */
  readonly shows: readonly string[]
}

const page = readFileSync(join(repository, 'docs', 'tutorial.md'), 'utf8')
const PORT = '8371'

/** The `sh` blocks of the page, each with the `output` block behind it. */
function parseSteps(text: string): readonly Step[] {
  const blocks = [...text.matchAll(/^```(sh|output)\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(([, kind, commands = ''], index) => {
    if (kind !== 'sh') return []
    const [, next, shown = ''] = blocks[index + 1] ?? []
    const shows = next === 'output' ? shown.trimEnd().split('\n') : []
    const last = commands.trimEnd().split('\n').at(-1)!
    return [{ title: `${index}: ${last.slice(0, 70)}`, commands, shows }]
  })
}

const steps = parseSteps(page)
const folder = mkdtempSync(join(tmpdir(), 'rota-tutorial-'))
const bin = join(folder, 'bin')
let port: string

beforeAll(async () => {
  mkdirSync(bin)
  const program = join(repository, 'dist', 'rota.mjs')
  writeFileSync(join(bin, 'rota'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
  chmodSync(join(bin, 'rota'), 0o755)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = String((server.address() as { port: number }).port)
  server.close()
  await once(server, 'close')
})
afterAll(() => {
  spawnSync('sh', ['-c', 'kill "$(cat notes/app.pid)" 2>/dev/null'], { cwd: folder })
  rmSync(folder, { recursive: true, force: true })
})

it('has steps to type', () => {
  expect(steps.length).toBeGreaterThan(12)
  expect(steps.flatMap(({ shows }) => shows).length).toBeGreaterThan(15)
})

it.each(steps.map((step, index) => [step.title, step, index] as const))(
  '%s',
  (_, { commands, shows }, index) => {
    const cwd = index === 0 ? folder : join(folder, 'notes')
    const { status, stdout, stderr } = spawnSync('sh', ['-eu'], {
      cwd,
      input: commands.replaceAll(PORT, port),
      encoding: 'utf8',
      env: { PATH: `${bin}:${process.env['PATH']}`, HOME: folder, PWD: cwd },
    })
    const all = stdout + stderr
    expect(status, all).toBe(0)
    let rest = stdout
    for (const line of shows) {
      const at = rest.indexOf(line)
      expect(at, `${JSON.stringify(line)} is not in:\n${all}`).toBeGreaterThanOrEqual(0)
      rest = rest.slice(at + line.length)
    }
  },
)
