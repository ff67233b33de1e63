import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { RunEvent, Stamped } from '../../src/core/event.ts'
import { sha256 } from '../../src/evidence/chain.ts'
import { openEvidence } from '../../src/evidence/folder.ts'
import { summarize } from '../../src/evidence/summary.ts'
import { listed, MANIFEST, renderManifest, verifyEvidence } from '../../src/evidence/verify.ts'

let base: string
let folder: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rota-evidence-'))
  folder = join(base, 'evidence')
})
afterEach(() => rmSync(base, { recursive: true }))

const operator = { user: 'alice', machine: 'laptop', key: 'SHA256:abc' }
const text = (value: string) => value as never
const events: RunEvent[] = [
  { type: 'run.start', run: 'r1', version: '1', playbooks: ['rotate.yml'], check: false, operator },
  { type: 'phase.start', phase: 'preflight', hosts: ['a', 'b'] },
  { type: 'host.text', task: 't', host: 'a', stream: 'stdout', text: text('naïve \\n "quoted" 日本 \u2028') },
  {
    type: 'backup',
    host: 'a',
    path: text('/b/a.age'),
    sha256: 'f'.repeat(64),
    sizeBytes: 9,
    proof: text('listed'),
  },
  { type: 'change', host: 'a', step: 's1', module: 'env_file', what: text('env'), record: 'intent' },
  { type: 'change', host: 'a', step: 's1', module: 'env_file', what: text('env'), record: 'done' },
  { type: 'check', host: 'a', name: text('health'), ok: true },
  { type: 'check', host: 'b', name: text('login'), ok: false, message: text('401') },
  { type: 'change', host: 'a', step: 's1', module: 'env_file', what: text('env'), record: 'undone' },
  { type: 'rotation.state', host: 'a', state: 'rolling_back' },
  { type: 'rotation.state', host: 'a', state: 'rolled_back', message: text('red') },
  { type: 'run.end', run: 'r1', exit: 10, recap: {} },
]
let seconds = 0
const stamp = (event: RunEvent, seq: number): Stamped => ({
  ...event,
  seq,
  at: new Date(Date.UTC(2026, 10, 23, 3, 45, seconds++)).toISOString(),
})

async function write(list = events): Promise<void> {
  const evidence = await openEvidence(folder, operator)
  for (const [seq, event] of list.entries()) evidence.on(stamp(event, seq))
  await evidence.close()
}

const shells = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']]
const found = shells.filter(([shell]) => spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0)
if (found.length < shells.length) {
  console.log(`only tried in: ${found.map(shell => shell[0]).join(', ')}`)
  if (process.env['CI']) throw new Error('CI needs every shell')
}
function verifyByScript(args: string[] = [], shell = ['sh']) {
  const { status, stdout, stderr } = spawnSync(
    shell[0]!,
    [...shell.slice(1), join(folder, 'VERIFY.sh'), ...args],
    { encoding: 'utf8' },
  )
  return { status, stdout, stderr }
}

