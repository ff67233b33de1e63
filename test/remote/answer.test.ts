import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createAnswerReader, type Mark } from '../../src/remote/answer.ts'

const nonce = '\x02deadbeef'

type Part = { readonly text: string } | { readonly mark: Mark }
function encode(part: Part): Buffer {
  if ('text' in part) return Buffer.from(part.text, 'latin1')
  const { mark } = part
  if (mark.kind === 'ready') return Buffer.from(`${nonce} r ${mark.target}\n`)
  if (mark.kind === 'end') return Buffer.from(`${nonce} e ${mark.exit}\n`)
  return Buffer.from(`${nonce} v ${mark.name} ${Buffer.byteLength(mark.value)}\n${mark.value}`)
}
/** What a reader gives, with neighbouring text joined. */
function read(chunks: readonly Buffer[]): Part[] {
  const seen: Part[] = []
  const reader = createAnswerReader(nonce, {
    text(bytes) {
      const last = seen.at(-1)
      if (last && 'text' in last) seen[seen.length - 1] = { text: last.text + bytes.toString('latin1') }
      else seen.push({ text: bytes.toString('latin1') })
    },
    mark: mark => seen.push({ mark }),
  })
  for (const chunk of chunks) reader.push(chunk)
  return seen
}

const mark: fc.Arbitrary<Mark> = fc.oneof(
  fc.record({ kind: fc.constant('end' as const), exit: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('ready' as const), target: fc.constantFrom('-12', '34') }),
  fc.record({
    kind: fc.constant('value' as const),
    name: fc.constantFrom('a', 'long_name'),
    // A value may hold what looks like the beginning of a mark, or all of one.
    value: fc.constantFrom('', 'x', 'two\nlines\n', 'é'.repeat(40), nonce, `${nonce} e 0\n`),
  }),
)
const output = fc
  .constantFrom('plain', '\n', '\x02', '\x02dead', '\xff\x00\xfe', ' e 0\n')
  .map(text => ({ text }))

it('gives the same, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          output,
          mark.map(m => ({ mark: m })),
        ),
        { maxLength: 8 },
      ),
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 12 }),
      (parts, cuts) => {
        const all = Buffer.concat([...parts.map(encode), Buffer.from('.')])
        const at = [0, ...cuts.filter(cut => cut < all.length).sort((a, b) => a - b), all.length]
        const chunks = at.slice(1).map((end, i) => all.subarray(at[i], end))
        const expected: Part[] = []
        for (const part of [...parts, { text: '.' }]) {
          const last = expected.at(-1)
          if ('text' in part && last && 'text' in last)
            expected[expected.length - 1] = { text: last.text + part.text }
          else expected.push(part)
        }
        expect(read(chunks)).toEqual(expected)
      },
    ),
    { numRuns: 1000 },
  )
})

it('holds back only what could be a mark', () => {
  expect(read([Buffer.from('a prompt: ')])).toEqual([{ text: 'a prompt: ' }])
  expect(read([Buffer.from('text\x02dead')])).toEqual([{ text: 'text' }])
})
