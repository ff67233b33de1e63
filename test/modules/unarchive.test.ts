// unarchive and get_url, in three shells, against archives of the real tools and a server on this machine.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { getUrl } from '../../src/modules/get-url.ts'
import { unarchive } from '../../src/modules/unarchive.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, makeFolder, shells, snapshot } from './harness.ts'
import { hasProgram } from './sandbox.ts'

const formats = [
  ['tar', 'tar -cf', 'TarArchive'],
  ['tar.gz', 'tar -czf', 'TgzArchive'],
  ['tar.bz2', 'tar -cjf', 'TarBzipArchive'],
  ['tar.xz', 'tar -cJf', 'TarXzArchive'],
  ['zip', 'zip -qry', 'ZipArchive'],
] as const

const tree = {
  'in/panel/run': { text: '#!/bin/sh\n', mode: 0o755 },
  'in/panel/etc/a b.conf': 'a=1\n',
  'in/panel/etc/c.conf': { text: 'c', mode: 0o600 },
  'in/panel/link': { link: 'run' },
  'out/': { dir: '0755' },
} as const

describe.each(Object.keys(shells))('unarchive under %s', shell => {
  let session: Session
  let folder: string
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
    folder = makeFolder(tree)
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true })
  })
  const pack = (name: string, command: string): string => {
    const path = join(folder, name)
    if (!existsSync(path)) execFileSync('sh', ['-c', `cd in && ${command} ../${name} panel`], { cwd: folder })
    return path
  }
  const empty = (): string => {
    const out = join(folder, 'out')
    rmSync(out, { recursive: true })
    mkdirSync(out)
    return out
  }

  it.each(formats)('unpacks %s once', async (ending, command, handler) => {
    if (ending === 'zip' && !hasProgram('zip')) return console.log('skipped: zip is not installed')
    const t = makeTarget({ session })
    const args = { src: pack(`p.${ending}`, command), dest: empty(), remote_src: true, list_files: true }
    const first = await act(t, unarchive, args)
    expect(first).toMatchObject({ changed: true, values: { handler, state: 'directory', dest: args.dest } })
    expect(first.values!['files']).toEqual([
      'panel',
      'panel/etc',
      'panel/etc/a b.conf',
      'panel/etc/c.conf',
      'panel/link',
      'panel/run',
    ])
    expect(snapshot(args.dest)).toEqual(snapshot(join(folder, 'in')))
    expect((await act(t, unarchive, args)).changed).toBe(false)
    writeFileSync(join(args.dest, 'panel/etc/a b.conf'), 'a=2\n')
    expect((await act(t, unarchive, args)).changed).toBe(true)
    expect(snapshot(args.dest)).toEqual(snapshot(join(folder, 'in')))
  })

  it("takes one of the operator's, strips folders, sets mode and owner", async () => {
    const t = makeTarget({ session, folder })
    pack('p.tar.gz', 'tar -czf')
    const args = { src: 'p.tar.gz', dest: empty(), mode: 'u=rwX,go=rX', extra_opts: ['--strip-components=1'] }
    expect((await act(t, unarchive, args)).changed).toBe(true)
    expect((statSync(join(args.dest, 'etc/c.conf')).mode & 0o777).toString(8)).toBe('644')
    expect((await act(t, unarchive, args)).changed).toBe(false)
  })

  it('chooses members', async () => {
    const t = makeTarget({ session })
    const src = pack('p.tar', 'tar -cf')
    const some = async (more: object) => {
      const dest = empty()
      await act(t, unarchive, { src, dest, remote_src: true, ...more })
      return Object.keys(snapshot(dest))
    }
    expect(await some({ exclude: ['etc'] })).toEqual(['panel', 'panel/link', 'panel/run'])
    expect(await some({ exclude: ['*.conf', 'panel/link'] })).toEqual(['panel', 'panel/etc', 'panel/run'])
    expect(await some({ include: ['panel/etc/c*'] })).toEqual(['panel', 'panel/etc', 'panel/etc/c.conf'])
  })

  it('keeps what is newer', async () => {
    const dest = empty()
    mkdirSync(join(dest, 'panel'))
    writeFileSync(join(dest, 'panel/run'), 'mine')
    utimesSync(join(dest, 'panel/run'), 1_900_000_000, 1_900_000_000)
    const args = { src: pack('p.tar', 'tar -cf'), dest, remote_src: true, keep_newer: true }
    await act(makeTarget({ session }), unarchive, args)
    expect(readFileSync(join(dest, 'panel/run'), 'utf8')).toBe('mine')
    expect(existsSync(join(dest, 'panel/etc/c.conf'))).toBe(true)
    expect((await act(makeTarget({ session }), unarchive, args)).changed).toBe(true)
  })

  it('refuses', async () => {
    const t = makeTarget({ session })
    const dest = empty()
    const src = join(folder, 'in/panel/run')
    await expect(act(t, unarchive, { src, dest, remote_src: true })).rejects.toThrow(
      /Unable to list files in the archive/,
    )
    await expect(act(t, unarchive, { src, dest: '/no/such', remote_src: true })).rejects.toThrow(
      /must be an existing dir/,
    )
    await expect(act(t, unarchive, { src: '/no/such', dest, remote_src: true })).rejects.toThrow(
      /does not exist/,
    )
    await expect(act(t, unarchive, { src, dest, remote_src: true, extra_opts: ['--mars'] })).rejects.toThrow(
      /unrecognized option.*mars/,
    )
    expect(snapshot(dest)).toEqual({})
    const skipped = await act(t, unarchive, { src, dest, remote_src: true, creates: dest })
    expect(skipped).toMatchObject({ skipped: true, changed: false })
  })
})