it('writes a folder that verifies, by rota and by every sh', async () => {
  await write()
  const verified = await verifyEvidence(folder)
  expect(verified.problems).toEqual([])
  expect(verified.events).toBe(events.length)
  expect(verified.seal).toBe(sha256(readFileSync(join(folder, MANIFEST))))
  for (const shell of found)
    expect(verifyByScript([verified.seal!], shell)).toEqual({
      status: 0,
      stdout: `OK: ${events.length} events\n`,
      stderr: '',
    })
  expect(spawnSync('sha256sum', ['-c', '--strict', MANIFEST], { cwd: folder }).status).toBe(0)
  expect(statSync(join(folder, 'events.jsonl')).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

it('its script is clean for shellcheck', async ({ skip }) => {
  await write()
  const checked = spawnSync('shellcheck', ['-s', 'sh', join(folder, 'VERIFY.sh')], { encoding: 'utf8' })
  if (checked.error && !process.env['CI']) skip('shellcheck is not installed')
  expect(checked.stdout).toBe('')
})

it('keeps every event as it was, numbered anew', async () => {
  await write()
  const lines = readFileSync(join(folder, 'events.jsonl'), 'utf8').trimEnd().split('\n')
  for (const [i, line] of lines.entries()) {
    const { v, prev, seq, at, ...event } = JSON.parse(line)
    expect([v, seq]).toEqual([1, i])
    expect(prev).toBe(i === 0 ? '0'.repeat(64) : sha256(`${lines[i - 1]}\n`))
    expect(at).toMatch(/^2026-11-23T/)
    expect(event).toEqual(JSON.parse(JSON.stringify(events[i])))
  }
})

it('sums up who, what, when, from where, backups, checks, undos and ends', async () => {
  await write()
  const summary = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))
  expect(summary).toMatchObject({
    run: 'r1',
    operator,
    exit: 10,
    playbooks: ['rotate.yml'],
    hosts: { a: { state: 'rolled_back', message: 'red' } },
    backups: [{ host: 'a', path: '/b/a.age', sizeBytes: 9, proof: 'listed' }],
    checks: [
      { host: 'a', name: 'health', ok: true },
      { host: 'b', name: 'login', ok: false, message: '401' },
    ],
    changes: [{ step: 's1', record: 'done' }],
    undos: [{ step: 's1', record: 'undone' }],
  })
  expect(summary.from < summary.to).toBe(true)
  const forPeople = readFileSync(join(folder, 'summary.txt'), 'utf8')
  for (const part of [
    'user alice',
    'key SHA256:abc',
    '/b/a.age',
    'RED  login: 401',
    'a  rolled_back: red',
    'Exit       10',
  ])
    expect(forPeople).toContain(part)
})

it('a run that was killed goes on in the same chain, and is not closed until it is', async () => {
  await write(events.slice(0, 4))
  const evidence = await openEvidence(folder, operator)
  evidence.on(stamp(events[4]!, 0))
  await evidence.settle()
  // What a killed process leaves: a copy of the folder as it is at this moment.
  const left = join(base, 'left')
  cpSync(folder, left, { recursive: true })
  await evidence.close()
  folder = left
  appendFileSync(join(folder, 'events.jsonl'), '{"v":1,"seq":5,"pre')
  const killed = await verifyEvidence(folder)
  expect(killed.problems.map(({ message }) => message)).toEqual([
    'head: missing',
    'MANIFEST.sha256: missing, the evidence was never closed',
    'events.jsonl: line 6 is cut off',
  ])
  expect(verifyByScript().status).toBe(1)
  const resumed = await openEvidence(folder, { user: 'bob' })
  resumed.on(stamp({ ...events[0]!, operator: { user: 'bob' } } as RunEvent, 0))
  resumed.on(stamp(events.at(-1)!, 1))
  await resumed.close()
  expect((await verifyEvidence(folder)).problems).toEqual([])
  const summary = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))
  expect(summary.sessions.map((session: { operator: unknown }) => session.operator)).toEqual([
    operator,
    { user: 'bob' },
  ])
})

it('evidence that was changed is not continued', async () => {
  await write()
  const file = join(folder, 'events.jsonl')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"ok":false', '"ok":true '))
  await expect(openEvidence(folder, operator)).rejects.toMatchObject({ code: 'E_EVIDENCE', at: { line: 9 } })
})

it('a disk that fails is the failure of the run', async () => {
  writeFileSync(join(base, 'file'), '')
  await expect(openEvidence(join(base, 'file'), operator)).rejects.toMatchObject({ code: 'E_EVIDENCE' })
  const evidence = await openEvidence(folder, operator)
  evidence.on(stamp(events[0]!, 0))
  rmSync(folder, { recursive: true })
  await expect(evidence.close()).rejects.toMatchObject({ code: 'E_EVIDENCE' })
})

it('a full disk is reported by settle and by close, and nothing is written behind the gap', async () => {
  const evidence = await openEvidence(folder, operator)
  const handle = await open(join(base, 'any'), 'w')
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  const append = vi.spyOn(Object.getPrototypeOf(handle), 'appendFile').mockRejectedValueOnce(full)
  await handle.close()
  evidence.on(stamp(events[0]!, 0))
  await expect(evidence.settle()).rejects.toMatchObject({
    code: 'E_EVIDENCE',
    message: expect.stringMatching(/ENOSPC/),
  })
  evidence.on(stamp(events[1]!, 1))
  await expect(evidence.close()).rejects.toMatchObject({ code: 'E_EVIDENCE' })
  expect(append).toHaveBeenCalledTimes(1)
  append.mockRestore()
  expect((await verifyEvidence(folder)).problems.length).toBeGreaterThan(0)
})

