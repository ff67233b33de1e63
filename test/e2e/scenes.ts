// The scenes of a rotation, judged from outside: by logins, by HTTP, by files; never by what rota says of itself.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askDatabase, login, pages, queryDatabase, visit } from '../../demo/outside.ts'
import type { Env, Stage } from './stage.ts'

const playbook = 'playbooks/rotate-production-secrets.yml'
const secretNames = ['JWT_SECRET', 'JWT_REFRESH_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD'] as const

/** Every file below a folder. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

/** The forms in which a value may lie in a file. */
function formsOf(value: string): Buffer[] {
  const bytes = Buffer.from(value)
  return [
    value,
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
    encodeURIComponent(value),
  ].map(form => Buffer.from(form))
}

/** Names of the secrets that a file of the operator's holds, in any form. */
function leaksIn(folder: string, envs: readonly Env[]): string[] {
  return filesBelow(folder).flatMap(file => {
    const bytes = readFileSync(file)
    return envs.flatMap(env =>
      secretNames
        .filter(name => formsOf(env[name]!).some(form => bytes.includes(form)))
        .map(name => `${file}: ${name}`),
    )
  })
}

const processPlay = `- hosts: panel
  become: true
  gather_facts: false
  tasks:
    - verify_http: { url: http://127.0.0.1:3000/api/health }
    - env_read: { path: /opt/proxpanel/.env.production, names: [JWT_SECRET] }
      register: file
    - process_env:
        name: JWT_SECRET
        expected: "{{ file.env.JWT_SECRET }}"
        service: panel
        project_src: /opt/proxpanel
        files: [infra/deploy/docker-compose.production.yml]
        env_file: .env.production
`

const isDump = (file: string): boolean => file.endsWith('.dump.age')

