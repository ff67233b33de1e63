// The promise of a key migration: whoever is killed, at whatever moment, no file is left that nobody can open. ROTA_KILLS=1000 kills more often.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, expect, it, vi } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { age_file } from '../../src/modules/age-file.ts'
import { forwardLocally, openLocalLink } from '../../src/remote/local.ts'
import { bootstrap } from '../../src/remote/prelude.ts'
import { ShellSession } from '../../src/remote/session.ts'
import { makeTarget } from '../support/target.ts'
import { apply, makeFolder } from './harness.ts'

const KILLS = Number(process.env['ROTA_KILLS'] ?? 200)
vi.setConfig({ testTimeout: 120_000 + KILLS * 3_000 })

const folder = makeFolder()
afterAll(() => rmSync(folder, { recursive: true }))

/** Shells on this machine, each with its process group, that can all be killed at once. */
class Host {
  readonly links: { readonly pid: number; close(): void }[] = []
  async open(): Promise<Session> {
    const session = new ShellSession({
      name: 'host',
      path: '/bin/sh',
      redactor: createRedactor(),
      openLink: async () => {
        const link = await openLocalLink(['/bin/sh', '-c', bootstrap])
        this.links.push(link)
        return link
      },
      forward: forwardLocally,
    })
    await session.open()
    return session
  }
  /** `host`: power is cut, nothing more runs there. `operator`: the connection is gone, and what was sent may still be done. */
  kill(how: 'host' | 'operator'): void {
    for (const { pid, close } of this.links) {
      if (how === 'operator') close()
      else
        try {
          process.kill(-pid, 'SIGKILL')
        } catch {
          // It has ended by itself.
        }
    }
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

it(`${KILLS} random kills leave no unreadable file`, async () => {
  const identities = [await generateX25519Identity(), await generateX25519Identity()] as const
  const texts = new Map<string, string>()
  for (const [index, size] of [0, 1000, 65_536, 200_000].entries()) {
    const encrypter = new Encrypter()
    encrypter.addRecipient(await identityToRecipient(identities[0]))
    const text = randomBytes(size)
    writeFileSync(join(folder, `${index}.age`), await encrypter.encrypt(text))
    texts.set(`${index}.age`, digest(text))
  }
  /** Read by age's own package, with any of the keys. */
  const unreadable = async (...keys: readonly string[]): Promise<string[]> => {
    const bad: string[] = []
    for (const [name, expected] of texts) {
      const decrypter = new Decrypter()
      for (const key of keys) decrypter.addIdentity(key)
      const text = await decrypter.decrypt(readFileSync(join(folder, name))).catch(() => undefined)
      if (text === undefined || digest(text) !== expected) bad.push(name)
    }
    return bad
  }
  /** Every file from one key to the other, as a play's loop does it. Resolves with how many were not yet there. */
  const migrate = async (session: Session, direction: number, method: string): Promise<number> => {
    let changed = 0
    for (const name of texts.keys()) {
      const done = await apply(makeTarget({ session }), age_file, {
        path: join(folder, name),
        identity: new Secret(identities[1 - direction]!, 'NEW'),
        old_identities: [new Secret(identities[direction]!, 'OLD')],
        method,
      })
      if (done.changed) changed++
    }
    return changed
  }

  const ends = { killed: 0, finished: 0, resumed: 0 }
  let direction = 0
  let tookMs = 200
  while (ends.killed < KILLS) {
    const method = randomInt(2) === 0 ? 're-wrap' : 're-encrypt'
    const how = randomInt(2) === 0 ? 'host' : 'operator'
    const host = new Host()
    const session = await host.open()
    const start = performance.now()
    const timer = setTimeout(() => host.kill(how), Math.random() * tookMs)
    const outcome = await migrate(session, direction, method).then(
      changed => ({ changed }),
      () => undefined,
    )
    clearTimeout(timer)
    expect(await unreadable(...identities), `${how} killed while ${method}`).toEqual([])
    // The window in which a kill falls follows the machine: on a busy one a migration takes longer.
    if (outcome === undefined) {
      ends.killed++
      tookMs *= 1.1
    } else {
      tookMs = performance.now() - start
      ends.finished++
      if (outcome.changed < texts.size) ends.resumed++
      expect(
        await unreadable(identities[1 - direction]!),
        'what is finished opens with the new key alone',
      ).toEqual([])
      direction = 1 - direction
    }
    host.kill('host')
    await session.close()
  }
  // A last one without a kill: nothing is left of those that died.
  const host = new Host()
  const session = await host.open()
  await migrate(session, direction, 're-encrypt')
  await session.close()
  console.log(`kills of a key migration: ${JSON.stringify(ends)}`)
  expect(await unreadable(identities[1 - direction]!)).toEqual([])
  expect(readdirSync(folder).sort()).toEqual([...texts.keys()].sort())
  expect(ends.finished).toBeGreaterThan(0)
})
