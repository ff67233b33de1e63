// Clocks that jump by an hour, forth and back, at any moment, here and on the host: nothing that is decided depends on them.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { parseJournal } from '../../src/rotation/journal.ts'
import { nextRunId } from '../../src/rotation/run-folder.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { type Operator as Desk, openDesks, type Site } from '../cli/desks.ts'
import { type Faults, Fleet, Fuse, isNew, isOld, Operator, World } from './simulation.ts'

vi.setConfig({ testTimeout: 120_000 })

const HOUR_MS = 3_600_000
/** An hour forth and back, at every look. */
function createJumpingClock(): () => Date {
  let looks = 0
  return () => new Date(Date.UTC(2026, 10, 23, 3, 45) + [0, HOUR_MS, -HOUR_MS][looks++ % 3]!)
}

const commands = { resume: resumeRotation, rollback: rollbackRotation }
const redVerify = (): Faults => ({
  phase: (phase, host, inForce) =>
    phase === 'verify' && host === 'b' && inForce === 'pending'
      ? { status: 'failed', message: 'red' as never }
      : undefined,
})

/** Stops at a point, gives a command, and says how it ended; the records have to be in order. */
async function tell(at: number, command: keyof typeof commands, faults: () => Faults, now: () => Date) {
  const fleet = new Fleet([['a'], ['b']])
  const operator = new Operator()
  const live = (work: typeof runRotation, fuse: Fuse) => {
    operator.disk.fuse = fuse
    return work(new World(fleet, fuse, faults()), operator.deps({ now })).catch(({ code }) => ({
      state: code,
    }))
  }
  const fuse = new Fuse(at)
  await live(runRotation, fuse)
  operator.reboot('power', new Fuse())
  const first = await live(commands[command], new Fuse())
  const last = await live(resumeRotation, new Fuse())
  const { records } = parseJournal(
    operator.disk.files.get('/run/journal')?.volatile ?? Buffer.alloc(0),
    'journal',
  )
  const hosts = [...fleet.hosts.values()].map(host => (isNew(host) ? 'new' : isOld(host) ? 'old' : 'MIXED'))
  return {
    isOver: !fuse.isDead,
    told: [first.state, last.state, ...hosts, ...records.map(({ type }) => type)],
  }
}

it.each([
  ['a run', () => ({})],
  ['a run that is undone', redVerify],
])(
  '%s, stopped anywhere: with jumping clocks it ends as with still ones, record by record',
  async (_name, faults) => {
    let stops = 0
    for (const command of ['resume', 'rollback'] as const)
      for (let at = 1; ; at += 4) {
        const still = await tell(at, command, faults, () => new Date(0))
        const jumping = await tell(at, command, faults, createJumpingClock())
        expect(jumping.told, `stopped at ${at}, ${command}`).toEqual(still.told)
        expect(jumping.told).not.toContain('MIXED')
        if (still.isOver) break
        stops++
      }
    expect(stops).toBeGreaterThan(40)
  },
)

it('a run that is begun when the clock was set back comes after those before it', async () => {
  const state = mkdtempSync(join(tmpdir(), 'rota-clock-'))
  const ids: string[] = []
  for (const time of [
    '2026-11-23T04:45:00Z',
    '2026-11-23T03:45:00Z',
    '2026-11-23T03:45:00Z',
    '2026-11-23T05:45:00Z',
  ]) {
    const id = await nextRunId(state, new Date(time), size => Buffer.alloc(size, ids.length))
    mkdirSync(join(state, 'runs', id), { recursive: true })
    ids.push(id)
  }
  expect(ids).toEqual([...ids].sort())
  expect(ids.map(id => id.slice(0, 16))).toEqual([
    '20261123T044500Z',
    '20261123T044501Z',
    '20261123T044502Z',
    '20261123T054500Z',
  ])
  rmSync(state, { recursive: true })
})

