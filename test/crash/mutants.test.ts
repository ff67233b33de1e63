// Broken safety rules are found: a sample of `npm run crash -- --mutants`, which breaks all of them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mutants } from './mutants.ts'

const root = join(import.meta.dirname, '..', '..')

it('every rule that is broken stands in the source as the mutant says', () => {
  expect(mutants.length).toBeGreaterThan(12)
  const stale = mutants.filter(
    ({ file, from }) => readFileSync(join(root, file), 'utf8').split(from).length !== 2,
  )
  expect(stale).toEqual([])
})

it.each([
  'before anything relies',
  'before its intent',
  'fenced process',
  'gives its hosts back',
  'goes along',
])(
  'finds the mutant: %s',
  rule => {
    const args = ['scripts/crash.mjs', '--mutants', '--trials', '4000', '--only', rule]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/^found[^\n]*\n *(NOT WHOLE|FAIL) [\s\S]*^1 of 1 mutants found$/m)
  },
  120_000,
)