/** `hasPgRestore`: the database's container has PostgreSQL's own programs; else a dump is a SQL script. */
export function playScenes(open: () => Promise<Stage>, hasPgRestore: boolean): void {
  let stage: Stage
  let envs: Env[]
  beforeAll(async () => {
    stage = await open()
    envs = [await stage.env()]
  }, 600_000)
  afterAll(async () => {
    await stage?.close()
  }, 60_000)

  const rotate = (...more: string[]) =>
    stage.desk.rota(['run', playbook, '-i', stage.desk.inventory, ...more])
  const runs = (): string[] => (existsSync(stage.desk.runs) ? readdirSync(stage.desk.runs).sort() : [])
  const lastRun = (): string => runs().at(-1)!
  const statuses = (token: string | undefined) =>
    Promise.all(pages.map(page => visit(stage.panelUrl, page, token)))
  const ask = async (env: Env) => askDatabase(await stage.databaseUrl(env['POSTGRES_PASSWORD']!))

  /** Everything works with these values, and the env file holds them. */
  async function expectInForce(env: Env): Promise<void> {
    expect(await stage.env()).toEqual(env)
    expect(await ask(env)).toBe('accepted')
    const { status, accessToken } = await login(stage.panelUrl, env)
    expect(status).toBe(200)
    expect(await statuses(accessToken)).toEqual([200, 200, 200, 200])
  }
  /** Nothing works any more with these values. */
  async function expectDead(env: Env, token: string | undefined): Promise<void> {
    expect(await ask(env)).toBe('refused')
    expect((await login(stage.panelUrl, env)).status).toBe(401)
    expect(await statuses(token)).toEqual([401, 401, 401, 401])
  }
  const differing = (a: Env, b: Env): string[] =>
    Object.keys({ ...a, ...b }).filter(name => a[name] !== b[name])

  it('says with --check what it would do, and touches nothing', async () => {
    const [before] = envs
    const done = await rotate('--check')
    expect(done.code, done.output).toBe(0)
    await expectInForce(before!)
    expect(await stage.run(`ls -a ${stage.root}/opt`)).not.toContain('backups')
  }, 120_000)

  it('rotates everything in one go', async () => {
    const before = await stage.env()
    const { accessToken } = await login(stage.panelUrl, before)
    const done = await rotate()
    expect(done.code, done.output).toBe(0)
    const after = await stage.env()
    envs.push(after)
    expect(differing(before, after).sort()).toEqual([...secretNames, 'DATABASE_URL'].sort())
    const sessions = await queryDatabase(
      await stage.databaseUrl(after['POSTGRES_PASSWORD']!),
      'SELECT count(*)::int AS n FROM "AuthSession"',
    )
    expect(sessions).toEqual([{ n: 0 }])
    await expectDead(before, accessToken)
    await expectInForce(after)
  }, 240_000)

  it('leaves backups of before on the host and, sealed, with the operator', async () => {
    const [before] = envs
    const folder = (await stage.run(`ls -d ${stage.root}/opt/proxpanel-backups/*-secret-rotation`)).trim()
    expect(folder).toMatch(/\/\d{8}T\d{6}Z-secret-rotation$/)
    expect(await stage.run(`stat -c %a ${folder} ${folder}/env.production ${folder}/app.tar.gz`)).toBe(
      '700\n600\n600\n',
    )
    const saved = await stage.run(`cat ${folder}/env.production`)
    for (const name of secretNames) expect(saved).toContain(`${name}=${before![name]}\n`)
    const members = await stage.run(`tar -tzf ${folder}/app.tar.gz`)
    expect(members).toMatch(/server\.mjs$/m)
    expect(members).not.toContain('node_modules')
    const kept = filesBelow(join(stage.desk.runs, lastRun(), 'backups')).map(file => [
      file.split('/').at(-1),
      (statSync(file).mode & 0o777).toString(8),
    ])
    expect(kept.length).toBeGreaterThanOrEqual(3)
    for (const [name, mode] of kept) expect([name, mode]).toEqual([expect.stringMatching(/\.age$/), '600'])
  })

  it('has sealed copies that age opens, and a dump that restores into an empty database', async () => {
    const [before] = envs
    const copies = filesBelow(join(stage.desk.runs, lastRun(), 'backups'))
    const open = (part: string): Buffer => {
      const file = copies.find(each => each.includes(part))!
      return execFileSync('age', ['-d', '-i', stage.desk.identity, file], { maxBuffer: 1 << 28 })
    }
    expect(open('env.production').toString()).toContain(`JWT_SECRET=${before!['JWT_SECRET']}\n`)
    const dump = open(hasPgRestore ? '.dump.' : '.sql.')
    if (!hasPgRestore) return void expect(dump.toString()).toMatch(/CREATE TABLE .*"AuthSession"/)
    const inDatabase = 'docker exec -i proxpanel-db-1'
    await stage.run(`${inDatabase} createdb -U proxpanel empty`)
    await stage.run(`${inDatabase} pg_restore -U proxpanel -d empty --exit-on-error`, dump)
    const admins = await stage.run(
      `${inDatabase} psql -U proxpanel -d empty -Atc 'SELECT "email" FROM "User"'`,
    )
    expect(admins).toBe(`${before!['ADMIN_EMAIL']}\n`)
    await stage.run(`${inDatabase} dropdb -U proxpanel empty`)
    const onHost = await stage.run(`sha256sum <${stage.root}/opt/proxpanel-backups/*/database.dump.age`)
    const here = createHash('sha256').update(readFileSync(copies.find(isDump)!))
    expect(onHost.split(' ')[0]).toBe(here.digest('hex'))
  })

  it('keeps evidence of what was saved, by digest, that rota itself verifies', async () => {
    const events = readFileSync(join(stage.desk.runs, lastRun(), 'evidence', 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    const saved = events.filter(event => event['type'] === 'backup')
    const copies = filesBelow(join(stage.desk.runs, lastRun(), 'backups'))
    const digests = copies.map(file => createHash('sha256').update(readFileSync(file)).digest('hex'))
    expect(saved.map(event => event['sha256']).sort()).toEqual(digests.sort())
    const done = await stage.desk.rota(['evidence', lastRun()])
    expect(done.code, done.output).toBe(0)
  })

  it('writes the new admin login down for root alone', async () => {
    const after = envs.at(-1)!
    const file = (await stage.run(`ls ${stage.root}/root/proxpanel-secret-rotation-*.txt`)).trim()
    expect(await stage.run(`stat -c %a ${file}`)).toBe('600\n')
    const summary = await stage.run(`cat ${file}`)
    expect(summary).toContain(after['ADMIN_EMAIL'])
    expect(summary).toContain(after['ADMIN_PASSWORD'])
  })

  it('undoes everything when the panel does not work with the new secrets, and says so with exit code 10', async () => {
    const pin = createHash('sha256')
      .update((await stage.env())['JWT_SECRET']!)
      .digest('hex')
      .slice(0, 16)
    await stage.setEnv({ PANEL_FAULT_UNLESS_JWT: pin })
    const before = await stage.env()
    const { accessToken } = await login(stage.panelUrl, before)
    const done = await rotate('-e', 'panel_tries=2')
    expect(done.code, done.output).toBe(10)
    await expectInForce(before)
    expect(await statuses(accessToken)).toEqual([200, 200, 200, 200])
    expect(readFileSync(join(stage.desk.runs, lastRun(), 'evidence', 'events.jsonl'), 'utf8')).toContain(
      '"state":"rolled_back"',
    )
    await stage.setEnv({ PANEL_FAULT_UNLESS_JWT: '' })
  }, 240_000)

  it('refuses before anything is touched when the panel is not healthy to begin with', async () => {
    await stage.setEnv({ PANEL_FAULT_UNLESS_JWT: 'never' })
    const before = await stage.env()
    const done = await rotate('-e', 'panel_tries=1')
    expect(done.code, done.output).toBe(3)
    await stage.setEnv({ PANEL_FAULT_UNLESS_JWT: '' })
    await expectInForce({ ...before, PANEL_FAULT_UNLESS_JWT: '' })
  }, 120_000)

  /** Starts a rotation and kills rota without warning as soon as the database takes the new password only. */
  async function killAfterFirstChange(before: Env): Promise<string> {
    const url = await stage.databaseUrl(before['POSTGRES_PASSWORD']!)
    const rota = stage.desk.start(['run', playbook, '-i', stage.desk.inventory])
    let output = ''
    for (const stream of [rota.stdout!, rota.stderr!])
      stream.on('data', chunk => {
        output += chunk
      })
    const ended = once(rota, 'close')
    while (rota.exitCode === null && (await askDatabase(url).catch(() => 'gone')) === 'accepted');
    expect(rota.exitCode, output).toBe(null)
    rota.kill('SIGKILL')
    await ended
    return lastRun()
  }

  it('is all new after kill -9 between two changes and `rota resume`', async () => {
    const before = await stage.env()
    const { accessToken } = await login(stage.panelUrl, before)
    const run = await killAfterFirstChange(before)
    const done = await stage.desk.rota(['resume', run])
    expect(done.code, done.output).toBe(0)
    const after = await stage.env()
    envs.push(after)
    expect(differing(before, after).sort()).toEqual([...secretNames, 'DATABASE_URL'].sort())
    await expectDead(before, accessToken)
    await expectInForce(after)
  }, 240_000)

  it('is all old after kill -9 between two changes and `rota rollback`', async () => {
    const before = await stage.env()
    const { accessToken } = await login(stage.panelUrl, before)
    const run = await killAfterFirstChange(before)
    const done = await stage.desk.rota(['rollback', run])
    expect(done.code, done.output).toBe(10)
    await expectInForce(before)
    expect(await statuses(accessToken)).toEqual([200, 200, 200, 200])
  }, 240_000)

  it('goes back to what a finished rotation saved, by playbooks/rollback.yml', async () => {
    const [first, second] = envs
    const folder = (
      await stage.run(`ls -d ${stage.root}/opt/proxpanel-backups/*-secret-rotation | head -1`)
    ).trim()
    const backup = folder.match(/(\d{8}T\d{6}Z)-/)![1]!
    const current = await stage.env()
    const back = ['run', 'playbooks/rollback.yml', '-i', stage.desk.inventory, '-e', `backup=${backup}`]
    const done = await stage.desk.rota(back)
    expect(done.code, done.output).toBe(0)
    const after = await stage.env()
    for (const name of secretNames) expect(after[name]).toBe(first![name])
    await expectInForce(after)
    expect(await ask(current)).toBe('refused')
    expect(await ask(second!)).toBe('refused')
  }, 240_000)

  if (hasPgRestore)
    it('restores the database dump only for somebody who accepts the loss', async () => {
      const env = await stage.env()
      const url = await stage.databaseUrl(env['POSTGRES_PASSWORD']!)
      const users = async () => (await queryDatabase(url, 'SELECT count(*)::int AS n FROM "User"'))[0]?.['n']
      await queryDatabase(
        url,
        `INSERT INTO "User" ("email", "passwordHash") VALUES ('late@example.com', 'x')`,
      )
      const run = runs().find(each => filesBelow(join(stage.desk.runs, each)).some(isDump))!
      const dump = filesBelow(join(stage.desk.runs, run)).find(isDump)!
      const folder = (
        await stage.run(`ls -d ${stage.root}/opt/proxpanel-backups/*-secret-rotation | head -1`)
      ).trim()
      const backup = folder.match(/(\d{8}T\d{6}Z)-/)![1]!
      const back = ['run', 'playbooks/rollback.yml', '-i', stage.desk.inventory, '-e', `backup=${backup}`]
      back.push('-e', 'restore_database=true', '-e', `dump=${dump}`)
      const refused = await stage.desk.rota(back)
      expect(refused.code, refused.output).toBe(2)
      expect(await users()).toBe(2)
      const done = await stage.desk.rota([...back, '-e', 'accept_data_loss=yes'])
      expect(done.code, done.output).toBe(0)
      expect((await queryDatabase(url, 'SELECT "email" FROM "User"')).map(row => row['email'])).toEqual([
        env['ADMIN_EMAIL'],
      ])
      await expectInForce(await stage.env())
    }, 240_000)

  if (hasPgRestore) {
    it('finds a copy of a secret in a cron table of the host before anything is changed', async () => {
      const before = await stage.env()
      const header = Buffer.from(`reports:${before['POSTGRES_PASSWORD']}`).toString('base64')
      await stage.run('cat >/etc/cron.d/reports', `# nightly\n0 3 * * * root reports --auth ${header}\n`)
      const done = await rotate()
      expect(done.code, done.output).toBe(3)
      expect(done.output).toContain('/etc/cron.d/reports:2 holds POSTGRES_PASSWORD (base64)')
      expect(done.output).not.toContain(header)
      await stage.run('rm /etc/cron.d/reports')
      await expectInForce(before)
    }, 120_000)

    it('is not content with a healthy container that still runs with the old environment', async () => {
      const file = '/opt/proxpanel/.env.production'
      const kept = await stage.run(`cat ${file}`)
      await stage.run(`cat >${file}`, kept.replace(/^JWT_SECRET=.*$/m, `JWT_SECRET=${'n'.repeat(64)}`))
      const play = join(stage.desk.runs, '..', 'process.yml')
      writeFileSync(play, processPlay)
      const done = await stage.desk.rota(['run', play, '-i', stage.desk.inventory])
      await stage.run(`cat >${file}`, kept)
      expect(done.code, done.output).toBe(2)
      expect(done.output).toMatch(
        /HTTP 200, 3 times in a row[\s\S]*holds another value of JWT_SECRET than expected/,
      )
      const same = await stage.desk.rota(['run', play, '-i', stage.desk.inventory])
      expect(same.code, same.output).toBe(0)
    }, 120_000)
  }

  it('is told by rota status when the places that hold a secret do not agree', async () => {
    const status = () =>
      stage.desk.rota(['status', '--policy', 'playbooks/rota.yml', '-i', stage.desk.inventory])
    const start = performance.now()
    const good = await status()
    console.log(`rota status took ${Math.round(performance.now() - start)} ms for one host`)
    expect(good.code, good.output).toBe(0)
    const file = `${stage.root}/opt/proxpanel/.env.production`
    const kept = await stage.run(`cat ${file}`)
    const edited = kept
      .replace(/^POSTGRES_PASSWORD=.*$/m, `POSTGRES_PASSWORD=${'p'.repeat(48)}`)
      .replace(/^JWT_SECRET=.*$/m, `JWT_SECRET=${'j'.repeat(64)}`)
    await stage.run(`cat >${file}`, edited)
    const drift = await status()
    await stage.run(`cat >${file}`, kept)
    expect(drift.code, drift.output).toBe(13)
    expect(
      [...drift.output.matchAll(/^my\.votcloud\.com (\w+): DRIFT, ([\w ]+)/gm)].map(m => m.slice(1)),
    ).toEqual([
      ['JWT_SECRET', 'the running panel'],
      ['POSTGRES_PASSWORD', 'the database'],
      ['POSTGRES_PASSWORD', 'the URL beside it'],
    ])
  }, 120_000)

  it('leaves no secret in any file of its own', async () => {
    envs.push(await stage.env())
    expect(runs().length).toBeGreaterThan(4)
    expect(leaksIn(join(stage.desk.runs, '..'), envs)).toEqual([])
    // The net has no hole: the same search finds them where they belong.
    const saved = await stage.run(`cat ${stage.root}/opt/proxpanel/.env.production`)
    expect(formsOf(envs.at(-1)!['JWT_SECRET']!).some(form => saved.includes(form.toString()))).toBe(true)
  })
}
