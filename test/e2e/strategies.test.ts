// Strategies without a window: while rota works, somebody asks all the time, and is never refused.
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseEnv } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { askDatabase, login, queryDatabase, visit } from '../../demo/outside.ts'
import { openDesk, type Site } from '../../demo/site.ts'
import { openPair } from './pair.ts'

const { folder, sites, desk, run, close } = await openPair()
afterAll(close)

/** Asks over and over while something is done. Resolves with what was done, and with the answers that were not as wanted. */
async function meanwhile<T>(work: Promise<T>, ask: () => Promise<string | undefined>) {
  let isOver = false
  const done = work.finally(() => {
    isOver = true
  })
  const bad: string[] = []
  let asked = 0
  while (!isOver) {
    const found = await ask()
    asked++
    if (found !== undefined) bad.push(found)
    await sleep(50)
  }
  return { done: await done, bad, asked }
}

/** A setting of the panel that runs now; undefined while it restarts. */
function settingOf({ panel }: Site, name: string): string | undefined {
  try {
    const pid = readFileSync(join(panel.folder, 'panel.pid'), 'utf8').trim()
    return parseEnv(readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', '\n'))[name]
  } catch {
    return undefined
  }
}
/** What it signs with. */
const signingKey = (site: Site): string | undefined => settingOf(site, 'JWT_SECRET')
const encode = (data: object): string => Buffer.from(JSON.stringify(data)).toString('base64url')
function sign(claims: object, key: string): string {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}

it.skipIf(process.platform !== 'linux')(
  'a shared key: every host accepts what any other one signs, at every moment',
  async () => {
    const [one, two] = sites
    const shared = one.panel.env()['JWT_SECRET']!
    two.panel.setEnv({ JWT_SECRET: shared })
    two.panel.restart()
    const sessions = await Promise.all(sites.map(({ panel }) => login(panel.url, panel.env())))
    const claims = sessions.map(({ accessToken }) =>
      JSON.parse(Buffer.from(accessToken!.split('.')[1]!, 'base64url').toString()),
    )
    /** What `from` signs now is shown to the other host, with a session that it knows. A host that restarts answers nobody. */
    const cross = async (from: number): Promise<string | undefined> => {
      const to = 1 - from
      const key = signingKey(sites[from]!)
      if (key === undefined) return undefined
      const status = await visit(sites[to]!.panel.url, '/profile', sign(claims[to], key)).catch(() => 0)
      // What it was signed with may have been replaced while it was on its way.
      return status === 401 && signingKey(sites[from]!) === key
        ? `${to} refuses what ${from} signs`
        : undefined
    }
    const both = async () => (await cross(0)) ?? (await cross(1))
    const checked = await run('rotate-signing-key.yml', '--check')
    expect(checked.code, checked.output).toBe(0)
    expect(sites.map(({ panel }) => panel.env()['JWT_SECRET'])).toEqual([shared, shared])
    const { done, bad, asked } = await meanwhile(run('rotate-signing-key.yml'), both)
    expect(done.code, done.output).toBe(0)
    expect([bad, asked > 30]).toEqual([[], true])
    const [a, b] = sites.map(({ panel }) => panel.env())
    expect(a!['JWT_SECRET']).toBe(b!['JWT_SECRET'])
    expect(a!['JWT_SECRET']).not.toBe(shared)
    expect([a!['JWT_SECRET_PREVIOUS'], b!['JWT_SECRET_PREVIOUS']]).toEqual([shared, shared])

    const retired = await meanwhile(desk.rota(['finalise', 'latest']), both)
    expect(retired.done.code, retired.done.output).toBe(0)
    expect(retired.bad).toEqual([])
    for (const [i, { panel }] of sites.entries()) {
      expect(panel.env()['JWT_SECRET_PREVIOUS']).toBeUndefined()
      expect(await visit(panel.url, '/profile', sign(claims[i], shared))).toBe(401)
    }
  },
  240_000,
)

it.skipIf(process.platform !== 'linux')(
  'a shared key: a host that joins while it is handed out gets both',
  async () => {
    const [one, two] = sites
    const shared = one.panel.env()['JWT_SECRET']!
    const both = readFileSync(desk.inventory, 'utf8')
    const alone = openDesk(join(folder, 'alone'), { 'one.example': one.variables }).inventory
    writeFileSync(desk.inventory, readFileSync(alone, 'utf8'))
    const grown = join(folder, 'grown')
    writeFileSync(grown, both)
    const joins = async (): Promise<undefined> => {
      // In one go: a file that is half written is another inventory.
      if (one.panel.env()['JWT_SECRET_PREVIOUS'] !== undefined && existsSync(grown))
        renameSync(grown, desk.inventory)
      return undefined
    }
    const { done } = await meanwhile(run('rotate-signing-key.yml'), joins)
    expect(done.code, done.output).toBe(0)
    expect(done.output).toContain('two.example joined since the run began')
    for (const { panel } of [one!, two!])
      expect([panel.env()['JWT_SECRET'], panel.env()['JWT_SECRET_PREVIOUS']]).toEqual([
        one.panel.env()['JWT_SECRET'],
        shared,
      ])
    expect(one.panel.env()['JWT_SECRET']).not.toBe(shared)
  },
  240_000,
)

it.skipIf(process.platform !== 'linux')(
  'a shared key: the host that breaks takes all of them back, and nobody is refused on the way',
  async () => {
    const before = sites.map(({ panel }) => panel.env())
    // Only with the old key does the second host work: it is red when it is promoted, after the first one was.
    const pin = createHash('sha256').update(before[1]!['JWT_SECRET']!).digest('hex').slice(0, 16)
    sites[1].panel.setEnv({ PANEL_FAULT_UNLESS_JWT: pin })
    sites[1].panel.restart()
    const session = await login(sites[0].panel.url, before[0]!)
    const { done, bad } = await meanwhile(run('rotate-signing-key.yml'), async () => {
      const status = await visit(sites[0].panel.url, '/profile', session.accessToken).catch(() => 0)
      return status === 401 ? 'logged out' : undefined
    })
    expect(done.code, done.output).toBe(10)
    expect(bad).toEqual([])
    sites[1].panel.setEnv({ PANEL_FAULT_UNLESS_JWT: '' })
    sites[1].panel.restart()
    for (const [i, { panel }] of sites.entries())
      expect(panel.env()['JWT_SECRET']).toBe(before[i]!['JWT_SECRET'])
  },
  240_000,
)

it('two users take turns: no connection is refused while the password is rotated', async () => {
  const admins = sites.map(({ panel }) => panel.env()['DATABASE_URL']!)
  for (const [i, { panel }] of sites.entries()) {
    const admin = admins[i]!
    for (const sql of [
      `CREATE ROLE panel_a LOGIN PASSWORD 'first-password-of-a' IN ROLE proxpanel`,
      'CREATE ROLE panel_b NOLOGIN IN ROLE proxpanel',
    ])
      await queryDatabase(admin, sql)
    const url = new URL(admin)
    url.username = 'panel_a'
    url.password = 'first-password-of-a'
    panel.setEnv({ DATABASE_URL: `"${url.href}"` })
    panel.restart()
  }
  const before = sites.map(({ panel }) => panel.env()['DATABASE_URL']!)
  const answers = async (): Promise<string | undefined> => {
    for (const { panel } of sites) {
      const answer = await askDatabase(panel.env()['DATABASE_URL']!)
      if (answer !== 'accepted') return answer
    }
    return undefined
  }
  const checked = await run('rotate-database-user.yml', '--check')
  expect(checked.code, checked.output).toBe(0)
  const { done, bad, asked } = await meanwhile(run('rotate-database-user.yml'), answers)
  expect(done.code, done.output).toBe(0)
  expect([bad, asked > 20]).toEqual([[], true])
  for (const [i, { panel }] of sites.entries()) {
    expect(panel.env()['DATABASE_URL']).toContain('//panel_b:')
    expect(await askDatabase(before[i]!)).toBe('accepted')
    expect((await login(panel.url, panel.env())).status).toBe(200)
  }
  const retired = await desk.rota(['finalise', 'latest'])
  expect(retired.code, retired.output).toBe(0)
  for (const url of before) await expect(askDatabase(url)).rejects.toMatchObject({ code: '28000' })

  // Killed when the first panel runs as the other user already, then taken back: what runs is refused at no moment, and the other
  // user is idle again.
  const envs = sites.map(({ panel }) => panel.env())
  const [site] = sites
  const runs = (): string => settingOf(site!, 'DATABASE_URL') ?? site.panel.env()['DATABASE_URL']!
  const rota = desk.start(['run', 'playbooks/rotate-database-user.yml', '-i', desk.inventory])
  const ended = once(rota, 'close')
  while (rota.exitCode === null && !runs().includes('//panel_a:')) await sleep(5)
  rota.kill('SIGKILL')
  await ended
  const back = await meanwhile(desk.rota(['rollback', 'latest']), async () => {
    const url = runs()
    const answer = await askDatabase(url).catch((error: { code?: string }) => error.code ?? 'no answer')
    // It may have been stopped on the way.
    return answer === 'accepted' || runs() !== url ? undefined : answer
  })
  expect(back.done.code, back.done.output).toBe(10)
  expect(back.bad).toEqual([])
  const sql = `SELECT rolcanlogin AS can FROM pg_roles WHERE rolname = 'panel_a'`
  const [idle] = await queryDatabase(admins[0]!, sql)
  expect([sites.map(({ panel }) => panel.env()), idle]).toEqual([envs, { can: false }])

  // And back again: the next time it is the other one's turn.
  const again = await run('rotate-database-user.yml')
  expect(again.code, again.output).toBe(0)
  for (const { panel } of sites) {
    expect(panel.env()['DATABASE_URL']).toContain('//panel_a:')
    expect(await askDatabase(panel.env()['DATABASE_URL']!)).toBe('accepted')
  }
}, 300_000)
