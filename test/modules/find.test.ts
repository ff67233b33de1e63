// find and assemble: what they find and make, in three shells, and the same as Ansible's own.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { assemble } from '../../src/modules/assemble.ts'
import { find } from '../../src/modules/find.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, describeCases, type Layout, makeFolder, shells } from './harness.ts'
import { askAnsible, hasAnsible } from './oracle.ts'

const layout: Layout = {
  'a.txt': 'hello\nworld\n',
  'b.log': { text: 'x'.repeat(3000), mode: 0o600 },
  '.hidden.txt': 'h',
  'sub/c.txt': 'world hello\n',
  'sub/.dot/d.txt': '',
  'sub/deep/deeper/e[1].txt': 'e',
  'name with\nline end': 'odd',
  link: { link: 'a.txt' },
  folder: { link: 'sub' },
}
const asked: readonly Readonly<Record<string, unknown>>[] = [
  {},
  { recurse: true },
  { recurse: true, hidden: true, file_type: 'any' },
  { recurse: true, depth: 2, file_type: 'any' },
  { patterns: ['*.txt', '*.log'], excludes: ['b*'] },
  { patterns: ['^[ab]\\.'], use_regex: true },
  { recurse: true, patterns: ['e[[]1].txt'] },
  { contains: 'wor' },
  { contains: '.*world', recurse: true },
  { contains: 'hello\\nworld', read_whole_file: true },
  { size: '1k' },
  { size: '-1k' },
  { age: '1d' },
  { age: '-1d' },
  { age: '-1d', age_stamp: 'ctime' },
  { file_type: 'link' },
  { file_type: 'directory', recurse: true },
  { recurse: true, follow: true },
  { get_checksum: true, patterns: 'a.txt' },
]

const sorted = (files: unknown) =>
  (files as Record<string, unknown>[])
    .map(({ atime, ctime, mtime, ...rest }) => ({ ...rest, mtime: Math.floor(Number(mtime)) }))
    .sort((a, b) => (String(Reflect.get(a, 'path')) < String(Reflect.get(b, 'path')) ? -1 : 1))

describe.each(Object.keys(shells))('find under %s', shell => {
  const folder = makeFolder(layout)
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true })
  })

  it.skipIf(!hasAnsible)('finds what Ansible finds', { timeout: 60_000 }, async () => {
    const wanted = askAnsible(
      'find',
      asked.map(args => ({ ...args, paths: folder })),
    )
    for (const [i, args] of asked.entries()) {
      const found = await act(makeTarget({ session }), find, { ...args, paths: [folder], ...listed(args) })
      const mine = JSON.parse(JSON.stringify(found.values))
      const theirs = wanted[i]!
      expect([args, sorted(mine.files)]).toEqual([args, sorted(theirs['files'])])
      // Ansible stops counting where depth ends.
      if (args['depth'] === undefined) expect([args, mine.examined]).toEqual([args, theirs['examined']])
      expect([found.msg, mine.matched]).toEqual([theirs['msg'], theirs['matched']])
    }
  })

  it('says which paths are no folders', async () => {
    const t = makeTarget({ session })
    const { msg, values } = await act(t, find, { paths: [folder, '/no/such'] })
    expect(msg).toMatch(/^Not all paths examined/)
    expect(values!['skipped_paths']).toEqual({ '/no/such': "'/no/such' is not a directory" })
    await expect(act(t, find, { paths: [folder], age: 'soon' })).rejects.toThrow(/age: soon is no number/)
  })

  it('follows a link that is the path itself', async () => {
    const { values } = await act(makeTarget({ session }), find, { paths: [`${folder}/folder`] })
    expect(values!['files']).toMatchObject([{ path: `${folder}/folder/c.txt` }])
  })
})

/** Lists as the check of arguments leaves them. */
function listed(args: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(
    ['patterns', 'excludes'].flatMap(name => (typeof args[name] === 'string' ? [[name, [args[name]]]] : [])),
  )
}

describeCases(assemble, [
  {
    name: 'in the order of names, each on a line of its own',
    files: { 'd/2': 'two', 'd/10': 'ten', 'd/1': 'one\n', 'd/sub/x': 'no' },
    args: { src: 'DIR/d', dest: 'DIR/out', mode: '0600' },
    expect: { out: 'one\nten\ntwo', 'mode:out': '0600' },
    result: {
      dest: 'DIR/out',
      src: 'DIR/d',
      msg: 'OK',
      checksum: 'a642495360fb83051f41365cda1bc34b58f66549',
    },
  },
  {
    name: 'with a delimiter, chosen by name',
    files: { 'd/a.conf': 'a\n', 'd/b.conf': 'b', 'd/.c.conf': 'c', 'd/d.txt': 'd', out: 'old' },
    args: { src: 'DIR/d', dest: 'DIR/out', delimiter: '### \\t#', regexp: '\\.conf$', ignore_hidden: true },
    expect: { out: 'a\n### \t#\nb' },
  },
  {
    name: 'keeps what is the same',
    files: { 'd/a': 'a', out: 'a' },
    args: { src: 'DIR/d', dest: 'DIR/out' },
    changed: false,
  },
  {
    name: 'a backup and a command that accepts',
    files: { 'd/a': 'a\n', out: 'old' },
    args: { src: 'DIR/d', dest: 'DIR/out', backup: true, validate: 'grep -q a %s' },
    expect: { out: 'a\n' },
    leaves: /~$/,
  },
  { name: 'no folder', args: { src: 'DIR/no', dest: 'DIR/out' }, fails: /Source \(.*\) does not exist/ },
  {
    name: 'bytes that are no text',
    files: { 'd/a': Buffer.from([0xff, 0, 10]), 'd/b': 'b' },
    args: { src: 'DIR/d', dest: 'DIR/out' },
  },
])

describe.skipIf(!hasAnsible)('assemble as Ansible', () => {
  it('makes the same', async () => {
    const folder = makeFolder({ 'd/a': 'a\n', 'd/b': 'b', 'd/c': '', 'd/d': 'd' })
    const session = await openLocalSession({ shell: shells['dash']! })
    const cases = [undefined, '---', '--\\n', '\\x41'].map(delimiter => ({
      src: join(folder, 'd'),
      ...(delimiter === undefined ? {} : { delimiter }),
    }))
    const theirs = askAnsible(
      'assemble',
      cases.map((args, i) => ({ ...args, dest: join(folder, `theirs${i}`) })),
    )
    for (const [i, args] of cases.entries()) {
      const { result } = await apply(makeTarget({ session }), assemble, {
        ...args,
        dest: join(folder, `mine${i}`),
      })
      expect(readFileSync(join(folder, `mine${i}`), 'utf8')).toBe(
        readFileSync(join(folder, `theirs${i}`), 'utf8'),
      )
      expect(result['checksum']).toBe(theirs[i]!['checksum'])
    }
    writeFileSync(join(folder, 'bad'), 'old')
    const bad = { src: join(folder, 'd'), dest: join(folder, 'bad'), validate: 'grep -q zzz %s' }
    await expect(apply(makeTarget({ session }), assemble, bad)).rejects.toThrow(/failed to validate/)
    expect(readFileSync(join(folder, 'bad'), 'utf8')).toBe('old')
    await session.close()
    rmSync(folder, { recursive: true })
  })
})
