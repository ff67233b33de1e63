// copy and template: as tables in three shells, and what tables cannot say.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { copy } from '../../src/modules/copy.ts'
import { template } from '../../src/modules/template.ts'
import { encodeText } from '../../src/modules/text-encoding.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { apply, asState, describeCases, isRoot, makeFolder, shells, snapshot } from './harness.ts'

const binary = Buffer.from([0, 255, 10, 13, 128, 1])

describeCases(copy, [
  {
    name: 'writes content',
    args: { content: 'hi\n', dest: 'DIR/a' },
    expect: { a: 'hi\n', 'mode:a': '0644' },
    result: { dest: 'DIR/a', checksum: '55ca6286e3e4f4fba5d0448333fa99fc5a404a73', size: 3, state: 'file' },
  },
  { name: 'writes empty content', args: { content: '', dest: 'DIR/a' }, expect: { a: '' } },
  {
    name: 'writes a dict as JSON',
    args: { content: new Map([['a', [1, 'x']]]), dest: 'DIR/a' },
    expect: { a: '{"a": [1, "x"]}' },
  },
  {
    name: 'replaces content and keeps the mode',
    files: { a: { text: 'old', mode: 0o600 } },
    args: { content: 'new', dest: 'DIR/a' },
    expect: { a: 'new', 'mode:a': '0600' },
  },
  {
    name: 'leaves the same content',
    files: { a: 'same' },
    args: { content: 'same', dest: 'DIR/a' },
    changed: false,
  },
  {
    name: 'changes the mode alone',
    files: { a: 'same' },
    args: { content: 'same', dest: 'DIR/a', mode: 'u=rw,go=' },
    expect: { 'mode:a': '0600' },
  },
  {
    name: 'leaves another file without force',
    files: { a: 'old' },
    args: { content: 'new', dest: 'DIR/a', force: false, mode: '0600' },
    changed: false,
  },
  {
    name: 'writes a secret',
    files: { a: 'old' },
    args: { content: new Secret('hunter2\n', 'pw'), dest: 'DIR/a', mode: '0600' },
    expect: { a: 'hunter2\n', 'mode:a': '0600' },
  },
  {
    name: 'copies a file into a folder',
    files: { 'files/f': 'text', 'd/x': '' },
    args: { src: 'f', dest: 'DIR/d' },
    expect: { 'd/f': 'text' },
    result: { dest: 'DIR/d/f' },
  },
  {
    name: 'makes the folder of a dest that ends in /',
    files: { 'files/f': 'text' },
    args: { src: 'f', dest: 'DIR/n/m/', directory_mode: '0700' },
    expect: { 'n/m/f': 'text', 'mode:n/m': '0700', 'mode:n': '0700' },
  },
  {
    name: 'fails where the folder is missing',
    files: { 'files/f': 'text' },
    args: { src: 'f', dest: 'DIR/n/m' },
    fails: /Destination directory .*\/n does not exist/,
  },
  { name: 'copies binary bytes', files: { 'files/f': binary }, args: { src: 'f', dest: 'DIR/b' } },
  {
    name: 'preserves a mode',
    files: { 'files/f': { text: '#!/bin/sh\n', mode: 0o750 } },
    args: { src: 'f', dest: 'DIR/b', mode: 'preserve' },
    expect: { 'mode:b': '0750' },
  },
  {
    name: 'makes a backup',
    files: { a: 'old' },
    args: { content: 'new', dest: 'DIR/a', backup: true },
    leaves: /^a\.\d+\..*~$/,
  },
  {
    name: 'replaces a link by a file',
    files: { real: 'r', a: { link: 'real' } },
    args: { content: 'new', dest: 'DIR/a' },
    expect: { real: 'r', a: 'new' },
  },
  {
    name: 'follows a link',
    files: { real: 'r', a: { link: 'real' } },
    args: { content: 'new', dest: 'DIR/a', follow: true },
    expect: { real: 'new', a: '-> real' },
  },
  {
    name: 'copies a folder',
    files: { 'files/t/a': 'A', 'files/t/sub/b': { text: 'B', mode: 0o755 }, 'd/x': '' },
    args: { src: 't', dest: 'DIR/d', mode: 'preserve' },
    expect: { 'd/t/a': 'A', 'd/t/sub/b': 'B', 'mode:d/t/sub/b': '0755' },
  },
  {
    name: 'copies what is in a folder',
    files: { 'files/t/a': 'A', 'files/t/sub/b': 'B' },
    args: { src: 't/', dest: 'DIR/d' },
    expect: { 'd/a': 'A', 'd/sub/b': 'B' },
  },
  {
    name: 'copies on the target',
    files: { s: { text: 'S', mode: 0o751 } },
    args: { src: 'DIR/s', dest: 'DIR/t', remote_src: true, mode: 'preserve' },
    expect: { t: 'S', 'mode:t': '0751' },
  },
  {
    name: 'copies a folder on the target',
    files: { 's/a': 'A', 's/sub/b': 'B', 's/l': { link: 'a' }, 'd/x': '' },
    args: { src: 'DIR/s', dest: 'DIR/d', remote_src: true },
    expect: { 'd/s/a': 'A', 'd/s/sub/b': 'B', 'd/s/l': '-> a' },
  },
  {
    name: 'fails without a source',
    args: { src: 'DIR/no', dest: 'DIR/t', remote_src: true },
    fails: /Source .*no not found/,
  },
  {
    name: 'fails over a wrong checksum',
    files: { 'files/f': 'x' },
    args: { src: 'f', dest: 'DIR/t', checksum: 'abc' },
    fails: /expected checksum/,
  },
  {
    name: 'refuses a vault file',
    files: { 'files/f': '$ANSIBLE_VAULT;1.1;AES256\n00' },
    args: { src: 'f', dest: 'DIR/t' },
    fails: /ansible-vault/,
  },
  {
    name: 'refuses a mode that is none',
    args: { content: '', dest: 'DIR/t', mode: 'rw' },
    fails: /neither octal digits nor symbolic/,
  },
])

