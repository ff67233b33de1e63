// `backup`: what lies on the operator's disk afterwards, and what it refuses.
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { backup } from '../../src/modules/backup.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { asAction } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-backup-'))
let session: Session
beforeAll(async () => {
  session = await openLocalSession()
})
afterAll(async () => {
  await session.close()
  rmSync(folder, { recursive: true })
})
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const run = (t: ReturnType<typeof makeTarget>, args: Record<string, unknown>) => asAction(backup).run(t, args)

async function open(t: ReturnType<typeof makeTarget>, path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  await t.operator.unseal(Readable.from([readFileSync(path)]), sink)
  return Buffer.concat(chunks)
}

it.each([
  ['text', Buffer.from('JWT_SECRET=canary-canary\n')],
  ['nothing', Buffer.alloc(0)],
  ['three megabytes of every byte', Buffer.from(Array.from({ length: 3 << 20 }, (_, i) => (i * 7) % 256))],
])('keeps %s, sealed, for the operator alone', async (name, content) => {
  const t = makeTarget({ session })
  const done = await run(t, { src: file(`${name}.env`, content) })
  const dest = String(done.values!['dest'])
  expect(dest).toBe(join(t.backups, `target-${name}.env.age`))
  expect((statSync(dest).mode & 0o777).toString(8)).toBe('600')
  expect(readFileSync(dest).includes('canary')).toBe(false)
  const sha256 = createHash('sha256').update(readFileSync(dest)).digest('hex')
  expect(done.backups).toMatchObject([{ path: dest, sha256, sizeBytes: statSync(dest).size }])
  expect((await open(t, dest)).equals(content)).toBe(true)
})

it('finds its own copy again, and never overwrites another', async () => {
  const t = makeTarget({ session })
  const src = file('twice', 'x')
  const first = await run(t, { src })
  expect((await run(t, { src })).values).toEqual(first.values)
  file('twice', 'y')
  await expect(run(t, { src })).rejects.toThrow(/another file was kept/)
  expect((await open(t, String(first.values!['dest']))).toString()).toBe('x')
})

it('refuses a file that is not there and a folder', async () => {
  const t = makeTarget({ session })
  await expect(run(t, { src: join(folder, 'missing') })).rejects.toThrow(/missing is no file/)
  await expect(run(t, { src: folder })).rejects.toThrow(/is no file/)
})

it('fails when the copy does not open to the same bytes', async () => {
  const t = makeTarget({ session })
  const damaged = {
    ...t,
    operator: { ...t.operator, unseal: async (_: Readable, to: Writable) => void to.end('other') },
  }
  await expect(run(damaged, { src: file('damaged', 'x') })).rejects.toThrow(/the copy of .* is not the file/)
})
