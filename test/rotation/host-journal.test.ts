// The laptop is gone: a colleague takes the run up from the copies on the hosts.
import { expect, it } from 'vitest'
import { problem } from '../../src/core/error.ts'
import type { RunOnHost } from '../../src/rotation/host-folder.ts'
import { createHostJournal, rebuildJournal } from '../../src/rotation/host-journal.ts'
import type { HostLocks } from '../../src/rotation/host-lock.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { Fleet, Fuse, isNew, isOld, Operator, World } from './simulation.ts'

const folder = '/run'
const fence = { folder: '/f', epoch: 1, token: 't', onLost: () => {} }
const ran = { status: 'ran', exit: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), values: {} } as const

/** Runs until point `at`, with copies on the hosts; the operator's disk is lost with it. */
async function lose(at: number, waves = [['a'], ['b']]) {
  const fleet = new Fleet(waves)
  const copies = new Map([
    ['a', ''],
    ['b', ''],
  ])
  const fuse = new Fuse(at)
  const operator = new Operator()
  operator.disk.fuse = fuse
  const runOnHost: RunOnHost = async (host, _script, params) => {
    const lines = String(params['lines'])
    // One host is slower than the other, and a line may be cut or its answer lost.
    for (let turn = 0; turn < (host === 'a' ? 9 : 1); turn++) await Promise.resolve()
    fuse.burn()
    const half = Math.floor(lines.length / 2)
    copies.set(host, `${copies.get(host)}\n${lines.slice(0, half)}`)
    fuse.burn()
    copies.set(host, copies.get(host) + lines.slice(half))
    fuse.burn()
    return ran
  }
  const hostJournal = createHostJournal('r', runOnHost, async () => fence)
  await runRotation(new World(fleet, fuse), operator.deps({ hostJournal })).catch(() => {})
  return { fleet, copies, isOver: !fuse.isDead }
}

it.each([
  { name: 'one by one', waves: [['a'], ['b']] },
  { name: 'at once', waves: [['a', 'b']] },
])(
  'stopped anywhere with the operator’s disk lost, hosts $name: a colleague ends it all old or all new',
  async ({ waves }) => {
    const ends = new Map<string, number>()
    for (const command of [resumeRotation, rollbackRotation])
      for (let at = 1; ; at++) {
        const { fleet, copies, isOver } = await lose(at, waves)
        if (isOver) break
        const all = (is: typeof isOld) => [...fleet.hosts.values()].every(is)
        const colleague = new Operator()
        const rebuilt = await rebuildJournal(folder, copies, colleague.disk).catch(error => error)
        let state = 'nothing on the hosts'
        if (rebuilt === undefined) {
          const outcome = await command(new World(fleet), colleague.deps()).catch(error => {
            expect(error).toMatchObject({ code: 'E_HELD' })
            return resumeRotation(new World(fleet), colleague.deps())
          })
          state = outcome.state
        } else expect(rebuilt).toMatchObject({ code: 'E_JOURNAL' })
        ends.set(state, (ends.get(state) ?? 0) + 1)
        expect(state === 'committed' ? all(isNew) : all(isOld), `${at} ${state}`).toBe(true)
      }
    expect([...ends.keys()].sort()).toEqual(['committed', 'nothing on the hosts', 'rolled_back'])
  },
  120_000,
)

it('refuses what it cannot know: a missing host, a missing record, another run, a journal that is there', async () => {
  const { copies } = await lose(130)
  const rebuild = (from: ReadonlyMap<string, string>, disk = new Operator().disk) =>
    rebuildJournal(folder, from, disk)
  const [a, b] = [copies.get('a')!, copies.get('b')!]
  await expect(rebuild(new Map([['a', a]]))).rejects.toThrow(/is on no host|the copy of b is missing/)
  await expect(
    rebuild(
      new Map([
        ['b', b],
        ['a', a.replace(/^.*"step":"env JWT@a".*$/m, '')],
      ]),
    ),
  ).rejects.toThrow(/is on no host/)
  const other = (await lose(130)).copies
  await expect(
    rebuild(
      new Map([
        ['a', a],
        ['b', other.get('b')!],
      ]),
    ),
  ).rejects.toThrow(/has another record/)
  await expect(
    rebuild(
      new Map([
        ['a', ''],
        ['b', 'torn garb'],
      ]),
    ),
  ).rejects.toThrow(/no copy has its first record/)
  const { disk } = new Operator()
  await rebuild(copies, disk)
  await expect(rebuild(other, disk)).rejects.toThrow(/there is one that says otherwise/)
})

