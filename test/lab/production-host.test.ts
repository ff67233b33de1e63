// The host that the big scenes are played on has to be what it says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askDatabase, login, pages, visit } from '../../demo/outside.ts'
import { whyNoLab } from './labhosts.ts'
import { type ProductionHost, startProductionHost } from './production-host.ts'

const why = whyNoLab()
if (why) console.log(`skipped, production host: ${why}`)

describe.skipIf(why)('the production host', () => {
  let host: ProductionHost
  beforeAll(async () => {
    host = await startProductionHost()
  }, 600_000)
  afterAll(() => host?.close())

  it('runs the panel in containers, behind a login', async () => {
    const env = await host.env()
    const { status, accessToken } = await login(host.panelUrl, env)
    expect(status).toBe(200)
    for (const page of pages) expect(await visit(host.panelUrl, page, accessToken)).toBe(200)
    expect(await visit(host.panelUrl, '/rbac', undefined)).toBe(401)
  })

  it('has a database that trusts its own socket and nobody from outside', async () => {
    const { POSTGRES_PASSWORD: password = '' } = await host.env()
    expect(await askDatabase(await host.databaseUrl(password))).toBe('accepted')
    expect(await askDatabase(await host.databaseUrl('wrong'))).toBe('refused')
    expect(await host.run(`docker exec proxpanel-db-1 psql -Atq -U proxpanel -c 'SELECT 1'`)).toBe('1\n')
  })

  it('shows the processes of its containers in its own /proc', async () => {
    const pid = (await host.run(`docker inspect -f '{{.State.Pid}}' proxpanel-panel-1`)).trim()
    expect(await host.run(`tr '\\0' ' ' </proc/${pid}/cmdline`)).toBe('node server.mjs ')
  })
})
