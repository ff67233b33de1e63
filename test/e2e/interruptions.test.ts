// A rotation that is interrupted: signals in each phase, kill -9 and recovery, a second run meanwhile, nobody who reads the output.
// Judged from outside: all old or all new.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { askDatabase, login, pages, visit } from '../../demo/outside.ts'
import { repository } from '../../demo/panel-host.ts'
import { openSite, type Site } from '../../demo/site.ts'
import {
  type Ended,
  expectClean,
  leaksBelow,
  leaksIn,
  type Picture,
  runRota,
  signalAt,
  takePicture,
} from './desk-runs.ts'

type Env = Readonly<Record<string, string>>
const folder = mkdtempSync(join(tmpdir(), 'rota-stops-'))
const envs: Env[] = []
let site: Site
beforeAll(async () => {
  site = await openSite(join(folder, 'desk'))
  envs.push(site.panel.env())
}, 120_000)
afterAll(async () => {
  await site?.close()
  rmSync(folder, { recursive: true, force: true })
})

const run = (): string[] => ['run', 'playbooks/rotate-production-secrets.yml', '-i', site.desk.inventory]
const newest = (): string => readdirSync(site.desk.runs).sort().at(-1)!

/** What stays through a change and its undo: all but the backups and what a restart and a new salt change. */
function lasting({ files, verifier }: Picture): unknown {
  return { verifier, files: files.filter(file => !/-backups\/|proxpanel\/panel\.pid /.test(file)) }
}

async function expectInForce(env: Env): Promise<void> {
  expect(site.panel.env()).toEqual(env)
  expect(await askDatabase(env['DATABASE_URL']!)).toBe('accepted')
  const { status, accessToken } = await login(site.panel.url, env)
  expect(status).toBe(200)
  for (const page of pages) expect(await visit(site.panel.url, page, accessToken)).toBe(200)
}
async function expectAllNew(before: Env): Promise<void> {
  const after = site.panel.env()
  envs.push(after)
  await expectInForce(after)
  expect(await askDatabase(before['DATABASE_URL']!)).toBe('refused')
  expect((await login(site.panel.url, before)).status).toBe(401)
  for (const name of ['JWT_SECRET', 'JWT_REFRESH_SECRET']) expect(after[name]).not.toBe(before[name])
}
async function expectAllOld(before: Env, picture: Picture): Promise<void> {
  expect(lasting(await takePicture(site))).toEqual(lasting(picture))
  await expectInForce(before)
}

it('--check touches nothing at all and leaves nothing open', async () => {
  const before = await takePicture(site)
  const ended = await runRota(site, [...run(), '--check'])
  expect(ended.code, ended.all).toBe(0)
  expectClean(ended, envs)
  expect(ended.all).not.toMatch(/rota (resume|rollback)/)
  expect(await takePicture(site)).toEqual(before)
  const status = await runRota(site, ['status'])
  expect([status.code, status.stdout]).toEqual([0, expect.stringMatching(/^no rotation in /)])
  const back = await runRota(site, ['rollback', newest()])
  expect([back.code, back.stderr]).toEqual([
    64,
    expect.stringMatching(
      /ERROR! run \S+ never began: it changed nothing.* \(E_USAGE\)[\s\S]*→ `rota status`/,
    ),
  ])
  expect((await runRota(site, ['resume'])).stderr).toMatch(
    /ERROR! there is no rotation in .* \(E_USAGE\)\n {2}→ rota run/,
  )
}, 60_000)

it.each([
  [
    'SIGINT',
    'PHASE preflight',
    3,
    /^rotation: \[my.votcloud.com\] refused – stopped/m,
    /^refused: no secret was/m,
  ],
  [
    'SIGTERM',
    'PHASE backup',
    3,
    /^rotation: \[my.votcloud.com\] refused – stopped/m,
    /^refused: no secret was/m,
  ],
  [
    'SIGHUP',
    'PHASE change',
    10,
    /^rotation: \[my.votcloud.com\] rolled_back – stopped/m,
    /^undone: every host/m,
  ],
  [
    'SIGINT',
    'PHASE converge',
    10,
    /^rotation: \[my.votcloud.com\] rolled_back – st/m,
    /^undone: every host/m,
  ],
  [
    'SIGTERM',
    'PHASE verify',
    10,
    /^rotation: \[my.votcloud.com\] rolled_back – (stop|.*the run was stopped)/m,
    /^undone: every host/m,
  ],
] as const)(
  'all old after %s in %s: exit %i',
  async (signal, phase, code, state, next) => {
    const [before, picture] = [site.panel.env(), await takePicture(site)]
    const ended = await runRota(site, run(), signalAt(phase, signal))
    expect(ended.code, ended.all).toBe(code)
    expect(ended.stderr).toMatch(/^stopping: no new task is started/m)
    expect(ended.stdout).toMatch(state)
    expect(ended.stdout).toMatch(next)
    expectClean(ended, envs)
    await expectAllOld(before, picture)
    expect((await runRota(site, ['status'])).code).toBe(0)
  },
  120_000,
)

