import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { reveal } from '../../src/core/secret.ts'
import { generateSecret, parseAlphabet } from '../../src/secrets/generate.ts'

const make = (length: number, alphabet = '') =>
  reveal(generateSecret({ length, alphabet }, 'JWT', randomBytes))

it('makes values of the asked length that every env-file dialect reads alike', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 300 }), length => {
      expect(make(length)).toMatch(new RegExp(`^[A-Za-z0-9]{${length}}$`))
    }),
  )
})

it('begins with a letter or digit whatever the alphabet', () => {
  for (let i = 0; i < 500; i++) expect(make(32, '_.~a-')).toMatch(/^a[_.~a-]{31}$/)
})

it('draws without modulo bias: bytes above the last whole multiple are thrown away', () => {
  // 62 characters: 248 is the first byte to be refused. A source of 248…255 and then 0s must give only the first character.
  let call = 0
  const source = (sizeBytes: number) =>
    Buffer.alloc(sizeBytes, call++ % 2 === 0 ? Buffer.from([248, 250, 255]) : Buffer.from([0]))
  expect(reveal(generateSecret({ length: 20, alphabet: '' }, 'X', source))).toBe('A'.repeat(20))
})

it('is even over the alphabet (chi-square, 61 degrees of freedom, p ≈ 1e-9)', () => {
  let seed = 1n
  // A fixed stream (xorshift64*) keeps the outcome the same every time.
  const source = (sizeBytes: number) =>
    Buffer.from(
      Array.from({ length: sizeBytes }, () => {
        seed ^= seed >> 12n
        seed = (seed ^ (seed << 25n)) & 0xffffffffffffffffn
        seed ^= seed >> 27n
        return Number(((seed * 2685821657736338717n) >> 40n) & 0xffn)
      }),
    )
  const counts = new Map<string, number>()
  const total = 62 * 1000
  let text = ''
  while (text.length < total)
    text += reveal(generateSecret({ length: 4000, alphabet: '' }, 'X', source)).slice(1)
  for (const char of text.slice(0, total)) counts.set(char, (counts.get(char) ?? 0) + 1)
  expect(counts.size).toBe(62)
  const chi = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)
  expect(chi).toBeLessThan(150)
})

it('expands ranges, and takes a dash at the end as itself', () => {
  expect(parseAlphabet('a-f0-9-', 'X')).toBe('abcdef0123456789-')
  expect(parseAlphabet('', 'X')).toHaveLength(62)
})

it.each([
  [15, '', /length is 15/],
  [16.5, '', /length is 16.5/],
  [Number.NaN, '', /length is NaN/],
  [5000, '', /length is 5000/],
  [32, 'a-z$', /alphabet has "\$"/],
  [32, '[A-Z]', /alphabet has "\[\]"/],
  [32, 'z-a', /runs backwards/],
  [32, 'a', /can be guessed/],
  [16, '0-9', /can be guessed/],
  [64, '._~-', /no letter or digit/],
])('refuses a shape of %s × %j by name', (length, alphabet, message) => {
  expect(() => make(length, alphabet)).toThrow(expect.objectContaining({ code: 'E_PLAYBOOK' }))
  expect(() => make(length, alphabet)).toThrow(message)
  expect(() => make(length, alphabet)).toThrow(/secret JWT/)
})
