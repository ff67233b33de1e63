// Keys of age files: made and opened by age itself, so that what rota writes is what the format says.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseBech32, renderBech32 } from '../../src/core/bech32.ts'
import type { Session } from '../../src/core/remote.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { age_file } from '../../src/modules/age-file.ts'
import { age_find } from '../../src/modules/age-find.ts'
import { age_keygen } from '../../src/modules/age-keygen.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, asState, makeFolder, shells } from './harness.ts'
import { hasProgram } from './sandbox.ts'

const hasAge = hasProgram('age')
if (!hasAge && process.env['CI']) throw new Error('age is not installed')
if (!hasAge) console.log('skipped: age is not installed')

interface Key {
  readonly identity: string
  readonly recipient: string
}
function makeKey(): Key {
  const identity = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    .split('\n')
    .find(line => line.startsWith('AGE-SECRET-KEY-'))!
  return {
    identity,
    recipient: execFileSync('age-keygen', ['-y'], { input: identity, encoding: 'utf8' }).trim(),
  }
}
const seal = (path: string, text: Buffer | string, ...keys: readonly Key[]): void =>
  void execFileSync('age', [...keys.flatMap(({ recipient }) => ['-r', recipient]), '-o', path], {
    input: text,
  })
/** What age makes of the file with one key; undefined when it refuses. */
function openWith(path: string, { identity }: Key): Buffer | undefined {
  const { status, stdout } = spawnSync('age', ['-d', '-i', '-', path], {
    input: identity,
    maxBuffer: 1 << 26,
  })
  return status === 0 ? stdout : undefined
}

it('writes keys as BIP-173 says', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), bytes => {
      const text = renderBech32('age', bytes)
      expect(parseBech32('age', text)?.equals(bytes)).toBe(true)
      expect(parseBech32('age', text.toUpperCase())?.equals(bytes)).toBe(true)
      const at = 4 + (bytes[0]! % (text.length - 4))
      const other = text[at] === 'q' ? 'p' : 'q'
      expect(parseBech32('age', text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined()
    }),
  )
  expect(parseBech32('age', 'age1')).toBeUndefined()
})

/** Around the chunks of 64 KiB that the data is made of. */
const sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_001]

