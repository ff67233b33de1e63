// What a rotation must not believe: each scene would pass a check that only looks. Judged from outside, on the demo's host.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askDatabase, login } from '../../demo/outside.ts'
import { openSite, type Site } from '../../demo/site.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-verification-'))
let site: Site
beforeAll(async () => {
  site = await openSite(folder)
}, 60_000)
afterAll(async () => {
  await site?.close()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

type Env = Readonly<Record<string, string>>
/** Seeds the admin and, the first time, makes the panel flap from then on. */
const flakySeed =
  'set -a; . ./.env.production; npm run prisma:seed; [ -e fault.made ] || touch fault.made fault.flaky'
const playbook = 'playbooks/rotate-production-secrets.yml'
const rotate = (...more: string[]) =>
  site.desk.rota(['run', playbook, '-i', site.desk.inventory, '-e', 'panel_tries=2', ...more])
async function expectInForce(env: Env): Promise<void> {
  expect(site.panel.env()).toEqual(env)
  expect(await askDatabase(env['DATABASE_URL']!)).toBe('accepted')
  expect((await login(site.panel.url, env)).status).toBe(200)
}

it('stops before anything is changed when a file nobody declared holds a value, and says where', async () => {
  const before = site.panel.env()
  const script = join(site.panel.folder, 'infra', 'nightly.sh')
  const header = Buffer.from(`admin:${before['ADMIN_PASSWORD']}`).toString('base64')
  writeFileSync(script, `#!/bin/sh\n\ncurl -H 'Authorization: Basic ${header}' http://127.0.0.1/\n`)
  const done = await rotate()
  expect(done.code, done.output).toBe(3)
  expect(done.output).toContain(`${script}:3 holds ADMIN_PASSWORD (base64)`)
  for (const value of [header, before['ADMIN_PASSWORD']!]) expect(done.output).not.toContain(value)
  await expectInForce(before)
  const known = await rotate('--check', '-e', JSON.stringify({ panel_allow_copies: ['*/infra/nightly.sh'] }))
  expect(known.code, known.output).toBe(0)
  rmSync(script)
}, 120_000)

it('is undone when the env file keeps an old value under a name that nobody thought of', async () => {
  const file = site.panel.envFile
  const text = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    `${text}REPORTS_URL=postgres://reports:${site.panel.env()['POSTGRES_PASSWORD']}@db/reports\n`,
  )
  const before = site.panel.env()
  const done = await rotate()
  expect(done.code, done.output).toBe(10)
  expect(done.output).toContain(`${file}:${text.split('\n').length} holds POSTGRES_PASSWORD`)
  await expectInForce(before)
  writeFileSync(file, text)
}, 120_000)

it('holds, and does not undo, a rotation after which the panel is healthy only now and then', async () => {
  const before = site.panel.env()
  const fault = join(site.panel.folder, 'fault.flaky')
  const done = await rotate('-e', `seed_command="${flakySeed}"`)
  expect(done.code, done.output).toBe(5)
  expect(done.output).toContain('rota resume')
  expect(await askDatabase(before['DATABASE_URL']!)).toBe('refused')
  rmSync(fault)
  const resumed = await site.desk.rota(['resume'])
  expect(resumed.code, resumed.output).toBe(0)
  await expectInForce(site.panel.env())
  expect(site.panel.env()['JWT_SECRET']).not.toBe(before['JWT_SECRET'])
}, 180_000)

it('refuses to begin while the panel is healthy only now and then', async () => {
  const fault = join(site.panel.folder, 'fault.flaky')
  writeFileSync(fault, '')
  const before = site.panel.env()
  const done = await rotate()
  expect(done.code, done.output).toBe(3)
  expect(done.output).toContain('good now and then')
  rmSync(fault)
  await expectInForce(before)
}, 120_000)