/** Every way to tamper with a folder: the verifiers must both see it. */
function mutate(copy: string, n: number): string {
  const name = [...listed, MANIFEST][n % 6]!
  const file = join(copy, name)
  const bytes = readFileSync(file)
  const lines = bytes.toString('latin1').split('\n')
  const place = Math.floor((n * 2654435761) % bytes.length)
  const row = Math.floor((n * 40503) % Math.max(1, lines.length - 1))
  switch (Math.floor(n / 6) % 8) {
    case 0:
      bytes[place]! ^= 1 << (n % 8)
      writeFileSync(file, bytes)
      return `flip a bit of ${name} at ${place}`
    case 1:
      writeFileSync(file, bytes.subarray(0, place))
      return `truncate ${name} to ${place}`
    case 2:
      rmSync(file)
      return `remove ${name}`
    case 3:
      writeFileSync(file, Buffer.concat([bytes, Buffer.from(n % 2 ? 'x' : '\n')]))
      return `append to ${name}`
    case 4:
      lines.splice(row, 1)
      writeFileSync(file, lines.join('\n'), 'latin1')
      return `delete line ${row} of ${name}`
    case 5:
      lines.splice(row, 0, lines[row]!)
      writeFileSync(file, lines.join('\n'), 'latin1')
      return `double line ${row} of ${name}`
    case 6:
      bytes[place] = 0
      writeFileSync(file, bytes)
      return `zero ${name} at ${place}`
    default:
      writeFileSync(file, lines.reverse().join('\n'), 'latin1')
      return `reverse ${name}`
  }
}

it('of 500 ways to tamper every one is seen, and rota and VERIFY.sh agree', async () => {
  // Few lines: each costs the script two processes.
  await write([events[0]!, events[2]!, events[7]!])
  const before = new Map(
    [...listed, MANIFEST].map(name => [name, readFileSync(join(folder, name), 'latin1')]),
  )
  const isSame = (copy: string) =>
    [...before].every(
      ([name, old]) => existsSync(join(copy, name)) && readFileSync(join(copy, name), 'latin1') === old,
    )
  const ways = new Map<string, string>()
  let seen = 0
  for (let n = 0; seen < 500; n++) {
    const copy = join(base, `copy-${n}`)
    mkdirSync(copy)
    for (const [name, old] of before) writeFileSync(join(copy, name), old, 'latin1')
    const how = mutate(copy, n)
    if (isSame(copy)) continue
    seen++
    expect((await verifyEvidence(copy)).problems.length, how).toBeGreaterThan(0)
    // The auditor's script is a good one; a change of the one in the folder alone is for rota to see. Every third
    // way is enough for the script: it costs twenty processes each time.
    if (how.includes('VERIFY.sh') || seen % 3 !== 0) continue
    cpSync(join(folder, 'VERIFY.sh'), join(copy, 'VERIFY.sh'))
    ways.set(copy, how)
  }
  // One shell for all: starting 400 from here would take longer than all else.
  const all = 'for copy; do sh "$copy/VERIFY.sh" >/dev/null 2>&1; printf "%s %s\\n" "$?" "$copy"; done'
  const { stdout } = spawnSync('sh', ['-c', all, 'sh', ...ways.keys()], { encoding: 'utf8' })
  const said = stdout
    .trimEnd()
    .split('\n')
    .map(line => line.split(' '))
  expect(said).toHaveLength(ways.size)
  for (const [status, copy] of said) expect(status, ways.get(copy!)!).toBe('1')
}, 120_000)

it('who also makes the manifest anew is caught by chain and head; who makes all anew, by the seal', async () => {
  await write()
  const { seal } = await verifyEvidence(folder)
  const remake = () => {
    const contents = new Map(listed.map(name => [name, readFileSync(join(folder, name))]))
    writeFileSync(join(folder, MANIFEST), renderManifest(contents))
  }
  const file = join(folder, 'events.jsonl')
  const whole = readFileSync(file, 'utf8')
  const lines = whole.trimEnd().split('\n')
  const tampered = [
    whole.replace('"ok":false', '"ok":true '),
    [...lines.slice(0, 3), ...lines.slice(4)].join('\n').concat('\n'),
    lines.slice(0, -1).join('\n').concat('\n'),
    whole.slice(0, -1),
    `${whole}${lines[3]}\n`,
    whole.replace('"exit":10', '"exit":00'),
    '',
  ]
  for (const bad of tampered) {
    writeFileSync(file, bad)
    remake()
    expect((await verifyEvidence(folder)).problems.length).toBeGreaterThan(0)
    for (const shell of found) expect(verifyByScript([], shell).status).toBe(1)
  }
  rmSync(folder, { recursive: true })
  await write(events.slice(0, -1))
  expect((await verifyEvidence(folder)).problems).toEqual([])
  expect((await verifyEvidence(folder, seal)).problems).toHaveLength(1)
  expect(verifyByScript([seal!])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/not the one that the seal was noted of/),
  })
})

it('an empty run sums up too', () => {
  expect(summarize([], operator)).toMatchObject({ run: '', hosts: {}, checks: [], exit: undefined })
})
