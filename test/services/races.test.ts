// Two operators rotate the same database role and the same env file at the same moment: exactly one wins, each time. Real
// PostgreSQL, real files, real shells; each operator with their own session, journal and disk. ROTA_RACES=1000 runs more of them.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { fenceParams, guardScript, type Prove, requireHeld } from '../../src/core/fence.ts'
import type { Module, Target } from '../../src/core/module.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import type {
  Apply,
  Change,
  HostSecrets,
  PhaseResult,
  RotationWorld,
  Sealer,
} from '../../src/core/transaction.ts'
import { env_file as envFile } from '../../src/modules/env-file.ts'
import { postgresqlUser } from '../../src/modules/postgresql-user.ts'
import { createHostJournal } from '../../src/rotation/host-journal.ts'
import { createHostLocks } from '../../src/rotation/host-lock.ts'
import type { RotationOutcome } from '../../src/rotation/outcome.ts'
import type { RotationDeps } from '../../src/rotation/run.ts'
import { runRotation } from '../../src/rotation/transaction.ts'
import { runStateModule } from '../../src/run/state-change.ts'
import { generateSecret } from '../../src/secrets/generate.ts'
import { loadIdentity } from '../../src/secrets/identity.ts'
import { createSealer } from '../../src/secrets/seal.ts'
import { withDefaults } from '../modules/harness.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget, ranOf } from '../support/target.ts'
import { type Database, startPostgres } from './postgres.ts'

const RACES = Number(process.env['ROTA_RACES'] ?? 200)
vi.setConfig({ testTimeout: 120_000 + RACES * 3000 })