it('adds to a journal that is there the records that were made elsewhere, and no others', async () => {
  const { copies } = await lose(130)
  const whole = new Operator().disk
  await rebuildJournal(folder, copies, whole)
  const file = `${folder}/journal`
  const text = (await whole.read(file))!.toString()
  const lines = text.split('\n').slice(0, -1)
  for (let count = 0; count <= lines.length; count++) {
    const { disk } = new Operator()
    // The last one torn: the process died while it wrote it.
    const begun = `${lines
      .slice(0, count)
      .map(line => `${line}\n`)
      .join('')}${(lines[count] ?? '').slice(0, 9)}`
    await disk.createWhole(file, begun)
    await rebuildJournal(folder, copies, disk)
    expect((await disk.read(file))!.toString(), `${count} records`).toBe(text)
    expect(await disk.list(folder)).toEqual(['journal'])
  }
})

/** A pause at write number `at`, in which a colleague takes the run over and ends it; then the first process wakes. */
async function sleep(at: number, command: typeof resumeRotation) {
  const fleet = new Fleet([['a', 'b']])
  const copies = new Map([
    ['a', ''],
    ['b', ''],
  ])
  let lost: Error | undefined
  const freed: string[] = []
  const hostLocks: HostLocks = {
    take: async () => {},
    prove: async () => fence,
    hold: async () => true,
    free: async host => void freed.push(host),
    checkHeld: () => {
      if (lost) throw lost
    },
  }
  const runOnHost: RunOnHost = async (host, _script, params) => {
    if (lost) throw lost
    copies.set(host, `${copies.get(host)}\n${params['lines']}`)
    return ran
  }
  const operator = new Operator()
  const world = new World(fleet)
  let colleague: Promise<string> | undefined
  let writes = 0
  const write = world.write.bind(world)
  world.write = async (...change) => {
    if (++writes === at) colleague = takeOver(fleet, copies, command)
    if (colleague === undefined) return write(...change)
    await colleague
    // What the guard of the script says.
    lost = problem('E_LOCKED', 'taken over')
    throw lost
  }
  const hostJournal = createHostJournal('r', runOnHost, hostLocks.prove)
  const end = await runRotation(world, operator.deps({ hostJournal, hostLocks })).catch(error => error)
  return { fleet, end, state: await colleague, freed }
}

async function takeOver(fleet: Fleet, copies: ReadonlyMap<string, string>, command: typeof resumeRotation) {
  const colleague = new Operator()
  await rebuildJournal(folder, copies, colleague.disk)
  return (await command(new World(fleet), colleague.deps())).state
}

it('an operator who wakes after a takeover stops where it is, and frees nothing', async () => {
  let taken = 0
  for (const command of [resumeRotation, rollbackRotation])
    for (let at = 1; ; at++) {
      const { fleet, end, state, freed } = await sleep(at, command)
      if (state === undefined) {
        expect(end).toMatchObject({ state: 'committed' })
        expect(freed).toEqual(['a', 'b'])
        break
      }
      taken++
      expect(end).toMatchObject({ code: 'E_LOCKED' })
      expect(freed).toEqual([])
      expect(state).toBe(command === resumeRotation ? 'committed' : 'rolled_back')
      expect([...fleet.hosts.values()].every(state === 'committed' ? isNew : isOld)).toBe(true)
    }
  expect(taken).toBe(12)
})
