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
