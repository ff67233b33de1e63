// The operator's machine is gone, asleep, or not the only one: what a second operator on another machine can do, and cannot.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askDatabase, login, pages, visit } from '../../demo/outside.ts'
import { repository } from '../../demo/panel-host.ts'
import { type Desk, openDesk, openSite, type Ran, type Site } from '../../demo/site.ts'
import { placePlaybooks, selectFolder } from '../../src/cli/invocation.ts'
import { loadIdentity } from '../../src/secrets/identity.ts'

const playbook = 'playbooks/rotate-production-secrets.yml'
const host = 'my.votcloud.com'
type Env = Readonly<Record<string, string>>

let folder: string
let site: Site
let alice: Desk
let bob: Desk
let bobsKey: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rota-takeover-'))
  site = await openSite(join(folder, 'alice'))
  alice = site.desk
  bob = openDesk(join(folder, 'bob'), { [host]: site.variables })
  bobsKey = (await loadIdentity(join(folder, 'bob', 'config', 'rota'))).recipient
}, 120_000)
afterAll(async () => {
  await site?.close()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

const rotation = (desk: Desk) => ['run', playbook, '-i', desk.inventory, '--recipient', bobsKey]
const lastRun = (desk: Desk): string => readdirSync(desk.runs).sort().at(-1)!
const databaseTakes = (env: Env) =>
  askDatabase(
    `postgresql://proxpanel:${env['POSTGRES_PASSWORD']}@127.0.0.1:${site.panel.database.port}/proxpanel`,
  )

/** Everything works with these values. */
async function expectInForce(env: Env): Promise<void> {
  expect(site.panel.env()).toEqual(env)
  expect(await databaseTakes(env)).toBe('accepted')
  const { status, accessToken } = await login(site.panel.url, env)
  expect(status).toBe(200)
  expect(await Promise.all(pages.map(page => visit(site.panel.url, page, accessToken)))).toEqual([
    200, 200, 200, 200,
  ])
}

/** Starts a rotation and stops rota by a signal as soon as the database takes the new password only. */
async function stopAfterFirstChange(signal: 'SIGKILL' | 'SIGSTOP') {
  const before = site.panel.env()
  const rota = alice.start(rotation(alice))
  let output = ''
  for (const stream of [rota.stdout!, rota.stderr!])
    stream.on('data', chunk => {
      output += chunk
    })
  const ended = once(rota, 'close')
  while (rota.exitCode === null && (await databaseTakes(before).catch(() => 'gone')) === 'accepted');
  expect(rota.exitCode, output).toBe(null)
  rota.kill(signal)
  return { before, rota, ended, run: lastRun(alice), output: () => output }
}

async function inFolder(desk: Desk, cwd: string, args: readonly string[]): Promise<Ran> {
  const child = desk.start(args, cwd)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', chunk => {
      output += chunk
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

it('the laptop is gone: a colleague finds out who holds the host, and finishes from the host', async () => {
  const { before, ended, run } = await stopAfterFirstChange('SIGKILL')
  await ended
  rmSync(join(folder, 'alice', 'state'), { recursive: true })

  const second = await bob.rota(rotation(bob))
  expect(second.code, second.output).toBe(7)
  expect(second.output).toMatch(new RegExp(`${host} is held by run ${run} of .+@.+ since 20`))
  expect(second.output).toContain(`rota resume ${run}`)
  expect(second.output).toContain(`--from-host ${host}`)

  const from = ['resume', run, '--from-host', host, '-i', bob.inventory]
  const carol = openDesk(join(folder, 'carol'), { [host]: site.variables })
  const foreign = await carol.rota(from.with(-1, carol.inventory))
  expect(foreign.code, foreign.output).toBe(65)
  expect(foreign.output).toContain('not sealed to this identity')
  expect(existsSync(join(carol.runs, run))).toBe(false)

  // Where the playbook is not, nothing is begun.
  const lost = await inFolder(bob, join(folder, 'bob'), from)
  expect(lost.code, lost.output).toBe(65)
  expect(lost.output).toContain(`with ${playbook}, and ${join(folder, 'bob')} has no such playbook`)

  const done = await bob.rota(from)
  expect(done.code, done.output).toBe(0)
  const after = site.panel.env()
  expect(after['JWT_SECRET']).not.toBe(before['JWT_SECRET'])
  await expectInForce(after)
  expect(await databaseTakes(before)).toBe('refused')
  const evidence = await bob.rota(['evidence', run])
  expect(evidence.code, evidence.output).toBe(0)
}, 240_000)

it('a stopped operator who wakes after a takeover can change nothing any more', async () => {
  const { before, rota, ended, run, output } = await stopAfterFirstChange('SIGSTOP')
  const back = await bob.rota(['rollback', run, '--from-host', host, '-i', bob.inventory])
  expect(back.code, back.output).toBe(10)
  await expectInForce(before)

  rota.kill('SIGCONT')
  expect((await ended)[0], output()).toBe(7)
  expect(output()).toMatch(/was taken over from this process/)
  await expectInForce(before)

  // What is left of the run on the first machine is out of date, and says so.
  const stale = await alice.rota(['resume', run])
  expect(stale.code, stale.output).toBe(1)
  expect(stale.output).toContain(`run ${run} went on elsewhere`)
  await expectInForce(before)
  rmSync(join(alice.runs, run), { recursive: true })
}, 240_000)

it('of two operators that begin at once one rotates and the other is refused', async () => {
  const before = site.panel.env()
  const ends = await Promise.all([alice.rota(rotation(alice)), bob.rota(rotation(bob))])
  expect(ends.map(({ code }) => code).sort(), ends.map(({ output }) => output).join('\n')).toEqual([0, 7])
  const after = site.panel.env()
  expect(after['JWT_SECRET']).not.toBe(before['JWT_SECRET'])
  await expectInForce(after)
}, 240_000)

it('a run that died before it changed anything only has to give its host back', async () => {
  const before = site.panel.env()
  const kept = join(site.root, 'var', 'lib', 'rota')
  const rota = alice.start(rotation(alice))
  const ended = once(rota, 'close')
  const isHeld = () =>
    spawnSync('sh', ['-c', `cat "$(ls -v ${kept}/lock.* | tail -n 1)"`]).stdout.includes('held ')
  while (rota.exitCode === null && !isHeld()) await new Promise(resolve => setImmediate(resolve))
  rota.kill('SIGKILL')
  await ended
  const run = lastRun(alice)
  rmSync(join(folder, 'alice', 'state'), { recursive: true })
  const from = [run, '--from-host', host, '-i', bob.inventory]
  const forward = await bob.rota(['resume', ...from])
  expect(forward.code, forward.output).toBe(1)
  expect(forward.output).toContain('had not begun to change anything')
  const back = await bob.rota(['rollback', ...from])
  expect([back.code, back.output]).toEqual([0, `run ${run} had changed nothing: ${host} is free again\n`])
  const unknown = await bob.rota(['rollback', ...from])
  expect(unknown.code, unknown.output).toBe(1)
  expect(unknown.output).toContain(`has no journal of run ${run}`)
  await expectInForce(before)
}, 240_000)

it('keeps on the host nothing that anybody else could read', () => {
  const kept = join(site.root, 'var', 'lib', 'rota')
  const env = site.panel.env()
  const journals = readdirSync(kept).filter(name => existsSync(join(kept, name, 'journal')))
  expect(journals.length).toBeGreaterThanOrEqual(3)
  for (const run of journals) {
    const text = readFileSync(join(kept, run, 'journal'), 'utf8')
    expect(text).toContain('"type":"end"')
    for (const name of ['JWT_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD'])
      for (const value of [env[name]!, Buffer.from(env[name]!).toString('base64').slice(0, -4)])
        expect(text.includes(value), `${run}: ${name}`).toBe(false)
  }
})

it('a checkout elsewhere will do', async () => {
  const { before, ended, run } = await stopAfterFirstChange('SIGKILL')
  await ended
  rmSync(join(folder, 'alice', 'state'), { recursive: true })
  const checkout = join(folder, 'checkout')
  mkdirSync(checkout)
  cpSync(join(repository, 'playbooks'), join(checkout, 'playbooks'), { recursive: true })
  const rota = (...args: string[]) => inFolder(bob, checkout, args)
  const done = await rota('resume', run, '--from-host', host, '-i', bob.inventory)
  expect(done.code, done.output).toBe(0)
  expect(site.panel.env()['JWT_SECRET']).not.toBe(before['JWT_SECRET'])
  await expectInForce(site.panel.env())
  const again = await rota('resume', run)
  expect(again.code, again.output).toBe(0)
}, 240_000)

it('the folder to work in: where the run was begun, else here if the playbooks lie here as they lay there', () => {
  const there = join(folder, 'checkout')
  const playbooks = [join(there, playbook)]
  const begun = { folder: there, playbooks, flags: {} }
  expect(selectFolder(begun, folder, false)).toBe(there)
  expect(selectFolder(begun, repository, true)).toBe(repository)
  expect(placePlaybooks(begun, repository)).toEqual([join(repository, playbook)])
  const gone = { folder: '/nowhere/site', playbooks: [`/nowhere/site/${playbook}`], flags: {} }
  expect(selectFolder(gone, there, false)).toBe(there)
  expect(() => selectFolder(gone, folder, false)).toThrow(/begun in \/nowhere\/site with playbooks/)
  // A playbook from outside that folder stays where it was.
  expect(placePlaybooks({ ...begun, folder: join(there, 'inner') }, '/x')).toEqual(playbooks)
})
