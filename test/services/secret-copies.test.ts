// secret_copies: a copy of a value in any form is found, wherever it lies; what could not be searched is never passed over.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { OMIT } from '../../src/core/value.ts'
import { secret_copies } from '../../src/modules/secret-copies.ts'
import type { Copy } from '../../src/resources/secret-copies.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget as makePlainTarget } from '../support/target.ts'
import { makeTarget, runAction, shells } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-copies-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
/** A folder with these files in it. */
function place(files: Readonly<Record<string, string | Buffer>>): string {
  const root = join(folder, String(++made))
  mkdirSync(root)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}
const value = 'pA55w0rd/with+odd:$igns%&'
const search = (t: Target, root: string, more: Record<string, unknown> = {}, text = value) =>
  runAction(t, secret_copies, {
    values: new Map([['DB', new Secret(text, 'DB')]]),
    paths: [root],
    system: false,
    ...more,
  })
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const lines = (text: string, width: number): string => text.replace(new RegExp(`.{${width}}`, 'g'), '$&\n')

const forms: Readonly<Record<string, string>> = {
  plain: `PASSWORD=${value}`,
  base64: base64(value),
  'base64 at the second byte': base64(`x${value}`),
  'base64 at the third byte': base64(`xy${value}`),
  'basic auth': `Authorization: Basic ${base64(`admin:${value}`)}`,
  'base64 of a file, in lines': lines(base64(`${'a=1\n'.repeat(20)}P=${value}\nb=2\n`), 76),
  'base64url in a JWT': Buffer.from(`{"k":"${value}"}`).toString('base64url'),
  hex: Buffer.from(value).toString('hex'),
  'hex in lines': lines(Buffer.from(`aa${value}bb`).toString('hex'), 60),
  url: `postgres://u:${encodeURIComponent(value)}@h/db`,
  'url, lower case': encodeURIComponent(value).replace(/%../g, code => code.toLowerCase()),
  json: JSON.stringify({ value }),
  'double quotes of sh': `X="${value.replace(/[$]/g, '\\$&')}"`,
  compose: value.replaceAll('$', '$$$$'),
  'unit file': `Environment=P=${value.replaceAll('%', '%%')}`,
  crontab: `* * * * * P=${value.replaceAll('%', '\\%')} run`,
  pgpass: `*:*:*:u:${value.replaceAll(':', '\\:')}`,
}

const sessions: Session[] = []
afterAll(() => Promise.all(sessions.map(session => session.close())))
/** A target whose programs of this folder come first. */
async function openWith(programs: string, shell: readonly string[]): Promise<Target> {
  const path = process.env['PATH']
  process.env['PATH'] = `${programs}:${path}`
  const session = await openLocalSession({ shell })
  process.env['PATH'] = path
  sessions.push(session)
  return makePlainTarget({ session })
}

const busyboxTools = ['grep', 'find', 'sed', 'head', 'printf']
let busyboxFolder: string
beforeAll(() => {
  busyboxFolder = place({})
  for (const name of busyboxTools) symlinkSync('/bin/busybox', join(busyboxFolder, name))
})

describe.each([...Object.entries(shells), ['busybox alone', shells['busybox']!] as const])(
  'under %s',
  (name, shell) => {
    let t: Target
    beforeAll(async () => {
      if (name !== 'busybox alone') {
        t = makeTarget({ shell })
        return
      }
      t = await openWith(busyboxFolder, shell)
    })

    it('finds a copy in any form, by its line', async () => {
      const copies = Object.entries(forms).map(([form, text]) => [`b c/${form}`, `first\n${text}\n`] as const)
      const root = place({ 'a/clean': 'nothing\n', ...Object.fromEntries(copies) })
      const found = await search(t, root)
      expect(
        found.values['copies'].map(({ path, line, secret }: Copy) => [path, line! > 1, secret]).sort(),
      ).toEqual(
        Object.keys(forms)
          .map(form => [`${root}/b c/${form}`, true, 'DB'])
          .sort(),
      )
      expect(found.values['searched']).toBe(copies.length + 1)
      expect(found.msg).not.toContain(value)
    })

    it('finds it in binary data, where there are no lines', async () => {
      const root = place({
        blob: Buffer.concat([Buffer.from([0, 1, 0]), Buffer.from(value), Buffer.from([0])]),
      })
      expect(await search(t, root)).toMatchObject({
        failed: true,
        values: { copies: [{ path: `${root}/blob` }] },
      })
    })

    it('finds it in the last of many files', async () => {
      const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, `line ${i}\n`]))
      const root = place({ ...many, z: value })
      const found = await search(t, root)
      expect(found.values['copies'].map((copy: { path: string }) => copy.path)).toEqual([`${root}/z`])
      expect(found.values['searched']).toBe(201)
    })

    it('passes where there is no copy, and lets known ones be', async () => {
      const root = place({ '.env': `P=${value}\n`, 'old/1.bak': value, 'node_modules/x': value, ok: 'x\n' })
      const allow = [`${root}/.env`, `${root}/old/*.bak`]
      expect(await search(t, root, { allow })).toMatchObject({ changed: false, msg: 'no copy in 3 files' })
      expect(await search(t, root, { allow: [`${root}/.env`] })).toMatchObject({
        msg: expect.stringContaining(`${root}/old/1.bak:1 holds DB: change`),
      })
    })

    it('says what it could not search', async () => {
      const root = place({ 'odd\nname': 'x', big: 'x'.repeat(2 * 1024 * 1024) })
      const found = await search(t, root, { max_mib: 1 })
      expect(found.failed).toBe(true)
      expect(found.msg).toContain(`${root}/big is larger than is searched`)
      expect(found.msg).toContain('holds a name with a line end')
      const gone = await search(t, `${root}/none`)
      expect(gone).toMatchObject({ failed: true, msg: `${root}/none does not exist` })
    })
  },
)