/** What `node --import` loads: the process's clock jumps at every look; timers do not look at it. */
const jumpingDate = `
const { Date: Real } = globalThis
let looks = 0
const now = () => Real.now() + [0, ${HOUR_MS}, -${HOUR_MS}][looks++ % 3]
globalThis.Date = class Date extends Real {
  constructor(...args) { super(...(args.length === 0 ? [now()] : args)) }
  static now() { return now() }
}
`
/** A `date` for the host that is an hour before or behind, by turns. */
const jumpingProgram = `#!/bin/sh
dir=\${0%/*}
if [ -e "$dir/late" ]; then rm "$dir/late"; shift='-1 hour'; else : >"$dir/late"; shift='+1 hour'; fi
exec /bin/date -d "$shift" "$@"
`

let site: Site
let alice: Desk
let bob: Desk
beforeAll(async () => {
  site = openDesks(['one', 'two'])
  alice = await site.operator('alice')
  bob = await site.operator('bob')
  const programs = join(site.folder, 'programs')
  mkdirSync(programs)
  writeFileSync(join(programs, 'date'), jumpingProgram)
  chmodSync(join(programs, 'date'), 0o755)
  writeFileSync(join(site.folder, 'clock.mjs'), jumpingDate)
  site.env['PATH'] = `${programs}:${process.env['PATH']}`
  site.env['NODE_OPTIONS'] = `--import ${pathToFileURL(join(site.folder, 'clock.mjs')).href}`
})
afterAll(() => site?.close())

const rotate = (...more: string[]) => [
  'run',
  site.playbook,
  '-i',
  site.inventory,
  '--recipient',
  bob.recipient,
  ...more,
]
const keys = () => ['one', 'two'].map(host => site.key(host))
const running = () => ['one', 'two'].map(host => site.running(host))

it('the built program, its clock and the host’s jumping: killed and resumed, killed and undone, taken over, finalised', async () => {
  const old = keys()
  expect((await site.die(alice, rotate(), 'two')).exit).toBe(null)
  const forward = await site.rota(alice, ['resume'])
  expect(forward.exit, forward.stderr).toBe(0)
  const first = keys()
  expect(first.some((key, i) => key === old[i])).toBe(false)
  expect(running()).toEqual(first)
  const { records } = JSON.parse(
    (await site.rota(alice, ['journal', 'show', 'latest', '--format', 'json'])).stdout,
  )
  const times = (records as { at: string }[]).map(({ at }) => Date.parse(at))
  expect(
    times.some((time, i) => i > 0 && time < times[i - 1]! - HOUR_MS / 2),
    'the clock did jump',
  ).toBe(true)
  const evidence = await site.rota(alice, ['evidence', 'latest'])
  expect(evidence.exit, evidence.stdout).toBe(0)
  const last = await site.rota(alice, ['finalise'])
  expect(last.exit, last.stderr).toBe(0)
  readFileSync(join(site.folder, 'one', 'finalised'))

  expect((await site.die(alice, rotate(), 'one')).exit).toBe(null)
  const back = await site.rota(alice, ['rollback'])
  expect(back.exit, back.stderr).toBe(10)
  expect([keys(), running()]).toEqual([first, first])

  expect((await site.die(alice, rotate(), 'one')).exit).toBe(null)
  const run = alice.lastRun()
  const taken = await site.rota(bob, ['rollback', run, '--from-host', 'one', '-i', site.inventory])
  expect(taken.exit, taken.stderr).toBe(10)
  expect([keys(), running()]).toEqual([first, first])
  // The process that was taken over is found out by its epoch, whatever its clock says.
  const stale = await site.rota(alice, ['resume', run])
  expect([stale.exit, stale.stderr]).toEqual([1, expect.stringContaining('went on elsewhere')])
  const epochs = site.locks('one').map(name => Number(name.slice(5)))
  expect(Math.max(...epochs)).toBeGreaterThanOrEqual(6)
})