describe.runIf(hasAge).each(Object.keys(shells))('under %s', shell => {
  let session: Session
  let folder: string
  const [old, next, escrow] = hasAge ? [makeKey(), makeKey(), makeKey()] : ([] as unknown as [Key, Key, Key])
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(() => session.close())
  beforeEach(() => {
    folder = makeFolder()
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const argsOf = (path: string, more = {}) => ({
    path,
    identity: new Secret(next.identity, 'NEW'),
    old_identities: [new Secret(old.identity, 'OLD')],
    ...more,
  })

  it.each(['re-wrap', 're-encrypt'])(
    '%s: only the new key opens what it was; undo gives back the same bytes',
    async method => {
      for (const size of shell === 'dash' ? sizes : [0, 65_537]) {
        const path = join(folder, `${size} o'clock.age`)
        const text = randomBytes(size)
        seal(path, text, old)
        chmodSync(path, 0o640)
        const start = readFileSync(path)
        const { mtimeMs } = statSync(path)
        const args = argsOf(path, { method })
        const pretended = await apply(makeTarget({ session, check: true }), age_file, args)
        expect(pretended.changed).toBe(true)
        expect(readFileSync(path).equals(start)).toBe(true)
        const done = await apply(makeTarget({ session, undoable: true }), age_file, args)
        expect(done.changed).toBe(true)
        expect(openWith(path, next)?.equals(text)).toBe(true)
        expect(openWith(path, old)).toBeUndefined()
        expect(statSync(path)).toMatchObject({ mode: 0o100640 })
        expect(Math.trunc(statSync(path).mtimeMs / 1000)).toBe(Math.trunc(mtimeMs / 1000))
        const data = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\n--- ') + 49)
        expect(data(readFileSync(path)).equals(data(start))).toBe(method === 're-wrap')

        const { reread, want, write } = asState(age_file)
        expect(await reread(makeTarget({ session }), done.after)).toEqual(done.after)
        expect(want(done.input, done.after)).toEqual(done.after)
        expect((await apply(makeTarget({ session }), age_file, args)).changed).toBe(false)
        await write(makeTarget({ session }), done.after, done.before)
        expect(readFileSync(path).equals(start)).toBe(true)
        await expect(write(makeTarget({ session }), done.after, done.before)).rejects.toThrow(
          /no longer as it was read/,
        )
        expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([])
      }
    },
  )

  it('seals for an escrow too, and takes a key away that was there besides', async () => {
    const path = join(folder, 'two.age')
    seal(path, 'text', old, next)
    const recipients = [escrow.recipient]
    expect((await apply(makeTarget({ session }), age_file, argsOf(path, { recipients }))).changed).toBe(true)
    expect([next, escrow, old].map(key => openWith(path, key)?.toString())).toEqual([
      'text',
      'text',
      undefined,
    ])
    expect((await apply(makeTarget({ session }), age_file, argsOf(path, { recipients }))).changed).toBe(false)
  })

  it('finds what opens with which key, and proves data that was changed', async () => {
    seal(join(folder, 'a.age'), 'a', old)
    seal(join(folder, 'b.age'), 'b', old, next)
    seal(join(folder, 'c.age'), 'c', next)
    seal(join(folder, 'd.age'), 'd', escrow)
    writeFileSync(join(folder, 'e.age'), 'F 1 2 /etc/passwd\nage-encryption.org/v1\nF 3 4 /etc/shadow\n')
    writeFileSync(
      join(folder, 'f.age'),
      `age-encryption.org/v1\n-> X25519 a\nF 1 2 /etc/passwd\n${'x'.repeat(99)}`,
    )
    writeFileSync(join(folder, 'not.txt'), 'x')
    seal(join(folder, 'torn.age'), randomBytes(70_000), next)
    const torn = readFileSync(join(folder, 'torn.age'))
    writeFileSync(join(folder, 'torn.age'), torn.subarray(0, torn.length - 1))
    const identities = new Map([
      ['old', new Secret(old.identity, 'OLD')],
      ['new', new Secret(next.identity, 'NEW')],
    ])
    const find = async (open: string) =>
      (await act(makeTarget({ session }), age_find, { paths: [folder], identities, open })).values!
    const names = (paths: unknown) => (paths as string[]).map(path => path.slice(folder.length + 1))
    const headers = await find('header')
    expect(headers['matched']).toBe(7)
    expect(names(headers['unreadable'])).toEqual(['d.age', 'e.age', 'f.age'])
    const only = headers['only'] as Record<string, unknown>
    expect(names(only['old'])).toEqual(['a.age'])
    expect(names(only['new'])).toEqual(['c.age', 'torn.age'])
    expect(names((await find('data'))['unreadable'])).toEqual(['d.age', 'e.age', 'f.age', 'torn.age'])
  })

  it.each([
    ['a file that is none', (path: string) => writeFileSync(path, 'x'), /no age file/],
    [
      'a key that opens nothing',
      (path: string) => seal(path, 'x', escrow),
      /opens with none of the given keys/,
    ],
    [
      'a header that was changed',
      (path: string) => {
        seal(path, 'x', old)
        const bytes = readFileSync(path)
        const at = bytes.indexOf('\n--- ') + 6
        bytes[at] = bytes[at] === 65 ? 66 : 65
        writeFileSync(path, bytes)
      },
      /header was changed/,
    ],
  ])('refuses %s', async (_, make, says) => {
    const path = join(folder, 'x.age')
    make(path)
    const before = createHash('sha256').update(readFileSync(path)).digest('hex')
    await expect(apply(makeTarget({ session }), age_file, argsOf(path))).rejects.toThrow(says)
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(before)
  })

  it('does not re-encrypt data that does not open to its end', async () => {
    const path = join(folder, 'x.age')
    seal(path, randomBytes(200_000), old)
    const bytes = readFileSync(path)
    bytes[150_000]! ^= 1
    writeFileSync(path, bytes)
    await expect(
      apply(makeTarget({ session }), age_file, argsOf(path, { method: 're-encrypt' })),
    ).rejects.toThrow(/truncated or was changed/)
    expect(readFileSync(path).equals(bytes)).toBe(true)
    expect(readdirSync(folder)).toEqual(['x.age'])
  })

  it('makes keys that age takes', async () => {
    const { identity, recipient } = (await act(makeTarget({ session }), age_keygen, {})).values!
    const key = { identity: reveal(identity as Secret), recipient: String(recipient) }
    const path = join(folder, 'x.age')
    seal(path, 'text', key)
    expect(openWith(path, key)?.toString()).toBe('text')
    const other = (await act(makeTarget({ session }), age_keygen, {})).values!
    expect(other['recipient']).not.toBe(recipient)
  })

  it('refuses a passphrase in place of a key, without showing it', async () => {
    const path = join(folder, 'x.age')
    seal(path, 'x', old)
    const args = argsOf(path, { identity: new Secret('hunter2-hunter2', 'KEY') })
    await expect(apply(makeTarget({ session }), age_file, args)).rejects.toThrow(/KEY is no age identity/)
  })
})
