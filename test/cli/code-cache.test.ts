import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openProgram } from '../../src/cli/code-cache.ts'

let folder: string
let cache: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-cache-'))
  cache = join(folder, 'home', 'cache')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** V8 compares only the length of the source: what another program of the same length answers tells whether its code came from the cache. */
function open(answer: number, name = 'run-1'): ReturnType<typeof openProgram> {
  const file = join(folder, 'program.cjs')
  writeFileSync(file, `exports.answer = ${answer}`)
  return openProgram(file, cache, name)
}
const keptByOne = (): string => {
  const program = open(1)
  expect(program.exports).toEqual({ answer: 1 })
  program.keep()
  return join(cache, 'run-1')
}

it('runs what was compiled before', () => {
  keptByOne()
  expect(statSync(cache).mode & 0o777).toBe(0o700)
  expect(open(2).exports).toEqual({ answer: 1 })
  // A source that this process has not compiled yet: V8 remembers those, whatever came from the file.
  expect(open(3, 'run-2').exports).toEqual({ answer: 3 })
})

it.each([
  ['is damaged', (file: string) => writeFileSync(file, readFileSync(file).fill(7, 100, 101))],
  ['is cut off', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 20))],
  ['others may write', (file: string) => chmodSync(file, 0o620)],
  ['lies where others may write', () => chmodSync(cache, 0o702)],
])('compiles anew what %s', (_, spoil) => {
  spoil(keptByOne())
  const program = open(2)
  expect(program.exports).toEqual({ answer: 2 })
  program.keep()
})

it('keeps a few files, and nothing where there is no folder for them', () => {
  for (let build = 0; build < 20; build++) open(1, `run-${build}`).keep()
  expect(readdirSync(cache)).toHaveLength(16)
  rmSync(join(folder, 'home'), { recursive: true })
  writeFileSync(join(folder, 'home'), '')
  expect(() => open(1).keep()).not.toThrow()
})

it('makes no home where there is none: in /proc Node would try for ever', () => {
  cache = '/proc/no-home/cache/rota'
  open(1).keep()
  expect(existsSync(cache)).toBe(false)
})

it('fills no folder of another user, as a home is under sudo -E', () => {
  const home = process.geteuid?.() === 0 ? join(folder, 'home') : '/'
  if (home !== '/') {
    mkdirSync(home)
    chownSync(home, 65_534, 65_534)
  }
  cache = join(home, 'cache-of-another', 'rota')
  open(1).keep()
  expect(existsSync(join(home, 'cache-of-another'))).toBe(false)
})