const nothing = sh`:`
const ROLE = 'app'
const host = 'h'
const at = { file: 'play.yml', line: 1, col: 1 }
const { clean } = createRedactor()
let db: Database
let base: string
let sealer: Sealer
let sessions: readonly Session[]
beforeAll(async () => {
  db = await startPostgres()
  await db.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD 'old-password-of-the-app'`)
  // In memory where there is such a file system: hundreds of runs wait for the disk otherwise.
  base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'rota-races-'))
  writeFileSync(join(base, '.env'), 'A=1\nDB=old-password-of-the-app\n')
  const { identity, recipient } = await loadIdentity(join(base, 'config'))
  const real = createSealer(identity, [recipient])
  const made = await real.createKey()
  sealer = { createKey: async () => made, openKey: async () => made.key }
  sessions = await Promise.all([openLocalSession(), openLocalSession()])
})
afterAll(async () => {
  for (const session of sessions ?? []) await session.close()
  await db?.stop()
  rmSync(base, { recursive: true, force: true })
})

const valueInFile = (): string => /^DB=(.*)$/m.exec(readFileSync(join(base, '.env'), 'utf8'))![1]!

/** Opens when both have come. */
function createBarrier(): () => Promise<void> {
  let open = (): void => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  let come = 0
  return () => {
    if (++come === 2) open()
    return opened
  }
}

interface Race {
  /** Where each operator's rota keeps its locks: the same folder, or, as another user, another one. */
  readonly folders: readonly [string, string]
  /** Passed between what each has read and what each writes. */
  readonly start: () => Promise<void>
  /** Settles when the other operator has ended: who wins waits, so that nobody wins for having been alone. */
  readonly otherEnded: readonly [Promise<unknown>, Promise<unknown>]
}

/** A play of two changes for one operator, by real modules over a real session. */
function createWorld(
  session: Session,
  folder: string,
  race: Race,
  otherEnded: Promise<unknown>,
): RotationWorld {
  let values: HostSecrets | undefined
  let fence: Prove | undefined
  const plain = makeTarget({ session, undoable: true })
  const target: Target = {
    ...plain,
    async run(script, params, options) {
      const held = await fence?.()
      if (!held) return plain.run(script, params, options)
      const call = { script: guardScript(script), params: { ...params, ...fenceParams(held) } }
      const ran = ranOf(await session.run({ ...call, stdin: options?.stdin }))
      requireHeld(host, held, ran)
      return ran
    },
    async forward(to) {
      if (fence) await target.run(nothing)
      return plain.forward(to)
    },
  }
  const modules: Readonly<Record<string, Extract<Module, { kind: 'state' }>>> = {
    postgresql_user: postgresqlUser as never,
    env_file: envFile as never,
  }
  const args = (name: string, password: Secret) =>
    name === 'env_file'
      ? { path: join(base, '.env'), values: new Map([['DB', password]]) }
      : { name: ROLE, password, via: 'forward', login_unix_socket: db.socket, login_port: db.port }
  const change = async (apply: Apply): Promise<PhaseResult> => {
    for (const [index, name] of ['postgresql_user', 'env_file'].entries()) {
      const ref = { step: `${index}`, host, module: name, what: clean(name) }
      const password = values!.pending.get('DB')!
      const wait: Apply = async (made, write) => {
        if (index === 0) await race.start()
        await apply(made, write)
      }
      try {
        await runStateModule(
          modules[name] as never,
          target,
          withDefaults(modules[name]!, args(name, password)),
          ref,
          wait,
        )
      } catch (error) {
        return { status: 'failed', message: clean(`${(error as Error).message}`) }
      }
    }
    return { status: 'ok' }
  }
  const verify = async (): Promise<PhaseResult> => {
    await otherEnded
    const isGreen = valueInFile() === reveal(values!.pending.get('DB')!)
    return isGreen ? { status: 'ok' } : { status: 'failed', message: clean('the file is another’s') }
  }
  return {
    hosts: [host],
    waves: [[host]],
    secrets: [{ name: 'DB', length: 32, at }],
    async runPhase(phase, _hosts, inForce, apply) {
      const isForward = inForce === 'pending'
      const result =
        phase === 'change'
          ? await change(apply)
          : phase === 'verify' && isForward
            ? await verify()
            : ({ status: 'ok' } as const)
      return new Map([[host, result]])
    },
    currentSecrets: async () => new Map([['DB', new Secret(valueInFile(), 'DB')]]),
    secretShape: () => ({ length: 32, alphabet: '' }),
    setSecrets(_host, given) {
      values = given
    },
    reread: (made: Change) => modules[made.module]!.reread(target, made.after as never) as never,
    async write(made, from, to) {
      await modules[made.module]!.write(target, from as never, to as never)
    },
    runOnHost: async (_host, script, params) =>
      ranOf(await session.run({ script, params: { ...params, folder } })),
    setFence(_host, prove) {
      fence = prove
    },
    snapshot: () => null,
    restore: () => {},
  }
}

let count = 0
function run(world: RotationWorld, folder: string, who: string): Promise<RotationOutcome> {
  const id = `20261123T000000Z-${(count++).toString().padStart(4, '0')}`
  const { runOnHost, setFence } = world
  const now = () => new Date()
  const token = randomBytes(8).toString('hex')
  const hostLocks = createHostLocks({ run: id, operator: who, token, now, runOnHost, setFence })
  const runFolder = join(folder, id)
  mkdirSync(runFolder, { recursive: true })
  const deps: RotationDeps = {
    folder: runFolder,
    run: id,
    plan: 'p',
    reason: 'scheduled',
    sealer,
    generate: (shape, name) => generateSecret(shape, name, randomBytes),
    given: new Map(),
    fingerprint: () => '',
    emit: () => {},
    clean,
    now,
    hostLocks,
    hostJournal: createHostJournal(id, runOnHost, hostLocks.prove),
    retry: { times: 0, waitMs: 0 },
  }
  return runRotation(world, deps)
}

/** Both at once. Resolves with how each ended: a state, or the code of an error. */
async function race(folders: Race['folders'], start: Race['start']): Promise<readonly string[]> {
  const ended = folders.map(() => {
    let end = (): void => {}
    const promise = new Promise<void>(resolve => {
      end = resolve
    })
    return { promise, end: () => end() }
  })
  const shared: Race = { folders, start, otherEnded: [ended[1]!.promise, ended[0]!.promise] }
  return Promise.all(
    folders.map(async (folder, i) => {
      const world = createWorld(sessions[i]!, folder, shared, shared.otherEnded[i]!)
      const result = await run(world, join(base, `operator-${i}`), `operator-${i}`).then(
        ({ state }) => state,
        error => String((error as { code?: unknown }).code ?? error),
      )
      ended[i]!.end()
      return result
    }),
  )
}

/** What the hosts have, told by the database and the file alone. */
async function expectOneValue(before: string): Promise<void> {
  const now = valueInFile()
  expect(now).not.toBe(before)
  expect([await db.accepts(ROLE, now), await db.accepts(ROLE, before)]).toEqual([true, false])
}

it(`${RACES / 2} races through the lock: one rotates, the other is refused, and both sides hold the winner's value`, async () => {
  const wins = [0, 0]
  for (let i = 0; i < RACES / 2; i++) {
    const before = valueInFile()
    const ends = await race([join(base, 'rota'), join(base, 'rota')], async () => {})
    expect([...ends].sort(), `race ${i}`).toEqual(['E_LOCKED', 'committed'])
    wins[ends.indexOf('committed')]!++
    await expectOneValue(before)
  }
  console.log('won through the lock:', wins)
})

it(`${RACES / 2} races past the lock, as two users who do not see each other's: the compare-and-set alone lets one win`, async () => {
  const wins = [0, 0]
  for (let i = 0; i < RACES / 2; i++) {
    const before = valueInFile()
    const ends = await race([join(base, 'rota-a'), join(base, 'rota-b')], createBarrier())
    expect([...ends].sort(), `race ${i}`).toEqual(['committed', 'rolled_back'])
    wins[ends.indexOf('committed')]!++
    await expectOneValue(before)
  }
  console.log('won by compare-and-set:', wins)
})
