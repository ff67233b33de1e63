import { lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { copy } from '../../src/modules/copy.ts'
import { file } from '../../src/modules/file.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { apply, asState, describeCases, makeFolder, shells } from './harness.ts'

describeCases(file, [
  {
    name: 'makes a folder and those above',
    args: { path: 'DIR/a/b', state: 'directory', mode: '0700' },
    expect: { 'a/b': 'directory', 'mode:a/b': '0700', 'mode:a': '0700' },
    result: { state: 'directory', path: 'DIR/a/b' },
  },
  {
    name: 'leaves a folder',
    files: { d: { dir: '0755' } },
    args: { path: 'DIR/d/', state: 'directory' },
    changed: false,
  },
  {
    name: 'changes a mode symbolically',
    files: { a: 'x' },
    args: { path: 'DIR/a', mode: 'u+x,go-r' },
    expect: { 'mode:a': '0700' },
  },
  {
    name: 'sets the set-id bits with an owner',
    needsRoot: true,
    files: { a: 'x' },
    args: { path: 'DIR/a', owner: 'nobody', mode: '6755' },
    expect: { 'mode:a': '6755' },
  },
  {
    name: 'changes attributes below',
    needsRoot: true,
    files: { 'd/a': { text: 'x', mode: 0o755 }, 'd/s/b': 'y', 'd/l': { link: '/etc/passwd' } },
    args: { path: 'DIR/d', state: 'directory', recurse: true, mode: 'u=rwX,go=', owner: 'nobody' },
    expect: {
      'mode:d': '0700',
      'mode:d/a': '0700',
      'mode:d/s': '0700',
      'mode:d/s/b': '0600',
      'd/l': '-> /etc/passwd',
    },
  },
  {
    name: 'removes a file',
    files: { a: 'x' },
    args: { path: 'DIR/a', state: 'absent' },
    expect: { a: null },
    result: { state: 'absent' },
  },
  {
    name: 'removes a link, not what it leads to',
    files: { real: 'x', a: { link: 'real' } },
    args: { path: 'DIR/a', state: 'absent' },
    expect: { a: null, real: 'x' },
  },
  {
    name: 'removes a folder with all in it',
    files: {
      'd/a': { text: 'x', mode: 0o4711 },
      'd/s/b': Buffer.from([0, 200]),
      'd/s/l': { link: '../a' },
      'd/e': { dir: '0711' },
    },
    args: { path: 'DIR/d', state: 'absent' },
    expect: { d: null },
  },
  { name: 'leaves what is not there', args: { path: 'DIR/a/b/c', state: 'absent' }, changed: false },
  {
    name: 'links',
    files: { real: 'x' },
    args: { path: 'DIR/a', src: 'real', state: 'link' },
    expect: { a: '-> real' },
    result: { dest: 'DIR/a', src: 'real', state: 'link' },
  },
  {
    name: 'changes a link to a folder',
    files: { 'one/x': '', 'two/x': '', a: { link: 'one' } },
    args: { path: 'DIR/a', src: 'two', state: 'link' },
    expect: { a: '-> two', 'one/x': '' },
  },
  {
    name: 'refuses a link to nothing',
    args: { path: 'DIR/a', src: 'no', state: 'link' },
    fails: 'src file does not exist',
  },
  {
    name: 'forces a link to nothing',
    args: { path: 'DIR/a', src: 'no', state: 'link', force: true },
    expect: { a: '-> no' },
  },
  {
    name: 'refuses to replace a file by a link',
    files: { real: 'x', a: 'y' },
    args: { path: 'DIR/a', src: 'real', state: 'link' },
    fails: 'refusing to convert from file to symlink',
  },
  {
    name: 'forces a link in place of a file',
    files: { real: 'x', a: 'y' },
    args: { path: 'DIR/a', src: 'real', state: 'link', force: true },
    expect: { a: '-> real' },
  },
  {
    name: 'forces a link in place of an empty folder',
    files: { real: 'x', d: { dir: '0750' } },
    args: { path: 'DIR/d', src: 'real', state: 'link', force: true },
    expect: { d: '-> real' },
  },
  {
    name: 'sets the mode of what a link leads to',
    files: { real: 'x' },
    args: { path: 'DIR/a', src: 'real', state: 'link', mode: '0600' },
    expect: { a: '-> real', 'mode:real': '0600' },
  },
  {
    name: 'links hard',
    files: { real: 'x' },
    args: { path: 'DIR/a', src: 'DIR/real', state: 'hard' },
    expect: { a: 'x' },
    result: { state: 'hard' },
  },
  {
    name: 'forces a hard link',
    files: { real: 'x', a: 'other' },
    args: { path: 'DIR/a', src: 'DIR/real', state: 'hard', force: true },
    expect: { a: 'x' },
  },
  {
    name: 'links hard into a folder, under the name of the original',
    files: { real: 'x', d: { dir: '0750' } },
    args: { path: 'DIR/d', src: 'DIR/real', state: 'hard' },
    expect: { 'd/real': 'x' },
  },
  {
    name: 'touches a new file',
    args: { path: 'DIR/a', state: 'touch', mode: '0600' },
    expect: { a: '', 'mode:a': '0600' },
    repeats: true,
  },
  { name: 'touches an old file', files: { a: 'x' }, args: { path: 'DIR/a', state: 'touch' }, repeats: true },
  {
    name: 'touches and keeps the time',
    files: { a: 'x' },
    args: { path: 'DIR/a', state: 'touch', modification_time: 'preserve', access_time: 'preserve' },
    changed: false,
  },
  { name: 'sets a time', files: { a: 'x' }, args: { path: 'DIR/a', modification_time: '202001020304.05' } },
  {
    name: 'refuses a file that is not there',
    args: { path: 'DIR/a', state: 'file' },
    fails: /is absent, cannot continue/,
  },
  {
    name: 'refuses a folder where a file is',
    files: { a: 'x' },
    args: { path: 'DIR/a', state: 'directory' },
    fails: /already exists as a file/,
  },
  {
    name: 'refuses a path through a file',
    files: { a: 'x' },
    args: { path: 'DIR/a/b', state: 'directory' },
    fails: /a is not a directory/,
  },
])

describe('file', async () => {
  const session = await openLocalSession({ shell: shells['dash']! })
  afterAll(() => session.close())

  it('hard links are one file', async () => {
    const folder = makeFolder({ real: 'x' })
    await apply(makeTarget({ session, folder }), file, {
      path: join(folder, 'a'),
      src: join(folder, 'real'),
      state: 'hard',
    })
    expect(lstatSync(join(folder, 'a')).ino).toBe(lstatSync(join(folder, 'real')).ino)
  })

  it('sets and puts back times', async () => {
    const folder = makeFolder({ a: 'x' })
    const t = makeTarget({ session, folder, now: () => new Date('2026-11-23T04:05:06Z') })
    const done = await apply(t, file, { path: join(folder, 'a'), state: 'touch' })
    expect(statSync(join(folder, 'a')).mtime.toISOString()).toBe('2026-11-23T04:05:06.000Z')
    await asState(file).write(t, done.after, done.before)
    expect(statSync(join(folder, 'a')).mtimeMs).toBe(1_700_000_000_000)
  })

  it('does not remove a folder made new when somebody put something into it', async () => {
    const folder = makeFolder()
    const t = makeTarget({ session, folder, undoable: true })
    const made = await apply(t, file, { path: join(folder, 'd'), state: 'directory' })
    await apply(t, copy, { content: 'precious', dest: join(folder, 'd/x') })
    await expect(asState(file).write(t, made.after, made.before)).rejects.toMatchObject({
      code: 'E_CONFLICT',
    })
    expect(readFileSync(join(folder, 'd/x'), 'utf8')).toBe('precious')
  })
})