const t = makeTarget()

it('says whose values stand where, each once', async () => {
  const root = place({ a: 'one-first-value\nx\none-other-value one-first-value\n' })
  const values = new Map([
    ['A', 'one-first-value'],
    ['B', 'one-other-value'],
  ])
  const found = await runAction(t, secret_copies, { values, paths: [root], system: false })
  expect(found.msg).toContain(`${root}/a:1 holds A; ${root}/a:3 holds B: `)
})

it('a multi-line value is found by its longest line, and a header that all keys share is none', async () => {
  const key = `-----BEGIN PRIVATE KEY-----\n${'Zm9vYmFyYmF6cXV4'.repeat(4)}\n-----END PRIVATE KEY-----\n`
  const root = place({ 'other.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' })
  expect(await search(t, root, {}, key)).toMatchObject({ changed: false, msg: 'no copy in 1 files' })
  const copy = place({ 'same.pem': key })
  expect(await search(t, copy, {}, key)).toMatchObject({ failed: true })
})

it('what is omitted or too short is not looked for, and the latter is said', async () => {
  const root = place({ a: 'short\n' })
  const session = await openLocalSession({})
  sessions.push(session)
  const target = makePlainTarget({ session })
  const values = new Map<string, unknown>([
    ['A', OMIT],
    ['B', null],
    ['C', 'short'],
  ])
  const found = await runAction(target, secret_copies, { values, paths: [root], system: false })
  expect(found).toMatchObject({ changed: false })
  expect(target.said.join()).toContain('C: shorter than 8 characters')
})

it('a file that is rewritten holds the value before, and may not hold it afterwards; it need not be there', async () => {
  const root = place({ '.env': `P=${value}\n` })
  const rewrites = [`${root}/.env`, `${root}/later`]
  expect(await search(t, root, { rewrites })).toMatchObject({ msg: 'no copy in 2 files' })
  expect(await search(t, root, { rewrites, rewritten: true })).toMatchObject({
    failed: true,
    msg: `${root}/.env:1 holds DB`,
  })
})

it('refuses a path that is none', async () => {
  await expect(search(t, 'etc')).rejects.toMatchObject({ code: 'E_PARAMS' })
})

it('any printable value is found in any of the encodings, wherever it stands', async () => {
  const text = fc.string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 60 })
  const encode = fc.constantFrom<(all: string) => string>(
    all => all,
    all => base64(all),
    all => lines(base64(all), 76),
    all => Buffer.from(all).toString('hex'),
    all => encodeURIComponent(all),
    all => JSON.stringify(all),
  )
  const around = fc.string({ unit: 'grapheme-ascii', maxLength: 90 })
  await fc.assert(
    fc.asyncProperty(text, encode, around, around, async (secret, write, head, tail) => {
      const root = place({ file: `${write(head + secret + tail)}\n` })
      expect((await search(t, root, {}, secret)).failed).toBe(true)
    }),
    { numRuns: 12 },
  )
})

it('the value is in no argument and no environment of any program it starts', async () => {
  const root = place({ a: value, b: 'x' })
  const log = join(folder, 'calls')
  const spies = place({})
  for (const name of ['grep', 'find', 'sed', 'head', 'tr', 'sh']) {
    const real = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    const spy = `#!/bin/sh\n{ printf '%s\\n' "${name} $*"; env; } >>'${log}'\nexec ${real} "$@"\n`
    writeFileSync(join(spies, name), spy, { mode: 0o755 })
  }
  const found = await search(await openWith(spies, shells['dash']!), root)
  expect(found.failed).toBe(true)
  const calls = readFileSync(log, 'utf8')
  expect(calls).toMatch(/^grep -l -F -f - -- /m)
  for (const form of [value, base64(value).slice(0, 20), encodeURIComponent(value)])
    expect(calls).not.toContain(form)
})

it.skipIf(process.getuid?.() === 0)('a folder that may not be read is no clean one', async () => {
  const root = place({ 'closed/a': value })
  chmodSync(join(root, 'closed'), 0)
  expect(await search(t, root)).toMatchObject({ failed: true, msg: `${root}/closed may not be read` })
  chmodSync(join(root, 'closed'), 0o700)
})