describeCases(
  template,
  [
    {
      name: 'writes the text',
      files: { 'templates/t.j2': 'a\n' },
      args: { src: 't.j2', dest: 'DIR/t', mode: '0600' },
      expect: { t: 'A\n', 'mode:t': '0600' },
    },
    {
      name: 'has the name of the source in a folder',
      files: { 'templates/t.j2': 'a', 'd/x': '' },
      args: { src: 't.j2', dest: 'DIR/d' },
      expect: { 'd/t.j2': 'A' },
    },
    {
      name: 'writes another encoding',
      files: { 'templates/t.j2': 'a' },
      args: { src: 't.j2', dest: 'DIR/t', output_encoding: 'koi8-r' },
      expect: { t: 'A' },
    },
    {
      name: 'knows no encoding of several bytes',
      files: { 'templates/t.j2': 'a' },
      args: { src: 't.j2', dest: 'DIR/t', output_encoding: 'shift_jis' },
      fails: 'output_encoding shift_jis is not known',
    },
    {
      name: 'asks the validator',
      files: { 'templates/t.j2': 'a' },
      args: { src: 't.j2', dest: 'DIR/t', validate: "sh -c 'exit 3' %s" },
      fails: 'failed to validate: exit status 3',
    },
  ],
  { renderFile: text => text.toUpperCase() },
)
describeCases(
  template,
  [
    {
      name: 'keeps a secret text secret',
      files: { 'templates/t.j2': 'pw', t: 'old' },
      args: { src: 't.j2', dest: 'DIR/t' },
      expect: { t: 'hunter2' },
    },
  ],
  { renderFile: () => new Secret('hunter2', 'pw') },
)

it('encodes as iconv does', () => {
  const iconv = (text: string, encoding: string): Buffer =>
    execFileSync('iconv', ['-f', 'utf-8', '-t', encoding], { input: text })
  for (const [encoding, text] of [
    ['windows-1252', 'a€é…\u00a0'],
    ['iso-8859-15', '€Šž'],
    ['koi8-r', 'Привет'],
    ['iso-8859-1', 'é\u0081'],
    ['ascii', 'a~'],
  ] as const)
    expect([encoding, encodeText(text, encoding)]).toEqual([encoding, iconv(text, encoding)])
  expect(() => encodeText('é', 'ascii')).toThrow(/ascii has no/)
  expect(() => encodeText('a', 'utf-16')).toThrow(/is not known/)
})

function canMount(): boolean {
  const done = spawnSync('unshare', ['-m', 'mount', '--bind', '/etc/hostname', '/etc/hostname'])
  if (done.status !== 0) console.log('skipped: this machine does not let us mount')
  return done.status === 0
}

