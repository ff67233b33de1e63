// What a committed rotation still owes: gates at providers, windows in which the values of before count, and their end.
import { expect, it } from 'vitest'
import type { SecretSpec } from '../../src/core/play.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Gate, PhaseResult } from '../../src/core/transaction.ts'
import { confirmRotation, finaliseRotation } from '../../src/rotation/closing.ts'
import { readOwed } from '../../src/rotation/grace.ts'
import { parseJournal } from '../../src/rotation/journal.ts'
import type { RotationDeps } from '../../src/rotation/run.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { type Faults, Fleet, Fuse, isNew, Operator, World } from './simulation.ts'

const { clean } = createRedactor()
const failed: PhaseResult = { status: 'failed', message: clean('red') }
const HOUR_MS = 3_600_000

/** A world whose JWT has a window of 72 h and, for the hosts named, a gate. */
class OwingWorld extends World {
  gates: ReadonlyMap<string, readonly Gate[]> = new Map()
  graceMs = (_host: string, name: string): number => (name === 'JWT' ? 72 * HOUR_MS : 0)
  providerGates = (host: string): readonly Gate[] => this.gates.get(host) ?? []
}

function open(gated: readonly string[] = [], faults: Faults = {}) {
  const fleet = new Fleet([['a', 'b']])
  const operator = new Operator()
  let now = Date.parse('2026-11-23T03:45:00Z')
  let log: readonly string[] = []
  const give = async (work: typeof runRotation, more: Partial<RotationDeps> = {}, fuse = new Fuse()) => {
    operator.disk.fuse = fuse
    const world = new OwingWorld(fleet, fuse, faults)
    world.gates = new Map(gated.map(host => [host, [{ name: 'paystack', say: clean('set the key') }]]))
    const outcome = await work(world, operator.deps({ now: () => new Date(now), ...more }))
    log = world.log
    return outcome
  }
  const records = () => parseJournal(operator.disk.files.get('/run/journal')!.durable, 'journal').records
  return {
    fleet,
    operator,
    give,
    log: () => log,
    owed: () => readOwed(records()),
    records,
    wait: (hours: number) => {
      now += hours * HOUR_MS
    },
  }
}

it('opens the window of each secret that has one at the commit, and ends in_grace', async () => {
  const { give, owed } = open()
  const outcome = await give(runRotation)
  expect(outcome).toMatchObject({ state: 'in_grace', exit: 'ok' })
  expect(outcome.hosts.get('a')?.message).toContain('JWT until 2026-11-26T03:45:00.000Z')
  expect(owed()).toEqual({ gates: [], until: { JWT: '2026-11-26T03:45:00.000Z' } })
})

it('waits for a provider, days and restarts long, and counts the window from the confirmation', async () => {
  const { give, owed, wait, records, log } = open(['a', 'b'])
  const outcome = await give(runRotation)
  expect(outcome).toMatchObject({ state: 'awaiting_provider', exit: 'awaiting' })
  expect(outcome.hosts.get('b')?.message).toBe('paystack: set the key')
  expect(owed().gates).toEqual([{ name: 'paystack', say: 'set the key' }])
  wait(24 * 9)
  // Neither another resume nor a finalise passes the gate; nothing goes back behind the commit.
  expect(await give(resumeRotation)).toMatchObject({ state: 'awaiting_provider', exit: 'awaiting' })
  await expect(give(finaliseRotation)).rejects.toMatchObject({ code: 'E_AWAITING' })
  await expect(give(rollbackRotation)).rejects.toMatchObject({ code: 'E_HELD' })
  expect(await give(confirmRotation, { operator: 'bob@other' })).toMatchObject({
    state: 'in_grace',
    exit: 'ok',
  })
  expect(log()).toEqual(['confirmed a,b pending'])
  expect(owed()).toEqual({ gates: [], until: { JWT: '2026-12-05T03:45:00.000Z' } })
  expect(records().find(record => record.type === 'confirm')).toMatchObject({ by: 'bob@other' })
  expect(await give(confirmRotation)).toMatchObject({ state: 'in_grace' })
  expect(log()).toEqual([])
})

it('goes on waiting when what can be proven of the confirmation is not so', async () => {
  const faults: Faults = { phase: phase => (phase === 'confirmed' ? failed : undefined) }
  const { give, owed } = open(['a'], faults)
  await give(runRotation)
  expect(await give(confirmRotation)).toMatchObject({ state: 'awaiting_provider', exit: 'awaiting' })
  expect(owed().gates).toHaveLength(1)
  delete faults.phase
  expect(await give(confirmRotation)).toMatchObject({ state: 'in_grace' })
})

it('finalise refuses, and leaves everything as it is, while its preflight is red; then it owes nothing', async () => {
  const faults: Faults = { phase: phase => (phase === 'finalise_preflight' ? failed : undefined) }
  const { give, owed, log, fleet } = open([], faults)
  await give(runRotation)
  const writes = fleet.writes
  expect(await give(finaliseRotation)).toMatchObject({ state: 'in_grace', exit: 'preflight' })
  expect(log()).toEqual(['finalise_preflight a,b pending'])
  expect([owed().until['JWT'], fleet.writes]).toEqual(['2026-11-26T03:45:00.000Z', writes])
  delete faults.phase
  expect(await give(finaliseRotation)).toMatchObject({ state: 'finalised', exit: 'ok' })
  expect(owed()).toEqual({ gates: [], until: {} })
})

