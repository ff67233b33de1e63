// The panel that the scenes are played on has to be real, or they prove nothing.
import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askDatabase, login, pages, queryDatabase, visit } from '../../demo/outside.ts'
import { type Panel, startPanel } from '../../demo/panel-host.ts'

let root: string
let panel: Panel
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rota-panel-'))
  chmodSync(root, 0o711)
  panel = await startPanel(root)
})
afterAll(async () => {
  await panel?.stop()
  rmSync(root, { recursive: true, force: true })
})

const statuses = (token: string | undefined) => Promise.all(pages.map(page => visit(panel.url, page, token)))

it('lets in the holder of a token and nobody else', async () => {
  const { status, accessToken } = await login(panel.url, panel.env())
  expect(status).toBe(200)
  expect(await statuses(accessToken)).toEqual([200, 200, 200, 200])
  expect(await statuses(undefined)).toEqual([401, 401, 401, 401])
  expect(await statuses(`${accessToken?.slice(0, -4)}AAAA`)).toEqual([401, 401, 401, 401])
  expect((await login(panel.url, { ...panel.env(), ADMIN_PASSWORD: 'wrong' })).status).toBe(401)
})

it('refuses tokens of another key after a restart, and of a session that was revoked', async () => {
  const { accessToken: old } = await login(panel.url, panel.env())
  panel.setEnv({ JWT_SECRET: 'another-key-another-key' })
  panel.restart()
  expect(await statuses(old)).toEqual([401, 401, 401, 401])
  const { accessToken } = await login(panel.url, panel.env())
  expect(await visit(panel.url, '/rbac', accessToken)).toBe(200)
  await queryDatabase(panel.env()['DATABASE_URL']!, 'DELETE FROM "AuthSession"')
  expect(await visit(panel.url, '/rbac', accessToken)).toBe(401)
})

it('is unhealthy as soon as the database refuses its password, though its pool still works', async () => {
  const { DATABASE_URL: url = '', POSTGRES_PASSWORD: password } = panel.env()
  await queryDatabase(url, "ALTER ROLE proxpanel PASSWORD 'changed'")
  expect(await askDatabase(url)).toBe('refused')
  expect(await visit(panel.url, '/api/health', undefined)).toBe(503)
  await queryDatabase(url.replace(password!, 'changed'), `ALTER ROLE proxpanel PASSWORD '${password}'`)
  expect(await visit(panel.url, '/api/health', undefined)).toBe(200)
})

it('breaks on purpose when it runs with another key than it was pinned to', async () => {
  const { JWT_SECRET: key = '' } = panel.env()
  const pin = createHash('sha256').update(key).digest('hex').slice(0, 16)
  panel.setEnv({ PANEL_FAULT_UNLESS_JWT: pin })
  panel.restart()
  expect(await visit(panel.url, '/api/health', undefined)).toBe(200)
  panel.setEnv({ JWT_SECRET: 'yet-another-key-entirely' })
  panel.restart()
  expect(await visit(panel.url, '/api/health', undefined)).toBe(500)
  panel.setEnv({ JWT_SECRET: key })
  panel.restart()
  expect(await visit(panel.url, '/api/health', undefined)).toBe(200)
})
