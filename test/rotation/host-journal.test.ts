// The laptop is gone: a colleague takes the run up from the copies on the hosts.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Script } from '../../src/core/script.ts'
import {
  createHostJournal,
  type RunOnHost,
  readHostJournal,
  rebuildJournal,
} from '../../src/rotation/host-journal.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../../src/rotation/transaction.ts'
import { Fleet, Fuse, isNew, isOld, Operator, World } from './simulation.ts'

const folder = '/run'

/** Runs until point `at`, with copies on the hosts; the operator's disk is lost with it. */
async function lose(at: number) {
  const fleet = new Fleet([['a'], ['b']])
  const copies = new Map([
    ['a', ''],
    ['b', ''],
  ])
  const fuse = new Fuse(at)
  const operator = new Operator()
  operator.disk.fuse = fuse
  const hostJournal = {
    append: async (host: string, lines: string) => {
      fuse.burn()
      copies.set(host, `${copies.get(host)}\n${lines}`)
    },
  }
  await runRotation(new World(fleet, fuse), operator.deps({ hostJournal })).catch(() => {})
  return { fleet, copies, isOver: !fuse.isDead }
}

it('stopped anywhere with the operator’s disk lost: a colleague ends it all old or all new', async () => {
  const ends = new Map<string, number>()
  for (const command of [resumeRotation, rollbackRotation])
    for (let at = 1; ; at++) {
      const { fleet, copies, isOver } = await lose(at)
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
}, 120_000)

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
  await expect(rebuild(copies, disk)).rejects.toThrow(/there is one/)
})

it.each([['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']])(
  'its scripts keep and give the lines (%s)',
  async (...shell) => {
    if (spawnSync('sh', ['-c', `command -v ${shell[0]}`]).status !== 0) {
      expect(process.env['CI'], `${shell[0]} is missing`).toBeUndefined()
      console.log(`skipped: ${shell[0]} is not installed`)
      return
    }
    const root = mkdtempSync(join(tmpdir(), 'rota-host-'))
    const runOnHost: RunOnHost = async (_host, script: Script, { run }, stdin) => {
      const text = `p_run=${run}\n${script.text.replaceAll('/var/lib/rota', root)}`
      const { status, stdout, stderr } = spawnSync(shell[0]!, [...shell.slice(1), '-c', text], {
        input: stdin ?? '',
        encoding: 'utf8',
      })
      return { exit: status ?? -1, stdout, stderr }
    }
    const journal = createHostJournal('r1', runOnHost)
    await expect(readHostJournal('a', 'r1', runOnHost)).rejects.toMatchObject({ code: 'E_JOURNAL' })
    await journal.append('a', "one '$x' \\n\n")
    await journal.append('a', 'two\n')
    expect(await readHostJournal('a', 'r1', runOnHost)).toBe("\none '$x' \\n\n\ntwo\n")
    const file = join(root, 'r1', 'journal')
    expect([statSync(file).mode & 0o777, readFileSync(file).length]).toEqual([0o600, 18])
    rmSync(root, { recursive: true })
    await expect(createHostJournal('../../dev/null/x', runOnHost).append('a', 'x')).rejects.toMatchObject({
      code: 'E_JOURNAL',
    })
  },
)