it('a chore that failed after the commit does not forget what is owed', async () => {
  const { give, owed } = open(['a'], { phase: phase => (phase === 'committed' ? failed : undefined) })
  expect(await give(runRotation)).toMatchObject({ state: 'committed_with_warnings', exit: 'warnings' })
  expect(owed().gates).toHaveLength(1)
  expect(await give(confirmRotation)).toMatchObject({ state: 'in_grace' })
})

it('owes nothing when it was undone', async () => {
  const { give, owed } = open(['a'], {
    phase: (phase, _host, inForce) => (phase === 'verify' && inForce === 'pending' ? failed : undefined),
  })
  expect(await give(runRotation)).toMatchObject({ state: 'rolled_back' })
  expect(owed()).toEqual({ gates: [], until: {} })
  await expect(give(confirmRotation)).rejects.toMatchObject({ code: 'E_HELD' })
})

const commands = [
  { work: runRotation, again: resumeRotation, end: 'awaiting_provider', gates: 1, windows: ['JWT'] },
  { work: confirmRotation, again: confirmRotation, end: 'in_grace', gates: 0, windows: ['JWT'] },
  { work: finaliseRotation, again: finaliseRotation, end: 'finalised', gates: 0, windows: [] },
] as const

/** Runs, confirms and finalises; the command number `stopped` stops at its effect `at` and is given again. False: it never came to that. */
async function stopAt(stopped: number, at: number, how: 'kill' | 'power'): Promise<boolean> {
  const { give, owed, operator, fleet } = open(['a', 'b'])
  let isStopped = false
  for (const [index, { work, again, end, gates, windows }] of commands.entries()) {
    const fuse = new Fuse(index === stopped ? at : undefined)
    const first = await give(work, {}, fuse).catch(() => undefined)
    isStopped ||= fuse.isDead
    if (fuse.isDead) operator.reboot(how, new Fuse())
    const outcome = fuse.isDead ? await give(again) : first
    // It stopped before its first change.
    if (outcome?.state === 'refused') return true
    const found = [outcome?.state, owed().gates.length, Object.keys(owed().until)]
    expect(found, `stopped at ${at} by ${how}`).toEqual([end, gates, windows])
    expect([...fleet.hosts.values()].every(isNew)).toBe(true)
  }
  return isStopped
}

it.each([
  ['rota run', 0, 'kill'],
  ['rota confirm', 1, 'kill'],
  ['rota confirm', 1, 'power'],
  ['rota finalise', 2, 'power'],
] as const)('%s, stopped anywhere, forgets nothing of what is owed', async (_, stopped, how) => {
  let stops = 0
  while (await stopAt(stopped, stops + 1, how)) stops++
  expect(stops).toBeGreaterThan(10)
})

const at = { file: 'play.yml', line: 1, col: 1 }
const optional: readonly SecretSpec[] = [
  { name: 'JWT', length: 32, given: 'optional', at },
  { name: 'DB', length: 32, issued: '', at },
]

/** Only what a given or issued value asks for is rotated. */
class ChoosingWorld extends World {
  override readonly secrets = optional as typeof World.prototype.secrets
  issued: ReadonlyMap<string, Secret> = new Map()
  issuedSecrets = async () => this.issued
  pending: readonly string[] = []
  override setSecrets(host: string, values: Parameters<World['setSecrets']>[1]): void {
    this.pending = [...values.pending.keys()]
    super.setSecrets(host, values)
  }
  override async runPhase(...[phase, hosts]: Parameters<World['runPhase']>) {
    this.log.push(phase)
    return new Map(hosts.map(host => [host, { status: 'ok' } as const]))
  }
}

it.each([
  ['given', ['JWT']],
  ['issued', ['DB']],
  ['nothing', []],
] as const)('of secrets that are optional only what is there has a part: %s', async (what, names) => {
  const world = new ChoosingWorld(new Fleet([['a']]))
  const value = new Secret('a-new-value-of-somebody', 'x')
  if (what === 'issued') world.issued = new Map([['DB', value]])
  const given = new Map(what === 'given' ? [['JWT', value]] : [])
  const outcome = await runRotation(world, new Operator().deps({ given }))
  expect(world.pending).toEqual(names)
  expect(outcome.state).toBe(names.length > 0 ? 'committed' : 'refused')
  if (names.length === 0)
    expect(outcome.hosts.get('a')?.message).toMatch(/no secret was given.*--secret JWT=-/)
})

it('is all new whatever it owes', async () => {
  const { give, fleet } = open(['a', 'b'])
  await give(runRotation)
  expect([...fleet.hosts.values()].every(isNew)).toBe(true)
})
