import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { isSameState } from '../../src/core/value.ts'
import { openJournal, parseJournal, readJournal } from '../../src/rotation/journal.ts'
import {
  createRunId,
  findRun,
  listRuns,
  readSummary,
  refuseOverlap,
  stateFolder,
} from '../../src/rotation/run-folder.ts'
import { makeRun, realSealer } from './simulation.ts'

let folder: string
let other: string
beforeEach(() => {
  other = mkdtempSync(join(tmpdir(), 'rota-other-'))
  folder = mkdtempSync(join(tmpdir(), 'rota-journal-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  rmSync(other, { recursive: true })
})

const now = () => new Date('2026-11-23T03:45:00Z')
const open = (sealer = realSealer) => openJournal(folder, { sealer, now })
const begin = {
  type: 'begin',
  run: 'r',
  plan: 'p',
  reason: 'scheduled',
  hosts: ['a'],
} as const
const intent = (step: string) => ({ type: 'intent', step, host: 'a', module: 'file' }) as const
const file = () => join(folder, 'journal')

/** A journal of begin, intents and done; its bytes. */
async function write(): Promise<Buffer> {
  const journal = await open()
  await journal.append(begin)
  await journal.append(intent('1'), { before: 'x', after: new Secret('canary-canary', 'X') })
  await journal.append({ type: 'done', step: '1', host: 'a' })
  await journal.close()
  return readFileSync(file())
}

it('gives back what was written, in a private file, after being opened anew', async () => {
  await write()
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  expect(readFileSync(file(), 'latin1')).not.toContain('canary')
  const journal = await open()
  expect(journal.records.map(({ seq, type }) => [seq, type])).toEqual([
    [0, 'begin'],
    [1, 'intent'],
    [2, 'done'],
  ])
  const payload = journal.payload(journal.records[1]!)
  expect(isSameState(payload, { before: 'x', after: new Secret('canary-canary', '') })).toBe(true)
  await journal.close()
})

it('every prefix reads as the whole records in it, and goes on from there', async () => {
  const whole = await write()
  const ends = [...whole.entries()].flatMap(([i, byte]) => (byte === 10 ? [i + 1] : []))
  for (let size = 0; size <= whole.length; size++)
    expect(parseJournal(whole.subarray(0, size), 'j').records.length).toBe(
      ends.filter(end => end <= size).length,
    )
  for (const size of [ends[1]! - 1, ends[1]! + 1, ends[2]! - 1]) {
    writeFileSync(file(), whole.subarray(0, size))
    const journal = await open()
    await journal.append({ type: 'commit' })
    await journal.close()
    const kept = ends.filter(end => end <= size).length
    expect((await readJournal(folder)).map(({ type }) => type)).toEqual(
      ['begin', 'intent', 'done'].slice(0, kept).concat('commit'),
    )
  }
})

it('any changed byte is found, and says in which record', async () => {
  const whole = await write()
  const lineOf = (i: number) => whole.subarray(0, i).filter(byte => byte === 10).length + 1
  for (let i = 0; i < whole.length; i++)
    for (const bit of [1, 64]) {
      const changed = Buffer.from(whole)
      changed[i]! ^= bit
      let error: unknown
      try {
        // A newline made out of the middle of the last record, or a digit of its length, may look like a torn end.
        const { records } = parseJournal(changed, 'j')
        expect(lineOf(i), `byte ${i}`).toBe(3)
        expect(records).toHaveLength(2)
        continue
      } catch (caught) {
        error = caught
      }
      expect(error, `byte ${i}`).toMatchObject({ code: 'E_JOURNAL', at: { line: expect.any(Number) } })
      expect(Math.abs((error as { at: { line: number } }).at.line - lineOf(i))).toBeLessThanOrEqual(1)
    }
})

it('a missing, doubled or swapped record is found', async () => {
  const whole = await write()
  const lines = whole.toString().split('\n').slice(0, 3)
  const join_ = (...at: number[]) => Buffer.from(at.map(i => `${lines[i]}\n`).join(''))
  for (const bad of [join_(0, 2), join_(1, 2), join_(0, 1, 1, 2), join_(0, 2, 1)])
    expect(() => parseJournal(bad, 'j')).toThrow(/does not follow/)
})

it('a damaged journal is refused with its place, and the folder is not left locked', async () => {
  const whole = await write()
  whole[whole.indexOf('"seq":1')]! ^= 1
  writeFileSync(file(), whole)
  await expect(open()).rejects.toMatchObject({ code: 'E_JOURNAL', at: { file: file(), line: 2, col: 1 } })
  expect(readdirSync(folder)).toEqual(['journal'])
})

it('a payload moved to another record does not open', async () => {
  const journal = await open()
  await journal.append(begin)
  await journal.append(intent('1'), 'one')
  await journal.append(intent('2'), 'two')
  const [, one, two] = journal.records
  expect(journal.payload(two!)).toBe('two')
  expect(() => journal.payload({ ...two!, sealed: one!.sealed! })).toThrow(/changed after it was sealed/)
  expect(() => journal.payload(journal.records[0]!)).toThrow(expect.objectContaining({ code: 'E_SEAL' }))
  await journal.close()
})

it('appends asked for at once keep their order', async () => {
  const journal = await open()
  await journal.append(begin)
  const lines = await Promise.all(Array.from({ length: 50 }, (_, i) => journal.append(intent(String(i)), i)))
  await journal.close()
  const text = readFileSync(file(), 'utf8')
  expect(text.endsWith(lines.join(''))).toBe(true)
  const again = await open()
  expect(again.records.slice(1).map(record => again.payload(record))).toEqual([...Array(50).keys()])
  await again.close()
})

it('the folder is locked against this process and others until closed', async () => {
  const journal = await open()
  await expect(open()).rejects.toMatchObject({
    code: 'E_LOCKED',
    message: expect.stringContaining(`${process.pid}`),
  })
  await journal.close()
  await (await open()).close()
  expect(readdirSync(folder)).toEqual(['journal'])
})

/** Another process that locks the folder and stays until it is killed. */
async function lockElsewhere(): Promise<ChildProcess> {
  const contents = `
    import { openJournal } from ${JSON.stringify(join(import.meta.dirname, '../../src/rotation/journal.ts'))}
    const key = { seal: () => '', unseal: () => null }
    const sealer = { createKey: async () => ({ key, sealed: '' }), openKey: async () => key }
    await openJournal(process.argv[2], { sealer, now: () => new Date() })
    console.log('locked')
    setInterval(() => {}, 1000)`
  const outfile = join(other, 'lock.mjs')
  buildSync({ stdin: { contents, resolveDir: '/' }, bundle: true, platform: 'node', format: 'esm', outfile })
  const child = spawn(process.execPath, [outfile, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}

it('the lock of a killed process is taken over, of a living one it is not', async () => {
  const child = await lockElsewhere()
  await expect(open()).rejects.toMatchObject({
    code: 'E_LOCKED',
    message: expect.stringContaining(`process ${child.pid} `),
  })
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  await (await open()).close()
  // Nobody's lock is ever removed by another; the next one simply counts on.
  expect(readdirSync(folder)).toEqual(['journal', 'lock.1'])
})

it('a pid that is used again, or an earlier boot, does not keep the lock', async () => {
  const self = {
    machine: hostname(),
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pid: process.pid,
    started: '1',
  }
  writeFileSync(join(folder, 'lock.1'), JSON.stringify(self))
  await (await open()).close()
  writeFileSync(join(folder, 'lock.2'), JSON.stringify({ ...self, boot: 'earlier' }))
  await (await open()).close()
  writeFileSync(join(folder, 'lock.3'), 'garbage of a full disk')
  await (await open()).close()
  writeFileSync(join(folder, 'lock.4'), JSON.stringify({ ...self, machine: 'another' }))
  await expect(open()).rejects.toMatchObject({
    code: 'E_LOCKED',
    message: expect.stringContaining('another'),
  })
})

it('of many that take a stale lock over at once, one wins', async () => {
  writeFileSync(join(folder, 'lock.1'), JSON.stringify({ machine: '', boot: '', pid: 'none' }))
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => open()))
  const won = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  expect(won).toHaveLength(1)
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_LOCKED' })
  await won[0]!.close()
})

it('run ids sort by time', () => {
  expect(createRunId(now(), () => Buffer.from([0, 1, 33, 255]))).toBe('20261123T034500Z-abb9')
})

it('makes run folders private, lists them newest first and finds one by its beginning', async () => {
  const state = stateFolder({ XDG_STATE_HOME: folder })
  expect(await listRuns(state)).toEqual([])
  await expect(findRun(state, 'latest')).rejects.toMatchObject({
    code: 'E_USAGE',
    hint: expect.stringMatching(/rota run/),
  })
  const first = await makeRun(state, now())
  const second = await makeRun(state, new Date('2026-11-24T00:00:00Z'))
  expect(statSync(first.folder).mode & 0o777).toBe(0o700)
  expect(await listRuns(state)).toEqual([second, first])
  expect(await findRun(state, 'latest')).toEqual(second)
  expect(await findRun(state, '20261123')).toEqual(first)
  await expect(findRun(state, '202611')).rejects.toThrow(/2 runs begin with "202611"/)
  await expect(findRun(state, 'x')).rejects.toMatchObject({
    code: 'E_USAGE',
    hint: expect.stringContaining(second.id),
  })
})

it('a run that has not ended keeps its hosts from another', async () => {
  const run = await makeRun(folder, now())
  expect(await readSummary(run.folder)).toBeUndefined()
  const journal = await openJournal(run.folder, { sealer: realSealer, now })
  await journal.append({ ...begin, hosts: ['a', 'b'] })
  expect(await readSummary(run.folder)).toMatchObject({
    state: 'running',
    isOpen: true,
    began: now().toISOString(),
  })
  await expect(refuseOverlap(folder, ['b', 'c'])).rejects.toMatchObject({
    code: 'E_LOCKED',
    message: `run ${run.id} (running) still holds b`,
    hint: `rota resume ${run.id}, or rota rollback ${run.id}`,
  })
  await refuseOverlap(folder, ['c'])
  await refuseOverlap(folder, ['b'], run.id)
  await journal.append({ type: 'held', state: 'in_doubt', hosts: {} })
  expect(await readSummary(run.folder)).toMatchObject({ state: 'in_doubt', isOpen: true })
  await journal.append({ type: 'end', state: 'rolled_back', hosts: {} })
  await journal.close()
  expect(await readSummary(run.folder)).toMatchObject({ state: 'rolled_back', isOpen: false })
  await refuseOverlap(folder, ['a'])
  appendFileSync(join(run.folder, 'journal'), 'garbage\n')
  await expect(refuseOverlap(folder, ['z'])).rejects.toMatchObject({ code: 'E_LOCKED' })
})