describe('copy', async () => {
  const session = await openLocalSession({ shell: shells['dash']! })
  afterAll(() => session.close())

  it.skipIf(!isRoot() || !canMount())(
    'writes into a file that is mounted only where that is asked for',
    async () => {
      const folder = makeFolder({ a: 'old', b: 'mounted' })
      const inside = await openLocalSession({
        shell: [
          '/usr/bin/unshare',
          '-m',
          '/bin/sh',
          '-c',
          `mount --bind "$0/b" "$0/a" && exec /bin/sh "$@"`,
          folder,
        ],
      })
      const t = makeTarget({ session: inside, folder })
      await expect(apply(t, copy, { content: 'new', dest: join(folder, 'a') })).rejects.toThrow(
        /cannot replace/,
      )
      await apply(t, copy, { content: 'new', dest: join(folder, 'a'), unsafe_writes: true, mode: '0600' })
      expect(snapshot(folder)).toMatchObject({ a: expect.stringMatching(/old$/), b: '100600 0:0 new' })
      const told = { ...t, environment: { ANSIBLE_UNSAFE_WRITES: '1' } }
      await apply(told, copy, { content: 'newer', dest: join(folder, 'a') })
      await expect(
        apply(told, copy, { content: 'x', dest: join(folder, 'a'), unsafe_writes: false }),
      ).rejects.toThrow(/cannot replace/)
      expect(snapshot(folder)).toMatchObject({ b: '100600 0:0 newer' })
      await inside.close()
    },
  )

  it('leaves the old file whole when it is killed on the way', async () => {
    const folder = makeFolder({ a: { text: 'old', mode: 0o640 } })
    const doomed = await openLocalSession({ shell: shells['dash']! })
    const t = makeTarget({ session: doomed, folder })
    const args = {
      content: new Secret('new', 'x'),
      dest: join(folder, 'a'),
      validate: "sh -c 'kill -9 0' %s",
    }
    await expect(apply(t, copy, args)).rejects.toMatchObject({ code: 'E_UNKNOWN' })
    const { a, ...rest } = snapshot(folder)
    const { uid, gid } = userInfo()
    expect(a).toBe(`100640 ${uid}:${gid} old`)
    // What is left beside it can be read by nobody who could not read the file.
    for (const [name, held] of Object.entries(rest))
      expect([name, held]).toEqual([name, `100640 ${uid}:${gid} new`])
    await doomed.close()
  })

  it('streams a big file', async () => {
    const folder = makeFolder({ 'files/big': Buffer.alloc(3 * 1024 * 1024, 'rota') })
    const t = makeTarget({ session, folder })
    const done = await apply(t, copy, { src: 'big', dest: join(folder, 'copy') })
    expect(readFileSync(join(folder, 'copy')).equals(readFileSync(join(folder, 'files/big')))).toBe(true)
    expect(JSON.stringify(done.after).length).toBeLessThan(2000)
    expect((await apply(t, copy, { src: 'big', dest: join(folder, 'copy') })).changed).toBe(false)
  })

  it('says what somebody else made of it in the meantime', async () => {
    const folder = makeFolder({ a: 'old' })
    const t = makeTarget({ session, folder })
    const { read, prepare, want, write } = asState(copy)
    const input = await prepare!(t, {
      content: 'new',
      dest: join(folder, 'a'),
      backup: false,
      force: true,
      follow: false,
    })
    const before = await read(t, input)
    const after = want(input, before)
    for (const change of [
      () => writeFileSync(join(folder, 'a'), 'xxx'),
      () => chmodSync(join(folder, 'a'), 0o600),
    ]) {
      change()
      const now = snapshot(folder)
      await expect(write(t, before, after)).rejects.toMatchObject({ code: 'E_CONFLICT' })
      expect(snapshot(folder)).toEqual(now)
    }
  })

  it('shows old and new text, and a mark for a secret', async () => {
    const folder = makeFolder({ a: 'old\n' })
    const t = makeTarget({ session, folder, diff: true, check: true })
    const plain = await apply(t, copy, { content: 'new\n', dest: join(folder, 'a') })
    const { show } = asState(copy)
    expect([show!(plain.before).text, show!(plain.after).text]).toEqual(['old\n', 'new\n'])
    const secret = await apply(t, copy, { content: new Secret('new\n', 'x'), dest: join(folder, 'a') })
    expect(show!(secret.after).text).toMatch(/^\[secret [0-9a-f]{4}\]\n$/)
    expect(JSON.stringify(secret.result)).not.toContain('checksum')
  })

  it.skipIf(!isRoot())('says what a user may not write', async () => {
    const folder = makeFolder({ 'd/x': 'x' })
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'd'), 0o700)
    const user = await openLocalSession({
      shell: ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '/bin/dash'],
    })
    const t = makeTarget({ session: user, folder })
    await expect(apply(t, copy, { content: 'y', dest: join(folder, 'd/x') })).rejects.toThrow(
      /no permission to look into/,
    )
    await expect(apply(t, copy, { content: 'y', dest: join(folder, 'y') })).rejects.toThrow(/not writable/)
    await user.close()
  })

  it('never lets others read it, and makes it its group’s in a set-group-id folder', async () => {
    const folder = makeFolder()
    mkdirSync(join(folder, 's'))
    chmodSync(join(folder, 's'), 0o2777)
    symlinkSync('nowhere', join(folder, 'broken'))
    const t = makeTarget({ session, folder, undoable: true })
    const done = await apply(t, copy, { content: 'x', dest: join(folder, 's/a'), mode: '0640' })
    expect((statSync(join(folder, 's/a')).mode & 0o7777).toString(8)).toBe('640')
    expect(await asState(copy).reread(t, done.after)).toEqual(done.after)
    await apply(t, copy, { content: 'x', dest: join(folder, 'broken'), follow: true })
    expect(readFileSync(join(folder, 'nowhere'), 'utf8')).toBe('x')
  })
})