it('all new after SIGINT in PHASE committed: exit 6, and what is left to do by hand', async () => {
  const before = site.panel.env()
  const ended = await runRota(site, run(), signalAt('PHASE committed', 'SIGINT'))
  expect(ended.code, ended.all).toBe(6)
  expect(ended.stdout).toMatch(/^rotation: \[my.votcloud.com\] committed_with_warnings – stopped/m)
  expect(ended.stdout).toMatch(
    /^the new secrets are in force on every host; what is red above comes after that/m,
  )
  await expectAllNew(before)
  expectClean(ended, envs)
  const back = await runRota(site, ['rollback', newest()])
  expect(back.code, back.all).toBe(5)
  expect(back.stderr).toMatch(
    /ERROR! run \S+ is committed_with_warnings: its old values are no.* \(E_HELD\)\n {2}→ rotate again for other values; what it backed up lies sealed in its run folder; .*playbooks\/rollback\.yml/,
  )
}, 120_000)

/** Kills rota without warning when stdout shows `text`; the id of the run that is left open. */
async function killAt(text: string, ...more: string[]): Promise<string> {
  const ended = await runRota(site, [...run(), ...more], signalAt(text, 'SIGKILL'))
  expect(ended.code, ended.all).toBe(null)
  return newest()
}

it('kill -9 in the backup: another run is refused with exit 7, `rota resume` ends all new', async () => {
  const [before, picture] = [site.panel.env(), await takePicture(site)]
  const id = await killAt('PHASE backup')
  await expectAllOld(before, picture)
  const second = await runRota(site, run())
  expect(second.code, second.all).toBe(7)
  expect(second.stderr).toContain(
    `ERROR! run ${id} (running) still holds my.votcloud.com (E_LOCKED)\n  → rota resume ${id}, or rota rollback ${id}\n`,
  )
  expectClean(second, envs)
  const status = await runRota(site, ['status'])
  expect(status.code).toBe(5)
  expect(status.stdout).toContain(`→ rota resume ${id}, or rota rollback ${id}`)
  // Without a name: the open run, not the newer one that was refused.
  const resumed = await runRota(site, ['resume'])
  expect(resumed.code, resumed.all).toBe(0)
  await expectAllNew(before)
  expectClean(resumed, envs)
}, 120_000)

it('kill -9 in the converge phase: `rota rollback` ends all old; given again it says so', async () => {
  const [before, picture] = [site.panel.env(), await takePicture(site)]
  const id = await killAt('PHASE converge')
  const back = await runRota(site, ['rollback', id])
  expect(back.code, back.all).toBe(10)
  await expectAllOld(before, picture)
  expectClean(back, envs)
  const again = await runRota(site, ['rollback', id])
  expect(again.code, again.all).toBe(10)
  expect(again.stdout).toMatch(/^run \S+ has ended before; nothing is done now$/m)
  expect(again.stdout).toMatch(/^rotation: \[my.votcloud.com\] rolled_back/m)
  await expectAllOld(before, picture)
}, 120_000)

it('a panel that never gets healthy, and kill -9 in its undo: `rota resume` ends all old', async () => {
  const pin = createHash('sha256').update(site.panel.env()['JWT_SECRET']!).digest('hex').slice(0, 16)
  site.panel.setEnv({ PANEL_FAULT_UNLESS_JWT: pin })
  site.panel.restart()
  const [before, picture] = [site.panel.env(), await takePicture(site)]
  const id = await killAt('PHASE undo', '-e', 'panel_tries=1')
  const ways = await runRota(site, ['status', id])
  expect(ways.stdout).toMatch(new RegExp(`rolling_back .*→ rota rollback ${id}$`, 'm'))
  const done = await runRota(site, ['resume', id])
  expect(done.code, done.all).toBe(10)
  expect(done.stdout).toMatch(/^undone: every host is on its old secrets/m)
  await expectAllOld(before, picture)
  expectClean(done, envs)
  site.panel.setEnv({ PANEL_FAULT_UNLESS_JWT: '' })
  site.panel.restart()
}, 120_000)

it('kill -9 after the commit: no way back, `rota resume` ends all new', async () => {
  const before = site.panel.env()
  const id = await killAt('PHASE committed')
  const status = await runRota(site, ['status', id])
  expect(status.stdout).toMatch(new RegExp(`committed .*→ rota resume ${id}$`, 'm'))
  const back = await runRota(site, ['rollback', id])
  expect(back.code, back.all).toBe(5)
  expect(back.stderr).toMatch(
    /ERROR! run \S+ is committed: its old values are no longer in force.* \(E_HELD\)/,
  )
  const done = await runRota(site, ['resume', id])
  expect(done.code, done.all).toBe(0)
  await expectAllNew(before)
  expectClean(done, envs)
}, 120_000)

