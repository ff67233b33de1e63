import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { isSameState, type State } from '../../src/core/value.ts'
import { loadIdentity, type OwnIdentity } from '../../src/secrets/identity.ts'
import { createSealer, sealStream, sealText, unsealStream, unsealText } from '../../src/secrets/seal.ts'
import { hasAge } from './age.ts'

let folder: string
let own: OwnIdentity
let colleague: OwnIdentity
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rota-seal-'))
  own = await loadIdentity(join(folder, 'own'))
  colleague = await loadIdentity(join(folder, 'colleague'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function sealBytes(bytes: Buffer, recipients = [own.recipient]) {
  const file = join(folder, randomBytes(4).toString('hex'))
  const sealed = await sealStream(recipients, Readable.from([bytes]), createWriteStream(file))
  return { file, ...sealed }
}
async function openBytes(file: string, who = own): Promise<Buffer> {
  const parts: Buffer[] = []
  const to = new Writable({
    write(chunk, _e, done) {
      parts.push(chunk)
      done()
    },
  })
  await unsealStream(who.identity, createReadStream(file), to)
  return Buffer.concat(parts)
}

it.skipIf(!hasAge).each([0, 1, 65_535, 65_536, 65_537, 1_000_000])(
  'seals %i bytes that age itself opens',
  async sizeBytes => {
    const bytes = randomBytes(sizeBytes)
    const { file, sha256, sizeBytes: sealedBytes } = await sealBytes(bytes)
    const sealed = readFileSync(file)
    expect([sha256, sealedBytes]).toEqual([createHash('sha256').update(sealed).digest('hex'), sealed.length])
    expect(execFileSync('age', ['-d', '-i', own.file, file], { maxBuffer: 1e8 }).equals(bytes)).toBe(true)
    expect((await openBytes(file)).equals(bytes)).toBe(true)
  },
)

it.skipIf(!hasAge)('opens what age sealed', async () => {
  const bytes = randomBytes(200_000)
  const file = join(folder, 'by-age')
  writeFileSync(file, execFileSync('age', ['-r', own.recipient], { input: bytes }))
  expect((await openBytes(file)).equals(bytes)).toBe(true)
})

it('every recipient opens it, and nobody else', async () => {
  const { file } = await sealBytes(Buffer.from('dump'), [own.recipient, colleague.recipient])
  expect(String(await openBytes(file, colleague))).toBe('dump')
  const { file: mine } = await sealBytes(Buffer.from('dump'))
  await expect(openBytes(mine, colleague)).rejects.toMatchObject({
    code: 'E_SEAL',
    message: expect.stringMatching(/not sealed to this identity/),
    hint: expect.stringMatching(/recipient/),
  })
})

it('finds every truncation and every changed byte', async () => {
  const { file } = await sealBytes(randomBytes(100))
  const whole = readFileSync(file)
  const bad = join(folder, 'bad')
  for (let i = 0; i < whole.length; i += 3) {
    writeFileSync(bad, whole.subarray(0, i))
    await expect(openBytes(bad), `cut at ${i}`).rejects.toMatchObject({ code: 'E_SEAL' })
    const changed = Buffer.from(whole)
    changed[i]! ^= 1
    writeFileSync(bad, changed)
    await expect(openBytes(bad), `flipped at ${i}`).rejects.toMatchObject({ code: 'E_SEAL' })
  }
})

it('a truncation at a chunk border is found though every chunk before it is whole', async () => {
  const { file } = await sealBytes(randomBytes(3 * 65_536))
  const whole = readFileSync(file)
  const bad = join(folder, 'bad-border')
  writeFileSync(bad, whole.subarray(0, whole.length - (65_536 + 16)))
  await expect(openBytes(bad)).rejects.toMatchObject({ code: 'E_SEAL' })
})

it('passes on the failures of local streams as they are', async () => {
  const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
  const to = () => new Writable({ write: (_c, _e, done) => done(full) })
  await expect(sealStream([own.recipient], Readable.from([Buffer.alloc(10)]), to())).rejects.toBe(full)
  const { file } = await sealBytes(randomBytes(10))
  await expect(unsealStream(own.identity, createReadStream(file), to())).rejects.toBe(full)
  await expect(
    unsealStream(own.identity, createReadStream(join(folder, 'missing')), new PassThrough()),
  ).rejects.toMatchObject({ code: 'ENOENT' })
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('x')
      throw full
    })(),
  )
  await expect(sealStream([own.recipient], broken, new PassThrough().resume())).rejects.toBe(full)
})

it('refuses to seal to nobody', async () => {
  await expect(sealStream([], Readable.from([]), new PassThrough())).rejects.toMatchObject({ code: 'E_SEAL' })
})

it.skipIf(!hasAge)('seals texts that age opens', async () => {
  const sealed = await sealText([own.recipient], new Secret('näive\n', 'X'))
  expect(execFileSync('age', ['-d', '-i', own.file], { input: sealed, encoding: 'utf8' })).toBe('näive\n')
  expect(isSameState(await unsealText(own.identity, sealed, 'X'), new Secret('näive\n', 'Y'))).toBe(true)
  await expect(unsealText(own.identity, 'garbage', 'X')).rejects.toMatchObject({ code: 'E_SEAL' })
})

const state = fc.letrec<{ state: State }>(tie => ({
  state: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<State>(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((text): State => new Secret(text, 'S')),
    fc.array(tie('state')),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('$secret', '$$secret', '$number', '__proto__', '$')),
      tie('state'),
    ),
  ),
})).state

it('run key: any state comes back the same, under its own context only', async () => {
  const { key, sealed } = await createSealer(own.identity, [own.recipient]).createKey()
  const again = await createSealer(own.identity, []).openKey(sealed)
  fc.assert(
    fc.property(state, fc.string(), (value, context) => {
      const text = key.seal(value, context)
      expect(isSameState(again.unseal(text, context), value)).toBe(true)
      expect(() => again.unseal(text, `${context}.`)).toThrow(expect.objectContaining({ code: 'E_SEAL' }))
    }),
  )
})

it('run key: numbers that JSON lacks come back too', async () => {
  const { key } = await createSealer(own.identity, [own.recipient]).createKey()
  const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e308, 5e-324]
  expect(key.unseal(key.seal(numbers, ''), '')).toEqual(numbers)
})

it('run key: every changed or missing byte is found', async () => {
  const { key } = await createSealer(own.identity, [own.recipient]).createKey()
  const sealed = Buffer.from(key.seal({ a: new Secret('canary-canary', 'a') }, 'c'), 'base64')
  for (let i = 0; i < sealed.length; i++) {
    const changed = Buffer.from(sealed)
    changed[i]! ^= 0x80
    expect(() => key.unseal(changed.toString('base64'), 'c')).toThrow(/truncated or was changed/)
    expect(() => key.unseal(sealed.subarray(0, i).toString('base64'), 'c')).toThrow(/truncated or/)
  }
})

it('a colleague who is a recipient opens the run key; another is told so', async () => {
  const both = createSealer(own.identity, [own.recipient, colleague.recipient])
  const { sealed } = await both.createKey()
  await createSealer(colleague.identity, []).openKey(sealed)
  const { sealed: mine } = await createSealer(own.identity, [own.recipient]).createKey()
  await expect(createSealer(colleague.identity, []).openKey(mine)).rejects.toMatchObject({
    code: 'E_SEAL',
    message: 'the run key is not sealed to this identity',
  })
})
