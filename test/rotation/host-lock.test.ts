// Whose a host is, and the copy of the journal on it: the scripts in real shells, several processes at once.
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { fenceParams, guardScript, requireHeld } from '../../src/core/fence.ts'
import type { Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import type { RunOnHost } from '../../src/rotation/host-folder.ts'
import { createHostJournal } from '../../src/rotation/host-journal.ts'
import { createHostLocks, type HostLocks, takeCopy } from '../../src/rotation/host-lock.ts'
import { shells } from '../modules/harness.ts'
import { openLocalSession } from '../support/local-session.ts'
import { ranOf } from '../support/target.ts'

let root: string
let sessions: Session[]
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), 'rota-lock-')), 'rota')
  sessions = []
})
afterEach(async () => {
  for (const session of sessions) await session.close()
  rmSync(join(root, '..'), { recursive: true })
})

const host = 'h'
const work = sh`printf %s done`

/** One process of rota with its own session to the host. */
async function open(run: string, operator: string, shell: readonly string[]) {
  const session = await openLocalSession({ shell })
  sessions.push(session)
  const runOnHost: RunOnHost = async (_host, script, params) =>
    ranOf(await session.run({ script, params: { ...params, folder: root } }))
  const who = { run, operator, token: randomBytes(8).toString('hex'), now: () => new Date(0), runOnHost }
  const locks: HostLocks = createHostLocks({ ...who, setFence: () => {} })
  /** What a task's script does: proves, then works. */
  const act = async () => {
    const fence = await locks.prove(host)
    const ran = ranOf(await session.run({ script: guardScript(work), params: fenceParams(fence) }))
    requireHeld(host, fence, ran)
    return ran.stdout.toString()
  }
  return { who, locks, act, runOnHost, take: (known: readonly string[] = []) => locks.take(host, known) }
}
const locksThere = () => readdirSync(root).filter(name => name.includes('lock.'))

