// Rotation, secrets and evidence together on a real disk: what lies in the run folder afterwards.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { fingerprint, reveal } from '../../src/core/secret.ts'
import type { HostSecrets } from '../../src/core/transaction.ts'
import { openEvidence } from '../../src/evidence/folder.ts'
import { verifyEvidence } from '../../src/evidence/verify.ts'
import type { RotationDeps } from '../../src/rotation/run.ts'
import { findRun, type RunFolder, readSummary, refuseOverlap } from '../../src/rotation/run-folder.ts'
import { resumeRotation, runRotation } from '../../src/rotation/transaction.ts'
import { generateSecret } from '../../src/secrets/generate.ts'
import { loadEvidenceKey, loadIdentity } from '../../src/secrets/identity.ts'
import { createSealer } from '../../src/secrets/seal.ts'
import { type Faults, Fleet, Fuse, isNew, isOld, makeRun, World } from './simulation.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rota-whole-'))
})
afterEach(() => rmSync(base, { recursive: true }))

/** One process of rota over the fleet. */
async function live(fleet: Fleet, run: RunFolder, work: typeof runRotation, faults: Faults = {}) {
  const own = await loadIdentity(join(base, 'config'))
  const key = await loadEvidenceKey(join(base, 'config'))
  const evidence = await openEvidence(join(run.folder, 'evidence'), { user: 'alice' })
  const redactor = createRedactor()
  let seq = 0
  const emit = (event: RunEvent) => evidence.on({ ...event, seq: seq++, at: new Date().toISOString() })
  const deps: RotationDeps = {
    folder: run.folder,
    run: run.id,
    plan: 'f'.repeat(64),
    reason: 'scheduled',
    sealer: createSealer(own.identity, [own.recipient]),
    generate: (shape, name) => generateSecret(shape, name, randomBytes),
    given: new Map(),
    fingerprint: secret => fingerprint(secret, key),
    emit,
    clean: redactor.clean,
    now: () => new Date(),
    settleEvidence: evidence.settle,
    wait: async () => {},
  }
  const world = new World(fleet, new Fuse(), faults)
  world.clean = redactor.clean
  const set = world.setSecrets.bind(world)
  world.setSecrets = (host: string, values: HostSecrets) => {
    for (const secret of [...values.current.values(), ...values.pending.values()]) {
      seen.add(reveal(secret))
      redactor.add(secret)
    }
    set(host, values)
  }
  const outcome = await work(world, deps)
  await evidence.close()
  return outcome
}
const seen = new Set<string>()

/** Every value in every form in every file under the base folder. */
function findLeaks(): string[] {
  const names = readdirSync(base, { recursive: true, withFileTypes: true })
  const files = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  expect(files.length).toBeGreaterThan(6)
  for (const file of files) expect(statSync(file).mode & 0o077, file).toBe(0)
  return files.flatMap(file => {
    const text = readFileSync(file, 'latin1')
    return [...seen].flatMap(value => {
      const bytes = Buffer.from(value)
      const base64 = [0, 1, 2].map(shift =>
        Buffer.concat([Buffer.alloc(shift), bytes])
          .toString('base64')
          .slice(4, -4),
      )
      const forms = [value, bytes.toString('hex'), encodeURIComponent(value), ...base64]
      return forms.filter(form => text.includes(form)).map(form => `${file}: ${form}`)
    })
  })
}

it('a committed run: evidence verifies, nothing leaks, the hosts are free again', async () => {
  const fleet = new Fleet([['a'], ['b']])
  const run = await makeRun(base, new Date())
  expect(await live(fleet, run, runRotation)).toMatchObject({ state: 'committed' })
  expect([...fleet.hosts.values()].every(isNew)).toBe(true)
  const { problems, events } = await verifyEvidence(join(run.folder, 'evidence'))
  expect([problems, events > 20]).toEqual([[], true])
  const summary = JSON.parse(readFileSync(join(run.folder, 'evidence/summary.json'), 'utf8'))
  expect(summary.hosts).toEqual({ a: { state: 'committed' }, b: { state: 'committed' } })
  expect([summary.secrets.length, summary.changes.length, summary.undos.length]).toEqual([4, 6, 0])
  await refuseOverlap(base, ['a', 'b'])
  expect(seen.size).toBeGreaterThan(4)
  expect(findLeaks()).toEqual([])
})

it('a run in doubt keeps its hosts, goes on in another process, and its evidence tells the whole story', async () => {
  const fleet = new Fleet([['a'], ['b']])
  const run = await makeRun(base, new Date())
  const gone: Faults = {
    phase: (phase, _host, inForce) => {
      if (phase === 'converge' && inForce === 'current')
        return { status: 'unreachable', message: 'gone' as never }
      return undefined
    },
    afterWrite: change => {
      // Text of a target that holds values: the redactor has to take them out of every message.
      if (change.step === 'env DB@a') throw new Error(`sed: ${fleet.hosts.get('a')!.env}`)
    },
    beforeReread: change => {
      throw new Error(`cat: ${fleet.hosts.get(change.host)!.env}`)
    },
  }
  expect(await live(fleet, run, runRotation, gone)).toMatchObject({ state: 'in_doubt' })
  expect(await readSummary(run.folder)).toMatchObject({ state: 'in_doubt', isOpen: true })
  await expect(refuseOverlap(base, ['b'])).rejects.toMatchObject({ code: 'E_LOCKED' })
  expect(await findRun(base, 'latest')).toEqual(run)
  expect(await live(fleet, run, resumeRotation)).toMatchObject({ state: 'rolled_back' })
  expect([...fleet.hosts.values()].every(isOld)).toBe(true)
  const { problems } = await verifyEvidence(join(run.folder, 'evidence'))
  expect(problems).toEqual([])
  const summary = JSON.parse(readFileSync(join(run.folder, 'evidence/summary.json'), 'utf8'))
  expect(summary.hosts.b.state).toBe('rolled_back')
  expect(summary.undos.map(({ record }: { record: string }) => record)).toEqual([
    'held',
    'undone',
    'undone',
    'undone',
  ])
  expect(findLeaks()).toEqual([])
})
