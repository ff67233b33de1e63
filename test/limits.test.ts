// docs/limits.md says of each known way to fail what rota does and which test shows it: no row is missing, and no test is invented.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const rows = readFileSync(join(root, 'docs', 'limits.md'), 'utf8')
  .split('\n')
  .flatMap(line => (/^\| \d+ \|/.test(line) ? [line.slice(2, -2).split(' | ')] : []))
  .map(([number = '', fault = '', answer = '', proof = '', limit = '']) => ({
    number,
    fault,
    answer,
    proof,
    limit,
  }))

it('has every row, once and in order', () => {
  expect(rows.map(({ number }) => Number(number))).toEqual(Array.from({ length: 44 }, (_, i) => i + 1))
})

/** Names of tests as they stand in a file, the parts of joined and escaped texts put together. */
const namesIn = (file: string): string =>
  readFileSync(file, 'utf8')
    .replaceAll(/['`]\s*\+\s*['`]/g, '')
    .replaceAll("\\'", "'")

describe.each(rows)('row $number: $fault', ({ answer, proof, limit }) => {
  it('is answered, or says its limit', () => {
    expect(answer.length + limit.length).toBeGreaterThan(20)
  })
  it('names tests that exist', () => {
    const named = [...proof.matchAll(/`(test\/[\w./-]+\.ts)` “([^”]+)”/g)]
    expect(named.length + Number(limit !== '')).toBeGreaterThan(0)
    expect(proof.split('; `').length).toBe(named.length || 1)
    for (const [, file, name] of named) {
      expect(existsSync(join(root, file!)), file).toBe(true)
      const isThere = namesIn(join(root, file!)).includes(name!)
      expect(isThere, `${file} has no test “${name}”`).toBe(true)
    }
  })
  it('names files that exist', () => {
    for (const [, file] of answer.matchAll(/`((?:src|playbooks)\/[\w./-]+)`/g))
      expect(existsSync(join(root, file!)), file).toBe(true)
  })
})