describe.each(Object.entries(shells))('in %s', (_name, shell) => {
  it('one run holds a host until it gives it back; the epoch only rises', async () => {
    const a = await open('run-a', 'alice@desk', shell)
    const b = await open('run-b', 'bob@lap', shell)
    await a.take()
    expect(await a.act()).toBe('done')
    await expect(b.take()).rejects.toMatchObject({
      code: 'E_LOCKED',
      message: 'h is held by run run-a of alice@desk since 1970-01-01T00:00:00.000Z',
      hint: 'there: rota resume run-a, or rota rollback run-a. On another machine add --from-host h',
    })
    await b.locks.free(host, [])
    expect(await a.act()).toBe('done')
    await a.locks.free(host, [])
    await expect(a.act()).rejects.toMatchObject({ code: 'E_LOCKED' })
    expect(() => a.locks.checkHeld()).toThrow(/taken over/)
    await b.take()
    expect(await b.act()).toBe('done')
    expect(locksThere()).toEqual(['lock.1', 'lock.2', 'lock.3'])
    expect([statSync(root).mode & 0o777, statSync(join(root, 'lock.3')).mode & 0o777]).toEqual([0o755, 0o644])
  })

  it('who takes a run over shuts the process out that had it, by name', async () => {
    const [a, b] = [await open('run', 'alice@desk', shell), await open('run', 'bob@lap', shell)]
    await a.take()
    await b.take()
    expect(await b.act()).toBe('done')
    await expect(a.act()).rejects.toThrow('h was taken over from this process by bob@lap since 1970-01-01')
    expect(() => b.locks.checkHeld()).not.toThrow()
    const journal = createHostJournal('run', a.runOnHost, a.locks.prove)
    await expect(journal.append(host, 'late\n')).rejects.toMatchObject({ code: 'E_LOCKED' })
    expect(readdirSync(root)).toEqual(['lock.1', 'lock.2'])
    // A late farewell of the first process does not free what is the second one's.
    await a.locks.free(host, [])
    expect(await b.act()).toBe('done')
  })

  it('a process whose journal has ended does not free what a colleague went on with', async () => {
    const [a, b, late] = [
      await open('run', 'alice@desk', shell),
      await open('run', 'bob@lap', shell),
      await open('run', 'alice@desk', shell),
    ]
    const line = (seq: number) => `9 ${String(seq).repeat(16)} {"seq":${seq}}`
    const sum = (seq: number) => String(seq).repeat(16)
    await a.take()
    await createHostJournal('run', a.runOnHost, a.locks.prove).append(host, `${line(1)}\n`)
    await b.take([sum(1)])
    await createHostJournal('run', b.runOnHost, b.locks.prove).append(host, `${line(2)}\n`)
    await late.locks.free(host, [sum(1)])
    expect(await b.act()).toBe('done')
    await late.locks.free(host, [sum(1), sum(2)])
    await expect(b.act()).rejects.toMatchObject({ code: 'E_LOCKED' })
  })

  it('a lock that is gone, or that the user may not read, stops the script and is no takeover', async () => {
    const a = await open('run', 'alice@desk', shell)
    await a.take()
    rmSync(join(root, 'lock.1'))
    await expect(a.act()).rejects.toMatchObject({ code: 'E_BECOME' })
    expect(() => a.locks.checkHeld()).not.toThrow()
  })

  it('of many that begin at once exactly one gets the host', async () => {
    const crowd = await Promise.all([...Array(6).keys()].map(i => open(`run-${i}`, `op${i}@m`, shell)))
    for (let round = 0; round < 5; round++) {
      const ends = await Promise.allSettled(crowd.map(each => each.take()))
      const winners = crowd.filter((_, i) => ends[i]!.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect(await winners[0]!.act()).toBe('done')
      for (const end of ends)
        if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'E_LOCKED' })
      await winners[0]!.locks.free(host, [])
    }
  })

  it('keeps the last locks only', async () => {
    const a = await open('run', 'alice@desk', shell)
    for (let turn = 0; turn < 20; turn++) await a.take()
    expect(await a.act()).toBe('done')
    expect(locksThere()).toHaveLength(16)
  })

  it('of many that take one run over at once exactly one can go on', async () => {
    const crowd = await Promise.all([...Array(6).keys()].map(i => open('run', `op${i}@m`, shell)))
    await Promise.all(crowd.map(each => each.take()))
    const ends = await Promise.allSettled(crowd.map(each => each.act()))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(5)
  })

  it('keeps the lines for its owner alone, and gives them to whoever takes over', async () => {
    const a = await open('run', 'alice@desk', shell)
    await a.take()
    const journal = createHostJournal('run', a.runOnHost, a.locks.prove)
    await journal.append(host, "one '$x' \\n\n")
    await journal.append(host, 'two\n')
    const folder = join(root, 'run')
    const file = join(folder, 'journal')
    expect([statSync(folder).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600])
    const b = await open('run', 'bob@lap', shell)
    expect(await takeCopy(host, b.who)).toEqual({ isHeld: true, journal: "\none '$x' \\n\n\ntwo\n" })
    await expect(a.act()).rejects.toThrow(/bob@lap/)
    const other = await open('other', 'eve@m', shell)
    expect(await takeCopy(host, other.who)).toEqual({ isHeld: false, journal: undefined })
  })

  it('a copy without a whole record, as a full disk leaves it, is in nobody’s way', async () => {
    for (const torn of ['', '\n120 0123456789abcdef {"seq"'.slice(0, 12)]) {
      const a = await open('run', 'alice@desk', shell)
      await a.take()
      mkdirSync(join(root, 'run'), { recursive: true })
      writeFileSync(join(root, 'run', 'journal'), torn)
      await a.take(['0123456789abcdef'])
      expect(await a.act()).toBe('done')
      await a.locks.free(host, ['0123456789abcdef'], true)
      expect(readFileSync(join(root, `lock.${locksThere().length}`), 'utf8')).toMatch(/^free/)
    }
  })

  it('a process that does not know the end of the copy takes nothing over', async () => {
    const a = await open('run', 'alice@desk', shell)
    await a.take()
    const journal = createHostJournal('run', a.runOnHost, a.locks.prove)
    const [first, second] = ['0123456789abcdef', 'fedcba9876543210']
    await journal.append(host, `8 ${first} {"seq":0}\n`)
    await journal.append(host, `8 ${second} {"se`)
    const b = await open('run', 'bob@lap', shell)
    await expect(b.take([first])).rejects.toMatchObject({
      code: 'E_JOURNAL',
      message: 'run run went on elsewhere: h has records of it that are not here',
    })
    expect(await a.act()).toBe('done')
    await b.take([first, second])
    expect(await b.act()).toBe('done')
  })
})

it('what no host has confirmed goes along with the next record, to whichever host', async () => {
  const kept = new Map<string, string>()
  let isCut = true
  const runOnHost: RunOnHost = async (to, _script, params) => {
    if (to === 'a' && isCut) throw new RotaError({ code: 'E_UNREACHABLE', message: 'gone' })
    kept.set(to, (kept.get(to) ?? '') + params['lines'])
    return { status: 'ran', exit: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), values: {} }
  }
  const fence = { folder: '/f', epoch: 1, token: 't', onLost: () => {} }
  const journal = createHostJournal('run', runOnHost, async () => fence)
  await expect(journal.append('a', 'one\n')).rejects.toMatchObject({ code: 'E_UNREACHABLE' })
  await journal.append('b', 'two\n')
  await journal.append('b', 'three\n')
  isCut = false
  await journal.append('a', 'four\n')
  expect([...kept]).toEqual([
    ['b', 'one\ntwo\nthree\n'],
    ['a', 'four\n'],
  ])
})

it('a folder that cannot be written is named, with what to do', async () => {
  const a = await open('run', 'alice@desk', shells['dash']!)
  await a.take()
  const journal = createHostJournal('run', a.runOnHost, a.locks.prove)
  await journal.append(host, 'one\n')
  const file = join(root, 'run', 'journal')
  rmSync(file)
  const { mkdirSync } = await import('node:fs')
  mkdirSync(file)
  await expect(journal.append(host, 'two\n')).rejects.toMatchObject({ code: 'E_JOURNAL' })
  chmodSync(file, 0o700)
  expect(readFileSync(join(root, 'lock.1'), 'utf8')).toBe(
    `held ${a.who.token}\nrun\nalice@desk\n1970-01-01T00:00:00.000Z\n`,
  )
})
