// Several hosts are one transaction: the first wave is verified before the next begins, and one red host brings all back.
import { createHash } from 'node:crypto'
import { afterAll, expect, it } from 'vitest'
import { askDatabase, login, pages, visit } from '../../demo/outside.ts'
import type { Site } from '../../demo/site.ts'
import { openPair } from './pair.ts'

const { sites, run, close } = await openPair()
afterAll(close)

const rotate = () => run('rotate-production-secrets.yml')
async function expectWorks({ panel }: Site, env: Readonly<Record<string, string>>): Promise<void> {
  expect(panel.env()).toEqual(env)
  expect(await askDatabase(env['DATABASE_URL']!)).toBe('accepted')
  const { status, accessToken } = await login(panel.url, env)
  expect(status).toBe(200)
  for (const page of pages) expect(await visit(panel.url, page, accessToken)).toBe(200)
}

it('undoes the first host when the second one breaks', async () => {
  const { panel } = sites[1]
  const key = panel.env()['JWT_SECRET']!
  panel.setEnv({ PANEL_FAULT_UNLESS_JWT: createHash('sha256').update(key).digest('hex').slice(0, 16) })
  panel.restart()
  const before = sites.map(site => site.panel.env())
  const done = await rotate()
  expect(done.code, done.output).toBe(10)
  for (const [i, site] of sites.entries()) await expectWorks(site, before[i]!)
  panel.setEnv({ PANEL_FAULT_UNLESS_JWT: '' })
  panel.restart()
}, 120_000)

it('gives each host secrets of its own', async () => {
  const before = sites.map(site => site.panel.env())
  const done = await rotate()
  expect(done.code, done.output).toBe(0)
  const after = sites.map(site => site.panel.env())
  for (const [i, site] of sites.entries()) await expectWorks(site, after[i]!)
  for (const name of ['JWT_SECRET', 'JWT_REFRESH_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD'])
    expect(new Set([...before, ...after].map(env => env[name])).size).toBe(4)
}, 120_000)