it('a run at work is not disturbed: a second one, resume and rollback are refused with exit 7; nor by a closed pipe', async () => {
  const before = site.panel.env()
  const child = site.desk.start(run())
  const ended = once(child, 'close')
  let refusals: Promise<Ended[]> | undefined
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    if (refusals || !text.includes('PHASE change')) return
    const id = newest()
    refusals = Promise.all([run(), ['resume', id], ['rollback', id]].map(args => runRota(site, args)))
    // As `rota run … | head` does.
    child.stdout!.destroy()
    child.stderr!.destroy()
  })
  const [code] = (await ended) as [number | null]
  expect(code).toBe(0)
  const [second, resumed, back] = await refusals!
  expect(second!.code, second!.all).toBe(7)
  for (const refused of [resumed!, back!]) {
    expect(refused.code, refused.all).toBe(7)
    expect(refused.stderr).toMatch(
      /ERROR! process \d+ on \S+ is working in \S+.* \(E_LOCKED\)\n {2}→ wait until it has ended/,
    )
  }
  await expectAllNew(before)
}, 120_000)

it('gives machines every event, and nothing else, on stdout; and the same in --events', async () => {
  const before = site.panel.env()
  const file = join(folder, 'events.jsonl')
  const ended = await runRota(site, [...run(), '--output', 'jsonl', '--events', file])
  expect(ended.code, ended.all).toBe(0)
  const lines = ended.stdout.split('\n')
  expect(lines.pop()).toBe('')
  const events = lines.map(line => JSON.parse(line) as { seq: number; type: string; exit?: number })
  expect(events.map(event => event.seq)).toEqual(events.map((_, i) => i))
  expect(events.at(-1)).toMatchObject({ type: 'run.end', exit: 0 })
  expect(readFileSync(file, 'utf8')).toBe(ended.stdout)
  await expectAllNew(before)
  expect(leaksIn(ended.all, envs)).toEqual([])
  // A run that is refused ends its events too, and says why in them.
  const id = await killAt('PHASE backup')
  const refused = await runRota(site, [...run(), '--output', 'jsonl'])
  const end = refused.stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(end.at(-2)).toMatchObject({ type: 'problem', problem: { code: 'E_LOCKED' } })
  expect(end.at(-1)).toMatchObject({ type: 'run.end', exit: 7 })
  expect((await runRota(site, ['rollback', id])).code).toBe(10)
}, 120_000)

it('colours nothing in a pipe, and obeys --color and NO_COLOR', async () => {
  const file = join(folder, 'colour.yml')
  writeFileSync(file, '- hosts: localhost\n  gather_facts: false\n  tasks: [{ ping: }]\n')
  const colours = (env: Env, ...flags: string[]): boolean => {
    const args = [
      join(repository, 'dist', 'rota.mjs'),
      'run',
      file,
      '-i',
      'localhost,',
      '-c',
      'local',
      ...flags,
    ]
    const { PATH = '', HOME = folder } = process.env
    const { stdout, status } = spawnSync(process.execPath, args, {
      env: { PATH, HOME, ...env },
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    return stdout.includes('\u001b[')
  }
  expect(colours({})).toBe(false)
  expect(colours({}, '--color', 'always')).toBe(true)
  expect(colours({ FORCE_COLOR: '1' })).toBe(true)
  expect(colours({ FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false)
  expect(colours({ FORCE_COLOR: '1' }, '--color', 'never')).toBe(false)
})

it('ends at once at the second ^C, says where to look, and leaves no program running', async () => {
  const [file, pidFile] = [join(folder, 'slow.yml'), join(folder, 'pid')]
  const slow = `printf '%s\\n' "$$" >${pidFile}; exec sleep 600`
  const play = { hosts: 'localhost', gather_facts: false, tasks: [{ name: 'Slow', shell: slow }] }
  writeFileSync(file, JSON.stringify([play]))
  const child = spawn(
    process.execPath,
    [join(repository, 'dist', 'rota.mjs'), 'run', file, '-i', 'localhost,', '-c', 'local'],
    { env: { PATH: process.env['PATH'], HOME: folder } },
  )
  const ended = once(child, 'close')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    if (text.includes('stopping: no new task')) child.kill('SIGINT')
  })
  const pid = await vi.waitFor(() => {
    const text = readFileSync(pidFile, 'utf8')
    expect(text).toMatch(/^\d+\n$/)
    return Number(text)
  }, 20_000)
  child.kill('SIGINT')
  const [code] = (await ended) as [number | null]
  expect(code).toBe(130)
  expect(stderr).toContain('ended at once: `rota status` shows what is left open')
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000)
})

it('left no secret in any file of the operator’s', () => {
  expect(leaksBelow(join(folder, 'desk'), envs)).toEqual([])
})
