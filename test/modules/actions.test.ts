// stat, slurp, tempfile, fetch, archive: what they answer and leave, in three shells.
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { Float } from '../../src/core/value.ts'
import { archive } from '../../src/modules/archive.ts'
import { fetch } from '../../src/modules/fetch.ts'
import { slurp } from '../../src/modules/slurp.ts'
import { stat } from '../../src/modules/stat.ts'
import { tempfile } from '../../src/modules/tempfile.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget, type TestTarget } from '../support/target.ts'
import { act, type Layout, makeFolder, shells } from './harness.ts'

const setUp = (
  session: Session,
  layout: Layout,
): { t: TestTarget; folder: string; at: (name: string) => string } => {
  const folder = makeFolder(layout)
  const t = makeTarget({ session, folder, vars: { playbook_dir: folder } })
  return { t, folder, at: name => join(folder, name) }
}

describe.each(Object.keys(shells))('under %s', shell => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(() => session.close())

  it('stat tells of a file', async () => {
    const { t, at } = setUp(session, { a: { text: 'hi\n', mode: 0o4751 } })
    const { values } = await act(t, stat, { path: at('a') })
    const real = lstatSync(at('a'))
    expect(values!['stat']).toMatchObject({
      exists: true,
      path: at('a'),
      mode: '4751',
      isuid: true,
      isgid: false,
      isreg: true,
      isdir: false,
      islnk: false,
      size: 3,
      inode: real.ino,
      dev: real.dev,
      nlink: 1,
      blocks: real.blocks,
      block_size: real.blksize,
      mtime: new Float(1_700_000_000),
      pw_name: userInfo().username,
      uid: userInfo().uid,
      rusr: true,
      woth: false,
      checksum: '55ca6286e3e4f4fba5d0448333fa99fc5a404a73',
      readable: true,
    })
  })

  it('stat tells of links, of nothing, and of other checksums', async () => {
    const { t, at } = setUp(session, { a: 'hi\n', l: { link: 'a' }, broken: { link: 'no' } })
    const of = async (name: string, more = {}) =>
      (await act(t, stat, { path: at(name), ...more })).values!['stat'] as Record<string, unknown>
    expect(await of('l')).toMatchObject({ islnk: true, lnk_target: 'a', lnk_source: at('a') })
    expect(await of('l', { follow: true })).toMatchObject({ islnk: false, isreg: true, size: 3 })
    expect(await of('broken')).toMatchObject({ exists: true, islnk: true })
    expect(await of('broken', { follow: true })).toEqual({ exists: false })
    expect(await of('no/such/path')).toEqual({ exists: false })
    expect((await of('a', { checksum_algorithm: 'sha256' }))['checksum']).toBe(
      '98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4',
    )
    expect(await of('a', { get_checksum: false })).not.toHaveProperty('checksum')
  })

  it('slurp reads any bytes', async () => {
    const bytes = Buffer.from([0, 1, 10, 255, 10, 10])
    const { t, at } = setUp(session, { b: bytes, 'd/x': '' })
    expect((await act(t, slurp, { src: at('b') })).values).toEqual({
      content: bytes.toString('base64'),
      encoding: 'base64',
      source: at('b'),
    })
    await expect(act(t, slurp, { src: at('no') })).rejects.toThrow('file not found')
    await expect(act(t, slurp, { src: at('d') })).rejects.toThrow('source is a directory')
  })

  it('tempfile makes something of its own', async () => {
    const { t, folder } = setUp(session, {})
    const one = await act(t, tempfile, { path: folder, suffix: '.x' })
    const path = one.values!['path'] as string
    expect(path).toMatch(/\/ansible\.[0-9a-f]{12}\.x$/)
    expect(statSync(path).mode & 0o7777).toBe(0o600)
    const two = await act(t, tempfile, { path: folder, state: 'directory' })
    expect(statSync(two.values!['path'] as string).mode & 0o7777).toBe(0o700)
    await expect(act(t, tempfile, { path: `${folder}/no` })).rejects.toThrow('is not a directory')
  })

  it('fetch brings a file once', async () => {
    const { t, folder, at } = setUp(session, { 's/big': Buffer.alloc(500_000, 'xyz') })
    const done = await act(t, fetch, { src: at('s/big'), dest: 'out' })
    const dest = join(folder, 'out/target', at('s/big'))
    expect(done).toMatchObject({ changed: true, values: { dest } })
    expect(readFileSync(dest).equals(readFileSync(at('s/big')))).toBe(true)
    expect(statSync(dest).mode & 0o777).toBe(0o600)
    expect((await act(t, fetch, { src: at('s/big'), dest: 'out' })).changed).toBe(false)
    expect((await act(t, fetch, { src: at('s/big'), dest: 'flat/', flat: true })).values!['dest']).toBe(
      at('flat/big'),
    )
    await expect(act(t, fetch, { src: at('no'), dest: 'out' })).rejects.toThrow('does not exist')
    expect((await act(t, fetch, { src: at('no'), dest: 'out', fail_on_missing: false })).changed).toBe(false)
    await expect(act(t, fetch, { src: at('s'), dest: 'out' })).rejects.toThrow('is a directory')
  })

  it('archive packs what is selected', async () => {
    const { t, at } = setUp(session, {
      'd/a': 'A',
      'd/sub/b c': 'B',
      'd/skip.log': 'L',
      'd/cache/x': 'X',
      'd/l': { link: 'a' },
    })
    const done = await act(t, archive, {
      path: [at('d'), at('gone')],
      dest: at('d.tgz'),
      exclude_path: [at('d/cache')],
      exclusion_patterns: ['*.[!x]og'],
      mode: '0600',
    })
    expect(done.values).toMatchObject({
      dest_state: 'incomplete',
      missing: [at('gone')],
      arcroot: `${at('')}/`,
      dest: at('d.tgz'),
    })
    const names = execFileSync('tar', ['-tzf', at('d.tgz')])
      .toString()
      .trim()
      .split('\n')
    expect(names.sort()).toEqual(['d/a', 'd/l', 'd/sub/', 'd/sub/b c'])
    expect(statSync(at('d.tgz')).mode & 0o777).toBe(0o600)
  })

  it('archive compresses one file, expands patterns, removes', async () => {
    const { t, folder, at } = setUp(session, { a: 'text', 'l/1.log': '1', 'l/2.log': '2', 'l/3.txt': '3' })
    expect((await act(t, archive, { path: [at('a')] })).values).toMatchObject({
      dest: at('a.gz'),
      dest_state: 'compress',
    })
    expect(await act(t, archive, { path: [at('a')] })).toMatchObject({ changed: false })
    expect(await act(t, archive, { path: [at('a')], mode: '0600' })).toMatchObject({ changed: true })
    writeFileSync(at('a'), 'other')
    expect(await act(t, archive, { path: [at('a')] })).toMatchObject({ changed: true })
    writeFileSync(at('a'), 'text')
    await act(t, archive, { path: [at('a')] })
    expect(execFileSync('gzip', ['-dc', at('a.gz')]).toString()).toBe('text')
    const done = await act(t, archive, {
      path: [at('l/*.log')],
      dest: at('logs.tar'),
      format: 'tar',
      remove: true,
    })
    expect(done.values).toMatchObject({ archived: [at('l/1.log'), at('l/2.log')], arcroot: `${folder}/l/` })
    expect(execFileSync('tar', ['-tf', at('logs.tar')]).toString()).toBe('1.log\n2.log\n')
    expect([existsSync(at('l/1.log')), existsSync(at('l/3.txt'))]).toEqual([false, true])
    await expect(act(t, archive, { path: [at('none*')] })).rejects.toThrow('no source paths were found')
    await expect(act(t, archive, { path: [at('l')] })).rejects.toThrow('must specify "dest"')
    const within = { path: [at('l')], dest: at('l/in.tgz'), remove: true }
    await expect(act(t, archive, within)).rejects.toThrow('can not be contained in source paths')
    const kept = { path: [at('l/')], dest: at('l.tgz') }
    expect((await act(t, archive, kept)).changed).toBe(true)
    expect((await act(t, archive, kept)).changed).toBe(false)
    await expect(act(t, archive, { path: ['relative'] })).rejects.toThrow('relative is not absolute')
  })

  it('fetch says when the file changes under way', async () => {
    const { t, at } = setUp(session, { a: 'one' })
    const changing: TestTarget = {
      ...t,
      pipe: (...args) => {
        writeFileSync(at('a'), 'two')
        return t.pipe(...args)
      },
    }
    await expect(act(changing, fetch, { src: at('a'), dest: 'out' })).rejects.toThrow('checksum mismatch')
    expect(existsSync(at(`out/target${at('a')}`))).toBe(false)
  })
})
