import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import { Secret } from '../../src/core/secret.ts'

const secretText = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
const encodings: readonly ((text: string) => string)[] = [
  text => text,
  text => Buffer.from(text).toString('hex'),
  text => encodeURIComponent(text),
  text => JSON.stringify(text),
  text => `'${text.replaceAll("'", `'\\''`)}'`,
]

it('takes a secret out in every encoding, wherever it stands', () => {
  fc.assert(
    fc.property(
      secretText,
      fc.string(),
      fc.string(),
      fc.constantFrom(...encodings),
      (value, head, tail, encode) => {
        const redactor = createRedactor()
        redactor.add(new Secret(value, 'X'))
        const clean = redactor.clean(head + encode(value) + tail)
        expect(clean).toContain('[secret X]')
        expect(clean).not.toContain(value)
      },
    ),
  )
})

it('takes a secret out of base64 of any text that contains it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), fc.string(), fc.string(), (value, head, tail) => {
      const redactor = createRedactor()
      redactor.add(new Secret(value, 'X'))
      expect(redactor.clean(Buffer.from(head + value + tail).toString('base64'))).toContain('[secret X]')
    }),
  )
})

it('finds a secret cut by any chunk borders, and loses no other text', () => {
  fc.assert(
    fc.property(
      secretText,
      fc.array(fc.string(), { maxLength: 4 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (value, words, sizes) => {
        const redactor = createRedactor()
        redactor.add(new Secret(value, 'X'))
        const text = words.join(value)
        const stream = redactor.stream()
        let out = ''
        for (let at = 0; at < text.length; ) {
          const size = sizes.next().value as number
          out += stream.push(text.slice(at, at + size))
          at += size
        }
        out += stream.end()
        expect(out).toBe(redactor.clean(text))
      },
    ),
  )
})

/** Cuts a text into chunks of the sizes that come next. */
function chunksOf(text: string, nextSize: () => number): string[] {
  const chunks: string[] = []
  for (let at = 0; at < text.length; ) {
    const size = nextSize()
    chunks.push(text.slice(at, at + size))
    at += size
  }
  return chunks
}

// Few letters, so that secrets begin, end, repeat and contain each other.
const tangled = fc.string({ minLength: 4, maxLength: 7, unit: fc.constantFrom('a', 'b') })

it('cuts tangled secrets out of chunks as it does out of the whole, and loses no other text', () => {
  fc.assert(
    fc.property(
      fc.array(tangled, { minLength: 1, maxLength: 4 }),
      fc.string({ maxLength: 60, unit: fc.constantFrom('a', 'b', 'b', 'c') }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (values, text, sizes) => {
        const redactor = createRedactor()
        for (const value of values) redactor.add(new Secret(value, 'X'))
        const stream = redactor.stream()
        const parts = chunksOf(text, () => sizes.next().value as number).map(chunk => stream.push(chunk))
        expect(parts.join('') + stream.end()).toBe(redactor.clean(text))
      },
    ),
    { numRuns: 1000 },
  )
})

it('holds back only what a secret begins with', () => {
  const redactor = createRedactor()
  redactor.add(new Secret('correct horse battery', 'X'))
  redactor.add(new Secret('a'.repeat(3000), 'LONG'))
  const stream = redactor.stream()
  expect(stream.push('progress: 10 %\n')).toBe('progress: 10 %\n')
  expect(stream.push('this is corr')).toBe('this is ')
  expect(stream.push('ected\n')).toBe('corrected\n')
  expect(stream.push('a correct horse')).toBe('a ')
  expect(stream.push(' battery!\n')).toBe('[secret X]!\n')
  expect(stream.push('aaaa')).toBe('')
  expect(stream.end()).toBe('aaaa')
})
