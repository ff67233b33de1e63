// The panel's rotation as a plan over real SSH: what the plan says of the host, and that whoever logs in cannot approve.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { askDatabase } from '../../demo/outside.ts'
import { openSite, type Site } from '../../demo/site.ts'

vi.setConfig({ testTimeout: 240_000 })
const isThere = spawnSync('ssh-keygen', ['-?']).error === undefined
if (!isThere && process.env['CI']) throw new Error('ssh-keygen is missing')
if (!isThere) console.log('skipped: ssh-keygen is missing (Debian: openssh-client)')

let folder: string
let site: Site
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rota-approval-'))
  site = await openSite(join(folder, 'desk'))
}, 120_000)
afterAll(async () => {
  await site?.close()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

const at = (name: string): string => join(folder, name)
const secretNames = ['JWT_SECRET', 'JWT_REFRESH_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD']

/** A second person's approval, made with nothing but ssh-keygen. */
function approve(key: string): void {
  const plan = createHash('sha256')
    .update(readFileSync(at('plan.json')))
    .digest('hex')
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  const statement = { v: 1, plan, user: 'bob', machine: 'lap', at: new Date().toISOString(), expires }
  const file = at('plan.json.approval')
  writeFileSync(file, `${JSON.stringify(statement)}\n`)
  rmSync(`${file}.sig`, { force: true })
  execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', 'approval@rota', file], {
    stdio: 'ignore',
  })
}

describe.skipIf(!isThere)('the panel', () => {
  it('a plan names host key, secrets, changes, downtime and who is logged out; only a second person can release it', async () => {
    const before = site.panel.env()
    const args = [
      'plan',
      'playbooks/rotate-production-secrets.yml',
      '-i',
      site.desk.inventory,
      '-o',
      at('plan.json'),
    ]
    const planned = await site.desk.rota(args)
    expect(planned.code, planned.output).toBe(0)
    expect(site.panel.env()).toEqual(before)
    const text = readFileSync(at('plan.json'), 'utf8')
    for (const name of secretNames) expect(text.includes(before[name]!), name).toBe(false)
    const plan = JSON.parse(text)
    const [known] = readFileSync(join(folder, 'desk', 'known_hosts'), 'utf8')
      .trim()
      .split('\n')
    const blob = Buffer.from(known!.split(' ')[2]!, 'base64')
    const hostKey = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
    const [host] = plan.hosts
    expect(host).toMatchObject({ host: 'my.votcloud.com', wave: 1, login: { user: 'root', hostKey } })
    expect(
      host.secrets.map(({ name, logsOut }: { name: string; logsOut: string }) => `${name} ${logsOut}`),
    ).toEqual([
      'JWT_SECRET everybody',
      'JWT_REFRESH_SECRET everybody',
      'POSTGRES_PASSWORD nobody',
      'ADMIN_PASSWORD the admin',
    ])
    expect(host.changes.map(({ module }: { module: string }) => module)).toEqual([
      'postgresql_user',
      'env_file',
    ])
    expect(host.converge).toContain('Restart the panel')
    expect(plan.downtime).toContain('the panel')
    expect(Object.keys(plan.files)).toContain('playbooks/tasks/panel-works.yml')

    // The key that the operator logs in with is nobody else's.
    const own = join(folder, 'desk', 'id')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('bob')])
    const line = (file: string) => `bob ${readFileSync(file, 'utf8').trim()}`
    const ownLine = `alice ${execFileSync('ssh-keygen', ['-y', '-f', own], { encoding: 'utf8' }).trim()}`
    writeFileSync(at('signers'), `${line(at('bob.pub'))}\n${ownLine}\n`)
    const apply = ['apply', at('plan.json'), '--allowed-signers', at('signers')]
    approve(own)
    const alone = await site.desk.rota(apply)
    expect([alone.code, alone.output]).toEqual([8, expect.stringContaining('is the executor’s own')])
    expect(site.panel.env()).toEqual(before)

    approve(at('bob'))
    const done = await site.desk.rota(apply)
    expect(done.code, done.output).toBe(0)
    const after = site.panel.env()
    for (const name of secretNames) expect(after[name]).not.toBe(before[name])
    expect(await askDatabase(after['DATABASE_URL']!)).toBe('accepted')
  })
})