const release = 'release 1\n'
const sum = createHash('sha256').update(release).digest('hex')

describe.each(Object.keys(shells))('get_url under %s', shell => {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? ''}`)
    if (request.url === '/r/p.txt') {
      const isSame = request.headers['if-modified-since'] !== undefined
      if (isSame) response.writeHead(304).end()
      else response.end(release)
    } else if (request.url === '/gzip')
      response.setHeader('content-encoding', 'gzip').end(gzipSync('{"zipped": true}'))
    else if (request.url === '/r/DOT') response.end(`${'0'.repeat(64)}  other\n${sum}.  ./p.txt\n`)
    else if (request.url === '/r/SUMS') response.end(`${'0'.repeat(64)}  other\n${sum} *p.txt\n`)
    else if (request.url === '/named')
      response.setHeader('content-disposition', 'attachment; filename="n.bin"').end('n')
    else if (request.url === '/private')
      request.headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        : response.end('private')
    else response.writeHead(404).end()
  })
  let session: Session
  let folder: string
  let base: string
  beforeAll(async () => {
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    session = await openLocalSession({ shell: shells[shell]! })
    folder = makeFolder({ old: 'old\n' })
  })
  afterAll(async () => {
    server.close()
    await session.close()
    rmSync(folder, { recursive: true })
  })
  const get = (args: Readonly<Record<string, unknown>>) =>
    act(makeTarget({ session }), getUrl, { dest: join(folder, 'p'), ...args })
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8')

  it('fetches once, and again when it has to', async () => {
    const url = `${base}/r/p.txt`
    const first = await get({ url, mode: '0640' })
    expect(first).toMatchObject({
      changed: true,
      msg: 'OK (10 bytes)',
      values: { dest: join(folder, 'p'), mode: '0640', status_code: 200, url, state: 'file' },
    })
    expect(text('p')).toBe(release)
    expect(await get({ url })).toMatchObject({
      changed: false,
      msg: 'HTTP Error 304: Not Modified',
      values: { status_code: 304 },
    })
    const asked = seen.length
    const known = await get({ url, checksum: `sha256:${sum}` })
    expect(known).toMatchObject({ changed: false, msg: 'file already exists' })
    expect(seen.length).toBe(asked)
    expect(await get({ url, mode: '0600' })).toMatchObject({ changed: true, values: { mode: '0600' } })
    expect(await get({ url, force: true })).toMatchObject({ changed: false })
    expect(await get({ url, checksum: `sha256:${base}/r/SUMS` })).toMatchObject({ changed: false })
    expect(await get({ url, checksum: `sha256:${base}/r/DOT` })).toMatchObject({ changed: false })
    writeFileSync(join(folder, 'LIST'), `${sum}  p.txt\n`)
    expect(await get({ url, checksum: `sha256:file://${folder}/LIST` })).toMatchObject({ changed: false })
  })

  it('takes a body out of gzip unless told not to', async () => {
    await get({ url: `${base}/gzip`, dest: join(folder, 'z') })
    expect(text('z')).toBe('{"zipped": true}')
    await get({ url: `${base}/gzip`, dest: join(folder, 'z'), decompress: false, force: true })
    expect(gunzipSync(readFileSync(join(folder, 'z'))).toString()).toBe('{"zipped": true}')
  })

  it('replaces what has another checksum, with a backup', async () => {
    const url = `${base}/r/p.txt`
    const done = await get({
      url,
      dest: join(folder, 'old'),
      checksum: `sha256:${base}/r/SUMS`,
      backup: true,
    })
    expect(done.changed).toBe(true)
    expect(readFileSync(String(done.values!['backup_file']), 'utf8')).toBe('old\n')
    await expect(
      get({ url, dest: join(folder, 'new'), checksum: `sha256:${'1'.repeat(64)}` }),
    ).rejects.toThrow(/did not match/)
    expect(existsSync(join(folder, 'new'))).toBe(false)
  })

  it('names the file in a folder', async () => {
    expect((await get({ url: `${base}/named`, dest: folder })).values!['dest']).toBe(join(folder, 'n.bin'))
    expect(await get({ url: `${base}/r/p.txt?x=1`, dest: `${folder}/` }).catch(String)).toMatch(/404/)
    expect((await get({ url: `${base}/r/p.txt`, dest: `${folder}/` })).values!['dest']).toBe(
      join(folder, 'p.txt'),
    )
    expect((await get({ url: `file://${folder}/p.txt`, dest: join(folder, 'copy') })).changed).toBe(true)
    expect(text('copy')).toBe(release)
  })

  it('says who refused', async () => {
    await expect(get({ url: `${base}/none`, force: true })).rejects.toMatchObject({
      message: expect.stringMatching(/HTTP Error 404: Not Found/),
      values: { status_code: 404 },
    })
    await expect(get({ url: `${base}/private`, force: true })).rejects.toThrow(/HTTP Error 401/)
    await expect(get({ url: 'http://127.0.0.1:1/x', force: true })).rejects.toThrow(/no answer/)
    await expect(get({ url: `${base}/none`, checksum: 'sha9:x' })).rejects.toThrow(/<algorithm>:<checksum>/)
    const { Secret } = await import('../../src/core/secret.ts')
    const login = { url_username: 'ann', url_password: new Secret('pw', 'password') }
    expect(await get({ url: `${base}/private`, force: true, ...login })).toMatchObject({ changed: true })
    expect(text('p')).toBe('private')
  })
})
