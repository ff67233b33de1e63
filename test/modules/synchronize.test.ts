// synchronize with the real rsync at both ends, over a session of rota's.
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { synchronize } from '../../src/modules/synchronize.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { openLocalSession } from '../support/local-session.ts'
import { addressFor, startSshd, whyNoSshd } from '../support/sshd.ts'
import { makeTarget } from '../support/target.ts'
import { act, makeFolder, shells, snapshot } from './harness.ts'
import { hasProgram } from './sandbox.ts'

const missing = hasProgram('rsync') ? undefined : 'rsync is not installed'
if (missing !== undefined) {
  if (process.env['CI']) throw new Error(missing)
  console.log(`skipped: ${missing}`)
}
const site = {
  "files/my site/a 'b' $c.txt": 'hello',
  'files/my site/sub/run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
  'files/my site/link': { link: 'sub/run.sh' },
  'files/my site/.git/x': 'no',
}

describe.skipIf(missing !== undefined).each(['dash', 'bash'])('synchronize under %s', shell => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(() => session.close())

  it('pushes a folder, once; removes what is too much; pulls it back', { timeout: 60_000 }, async () => {
    const folder = makeFolder(site)
    const there = makeFolder({ old: 'x' })
    const run = (args: Readonly<Record<string, unknown>>, check = false) =>
      act(makeTarget({ session, folder, check }), synchronize, args)
    const args = { src: 'my site/', dest: `${there}/to 'it'`, rsync_opts: ['--exclude=.git'] }
    expect((await run(args, true)).changed).toBe(true)
    expect(existsSync(args.dest)).toBe(false)
    const done = await run(args)
    expect(done.changed).toBe(true)
    expect(done.values?.['stdout_lines']).toContain("<f+++++++++ a 'b' $c.txt")
    const { '.git': _, '.git/x': __, ...expected } = snapshot(join(folder, 'files/my site'))
    expect(snapshot(args.dest)).toEqual(expected)
    expect((await run(args)).changed).toBe(false)
    writeFileSync(join(args.dest, 'extra'), 'x')
    // The folder's time tells rsync of it only in whole seconds.
    utimesSync(args.dest, 1, 1)
    expect((await run(args)).values?.['stdout_lines']).toEqual(['.d..t...... ./'])
    expect((await run({ ...args, delete: true })).values?.['stdout_lines']).toContain('*deleting   extra')
    expect(existsSync(join(args.dest, 'extra'))).toBe(false)
    expect(
      (await run({ src: 'my site', dest: `${there}/whole/`, archive: false, recursive: true })).changed,
    ).toBe(true)
    expect(readFileSync(`${there}/whole/my site/.git/x`, 'utf8')).toBe('no')
    const back = { mode: 'pull', src: `${args.dest}/`, dest: join(folder, 'back') }
    expect((await run(back)).changed).toBe(true)
    expect(snapshot(back.dest)).toEqual(expected)
    expect((await run(back)).changed).toBe(false)
    expect(statSync(join(back.dest, 'sub/run.sh')).mode & 0o777).toBe(0o755)
  })

  it('carries a big file whole', { timeout: 60_000 }, async () => {
    const big = Buffer.alloc(8_000_000, 'rota\0\n')
    const folder = makeFolder({ 'files/big': big })
    const there = makeFolder()
    await act(makeTarget({ session, folder }), synchronize, {
      src: 'big',
      dest: `${there}/big`,
      compress: false,
    })
    expect(readFileSync(`${there}/big`).equals(big)).toBe(true)
  })

  it('says what is wrong', async () => {
    const folder = makeFolder(site)
    const run = (args: Readonly<Record<string, unknown>>) =>
      act(makeTarget({ session, folder }), synchronize, args)
    const args = { src: 'my site/', dest: '/nonexistent/a/b' }
    expect(await run(args)).toMatchObject({
      failed: true,
      msg: expect.stringMatching(/^rsync: .*No such file/),
    })
    await expect(run({ ...args, rsync_path: 'no-such-rsync' })).rejects.toThrow(/has no no-such-rsync/)
    await expect(run({ ...args, rsync_opts: ['--rsh=sh'] })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ ...args, src: 'none' })).rejects.toMatchObject({ code: 'E_FILE' })
    await expect(run({ ...args, archive: false, delete: true })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })
})

describe.skipIf(missing !== undefined || whyNoSshd())('synchronize through sshd', () => {
  it('needs no login of its own', { timeout: 60_000 }, async () => {
    const sshd = await startSshd()
    const pool = createConnections({ redactor: createRedactor() })
    const session = await pool.open(addressFor(sshd), undefined)
    try {
      const big = Buffer.alloc(3_000_000, 'rota\0\n')
      const folder = makeFolder({ ...site, 'files/my site/big': big })
      const run = (args: Record<string, unknown>) => act(makeTarget({ session, folder }), synchronize, args)
      const to = join('/tmp', `rota-synchronize-${process.pid}`)
      expect((await run({ src: 'my site/', dest: to })).changed).toBe(true)
      expect((await run({ src: 'my site/', dest: to })).changed).toBe(false)
      const back = { mode: 'pull', src: `${to}/`, dest: join(folder, 'back') }
      expect((await run(back)).changed).toBe(true)
      expect(readFileSync(join(folder, 'back/big')).equals(big)).toBe(true)
      expect((await run({ src: 'my site/', dest: '/root/nowhere/x' })).failed).toBe(true)
      await session.run({ script: sh`rm -rf -- "$p_to"`, params: { to } })
    } finally {
      await pool.close()
      await sshd.close()
    }
  })
})
