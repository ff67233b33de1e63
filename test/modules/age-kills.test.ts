// The promise of a key migration: whoever is killed, at whatever moment, no file is left that nobody can open. ROTA_KILLS=1000 kills more often.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
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
  readonly env: Readonly<Record<string, string>>
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.env = env
  }
  async open(): Promise<Session> {
    const session = new ShellSession({
      name: 'host',
      path: '/bin/sh',
      redactor: createRedactor(),
      openLink: async () => {
        const link = await openLocalLink(['/bin/sh', '-c', bootstrap], this.env)
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

/** Files of some sizes, each sealed for the first of two keys; read by age's own package. */
class Files {
  readonly texts = new Map<string, string>()
  readonly sizes: readonly number[]
  readonly identities: readonly [string, string]
  constructor(sizes: readonly number[], identities: readonly [string, string]) {
    this.sizes = sizes
    this.identities = identities
  }
  static async make(sizes: readonly number[]): Promise<Files> {
    return new Files(sizes, [await generateX25519Identity(), await generateX25519Identity()])
  }
  async write(): Promise<void> {
    for (const [index, size] of this.sizes.entries()) {
      const encrypter = new Encrypter()
      encrypter.addRecipient(await identityToRecipient(this.identities[0]))
      const text = randomBytes(size)
      writeFileSync(join(folder, `${index}.age`), await encrypter.encrypt(text))
      this.texts.set(`${index}.age`, digest(text))
    }
  }
  /** Those that open with none of the keys to what they held. */
  async unreadable(...keys: readonly string[]): Promise<string[]> {
    const bad: string[] = []
    for (const [name, expected] of this.texts) {
      const decrypter = new Decrypter()
      for (const key of keys) decrypter.addIdentity(key)
      const text = await decrypter.decrypt(readFileSync(join(folder, name))).catch(() => undefined)
      if (text === undefined || digest(text) !== expected) bad.push(name)
    }
    return bad
  }
  /** Every file from one key to the other, as a play's loop does it. Resolves with how many were not yet there. */
  async migrate(session: Session, direction: number, method: string): Promise<number> {
    let changed = 0
    for (const name of this.texts.keys()) {
      const done = await apply(makeTarget({ session }), age_file, {
        path: join(folder, name),
        identity: new Secret(this.identities[1 - direction]!, 'NEW'),
        old_identities: [new Secret(this.identities[direction]!, 'OLD')],
        method,
      })
      if (done.changed) changed++
    }
    return changed
  }
}

it(`${KILLS} random kills leave no unreadable file`, async () => {
  const files = await Files.make([0, 1000, 65_536, 200_000])
  await files.write()
  const { identities, texts } = files
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
    const outcome = await files.migrate(session, direction, method).then(
      changed => ({ changed }),
      () => undefined,
    )
    clearTimeout(timer)
    expect(await files.unreadable(...identities), `${how} killed while ${method}`).toEqual([])
    // The window in which a kill falls follows the machine: on a busy one a migration takes longer.
    if (outcome === undefined) {
      ends.killed++
      tookMs *= 1.1
    } else {
      tookMs = performance.now() - start
      ends.finished++
      if (outcome.changed < texts.size) ends.resumed++
      expect(
        await files.unreadable(identities[1 - direction]!),
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
  await files.migrate(session, direction, 're-encrypt')
  await session.close()
  console.log(`kills of a key migration: ${JSON.stringify(ends)}`)
  expect(await files.unreadable(identities[1 - direction]!)).toEqual([])
  expect(readdirSync(folder).sort()).toEqual([...texts.keys()].sort())
  expect(ends.finished > 0 || KILLS < 100).toBe(true)
})

/**
 * Programs of the host that count how often any of them was started, and at one count end everything on the host. Each count is a file
 * that only one process can make, since the programs of a pipe start at once.
 */
const programs = ['cat', 'chmod', 'dd', 'mv', 'readlink', 'rm', 'sha256sum', 'stat', 'sync', 'tail', 'touch']
const shim = `#!/bin/sh
count=1
set -C
until true >"$SHIM/count.$count"; do count=$((count + 1)); done 2>/dev/null
set +C
program=/usr/bin/\${0##*/}
[ "$count" = "$SHIM_AT" ] || exec "$program" "$@"
: >"$SHIM/hit"
if [ "$SHIM_HOW" = half ]; then "$program" "$@" | /usr/bin/head -c 100; fi
kill -9 0
`

describe.each(['re-wrap', 're-encrypt'])('power is cut while a file is being migrated (%s)', method => {
  it.each(['before', 'half'])(
    '%s each program in turn: it opens, and the next attempt ends it',
    async how => {
      const files = await Files.make([70_000])
      const shims = join(tmpdir(), `rota-shims-${process.pid}-${method}-${how}`)
      onTestFinished(() => rmSync(shims, { recursive: true, force: true }))
      const putShims = (): void => {
        rmSync(shims, { recursive: true, force: true })
        mkdirSync(shims)
        for (const program of programs) {
          writeFileSync(join(shims, program), shim)
          chmodSync(join(shims, program), 0o755)
        }
      }
      const migrateWith = async (env: Readonly<Record<string, string>>): Promise<unknown> => {
        const host = new Host(env)
        const session = await host.open()
        const done = await files.migrate(session, 0, method).catch(() => 'failed')
        host.kill('host')
        await session.close()
        return done
      }
      let points = 0
      for (;;) {
        rmSync(folder, { recursive: true, force: true })
        mkdirSync(folder)
        await files.write()
        putShims()
        const env = { SHIM: shims, SHIM_AT: String(points + 1), SHIM_HOW: how }
        await migrateWith({ ...env, PATH: `${shims}:/usr/bin:/bin` })
        if (!existsSync(join(shims, 'hit'))) break
        points++
        expect(await files.unreadable(...files.identities), `${how} program ${points}`).toEqual([])
        expect(await migrateWith({})).not.toBe('failed')
        expect(await files.unreadable(files.identities[1])).toEqual([])
        expect(readdirSync(folder)).toEqual(['0.age'])
      }
      console.log(`${method}: power cut ${how} each of ${points} programs`)
      expect(points).toBeGreaterThan(15)
    },
  )
})
