// Proofs that cannot pass falsely: each case first shows that a check which only looks would have been content.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { postgresqlQuery } from '../../src/modules/postgresql-query.ts'
import { uri } from '../../src/modules/uri.ts'
import { verify_http } from '../../src/modules/verify-http.ts'
import { verify_postgresql } from '../../src/modules/verify-postgresql.ts'
import { type Database, startPostgres } from './postgres.ts'
import { makeTarget, runAction } from './target.ts'

const t = makeTarget()
const servers: { close(): unknown }[] = []
afterAll(() => {
  for (const server of servers) server.close()
})
async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

describe('verify_http', () => {
  let statuses: readonly number[] = []
  let asked = 0
  let base: string
  beforeAll(async () => {
    const server = createHttp((_, response) => {
      const status = statuses[Math.min(asked++, statuses.length - 1)]!
      if (status === 0) return void response.destroy()
      response.writeHead(status).end()
    })
    base = `http://127.0.0.1:${await listen(server)}/`
  })
  const verify = (codes: readonly number[], more: Record<string, unknown> = {}) => {
    statuses = codes
    asked = 0
    return runAction(t, verify_http, { url: base, delay: 0, interval: 0, retries: 4, ...more })
  }
  const every = (...codes: number[]): number[] =>
    Array.from({ length: 30 }, (_, i) => codes[i % codes.length]!)

  it('wants several successes in a row', async () => {
    expect(await verify([200])).toMatchObject({ changed: false, values: { looks: 3, verdict: 'steady' } })
    expect(await verify([503, 0, 200])).toMatchObject({ values: { looks: 5, verdict: 'steady' } })
  })
  it('calls flaky what one look would have passed', async () => {
    asked = 0
    statuses = every(200, 503)
    expect((await runAction(t, uri, { url: base })).failed).toBeUndefined()
    asked = 0
    const found = await verify(every(200, 503))
    expect(found).toMatchObject({ failed: true, flaky: true, values: { verdict: 'flapping' } })
    expect(found.msg).toContain('HTTP 503')
  })
  it('calls down what is never good, and that is not flaky', async () => {
    const found = await verify([500])
    expect(found).toMatchObject({ failed: true, values: { looks: 5, verdict: 'down' } })
    expect(found.flaky).toBeUndefined()
    expect((await verify([0])).msg).toContain('no answer')
  })
  it('takes 401 and 403 for an answer: at once, and after any number of successes', async () => {
    for (const code of [401, 403]) {
      const found = await verify([code])
      expect(found).toMatchObject({ failed: true, values: { looks: 1, verdict: 'refused' } })
      expect(found.flaky).toBeUndefined()
    }
    expect(await verify(every(200, 401))).toMatchObject({ values: { verdict: 'refused', looks: 2 } })
  })
  it('proves a refusal: a server that is down refuses nobody, one that lets in fails at once', async () => {
    const refused = { status_code: ['401'], successes: 1 }
    expect(await verify([503, 401], refused)).toMatchObject({ values: { looks: 2, verdict: 'steady' } })
    expect(await verify([503], refused)).toMatchObject({ failed: true, values: { verdict: 'down' } })
    expect(await verify([200], refused)).toMatchObject({
      failed: true,
      values: { looks: 1, verdict: 'refused' },
    })
  })
  it('refuses options that prove nothing', async () => {
    await expect(verify([200], { successes: 0 })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })
})

describe('verify_postgresql', () => {
  let database: Database
  let hba: string
  let strict: string
  beforeAll(async () => {
    database = await startPostgres()
    await database.query(`CREATE ROLE panel LOGIN PASSWORD 'right-password'`)
    await database.query('CREATE DATABASE panel')
    hba = join(database.socket, 'data', 'pg_hba.conf')
    strict = readFileSync(hba, 'utf8')
  }, 60_000)
  afterAll(() => database?.stop())
  const admin = () => ({
    via: 'forward',
    login_user: 'postgres',
    login_db: 'postgres',
    login_unix_socket: database.socket,
    login_port: database.port,
  })
  const secret = (text: string) => new Secret(text, 'password')
  const verify = (password: string, more: Record<string, unknown> = {}) =>
    runAction(t, verify_postgresql, {
      ...admin(),
      name: 'panel',
      password: secret(password),
      address_db: 'panel',
      address: '127.0.0.1',
      address_port: database.port,
      successes: 2,
      retries: 2,
      delay: 0,
      interval: 0,
      ...more,
    })
  async function trustAll(): Promise<void> {
    writeFileSync(hba, 'local all all trust\nhost all all 127.0.0.1/32 trust\n')
    await database.query('SELECT pg_reload_conf()')
    await expect.poll(() => database.accepts('panel', 'anything')).toBe(true)
  }
  async function trustNobody(): Promise<void> {
    writeFileSync(hba, strict)
    await database.query('SELECT pg_reload_conf()')
    await expect.poll(() => database.accepts('panel', 'anything')).toBe(false)
  }

  it('takes the right password, refuses a wrong one at once', async () => {
    expect(await verify('right-password')).toMatchObject({
      changed: false,
      values: { by: 'login', looks: 2 },
    })
    const found = await verify('wrong-password')
    expect(found).toMatchObject({ failed: true, values: { verdict: 'refused', looks: 1 } })
    expect(found.msg).toContain('28P01')
  })
  it('sees that the other password is refused, or that it is not', async () => {
    expect(await verify('right-password', { refused: secret('old-password') })).toMatchObject({
      changed: false,
    })
    expect((await verify('right-password', { refused: secret('right-password') })).failed).toBeUndefined()
  })
  it('does not believe a login where everybody is let in', async () => {
    await trustAll()
    const login = {
      ...admin(),
      login_unix_socket: '',
      login_host: '127.0.0.1',
      login_user: 'panel',
      login_db: 'panel',
    }
    const naive = await runAction(t, postgresqlQuery, {
      ...login,
      login_password: secret('wrong-password'),
      query: 'SELECT 1 AS one',
      autocommit: false,
    })
    expect(naive.values['query_result']).toEqual([{ one: 1 }])
    const found = await verify('wrong-password')
    expect(found).toMatchObject({ failed: true })
    expect(found.msg).toContain('lets everybody in')
    const right = await verify('right-password', { refused: secret('old-password') })
    expect(right).toMatchObject({ changed: false, values: { by: 'verifier' } })
    await trustNobody()
  })
  it('fails where everybody is let in and the stored verifier is out of reach', async () => {
    await trustAll()
    const found = await verify('right-password', { login_user: 'panel', login_db: 'panel' })
    expect(found).toMatchObject({ failed: true })
    expect(found.msg).toContain('give an address that pg_hba.conf asks a password for')
    await trustNobody()
  })
  it('a role that may not log in is an answer (28000), a database that has no room is none (53300)', async () => {
    await database.query('ALTER ROLE panel NOLOGIN')
    expect((await verify('right-password')).msg).toContain('28000')
    await database.query('ALTER ROLE panel LOGIN CONNECTION LIMIT 0')
    const found = await verify('right-password')
    expect(found).toMatchObject({ failed: true, values: { verdict: 'down', looks: 3 } })
    expect(found.msg).toContain('53300')
    await database.query('ALTER ROLE panel CONNECTION LIMIT -1')
  })
  it('wants the rights of the role whose place it takes', async () => {
    await database.query('CREATE ROLE owner_role NOLOGIN')
    await database.query('CREATE TABLE things (id int)')
    await database.query('GRANT SELECT, INSERT ON things TO owner_role')
    const same = { login_db: 'postgres', like: 'owner_role' }
    const found = await verify('right-password', same)
    expect(found).toMatchObject({ failed: true, values: { verdict: 'lacking' } })
    expect(found.msg).toContain(
      'panel may not do what owner_role may: INSERT on table things, SELECT on table things',
    )
    await database.query('GRANT owner_role TO panel')
    expect(await verify('right-password', same)).toMatchObject({ changed: false, values: { by: 'login' } })
  })
  it('asks again while the server starts up, and calls flaky what comes and goes', async () => {
    const starting = (code: string) => {
      const fields = `SFATAL\0C${code}\0Mthe database system is starting up\0\0`
      const head = Buffer.alloc(5)
      head.write('E')
      head.writeInt32BE(fields.length + 4, 1)
      return Buffer.concat([head, Buffer.from(fields)])
    }
    let turn = 0
    // Connections 3 and 5 get through to the real server; the others meet one that is starting.
    const front = createServer(socket => {
      socket.on('error', () => {})
      if (++turn % 2 === 1 && turn > 1) {
        const real = new (socket.constructor as typeof import('node:net').Socket)().connect(
          database.port,
          '127.0.0.1',
        )
        real.on('error', () => {})
        socket.pipe(real).pipe(socket)
      } else socket.once('data', () => socket.end(starting('57P03')))
    })
    const found = await verify('right-password', { address_port: await listen(front), retries: 4 })
    expect(found).toMatchObject({ failed: true, flaky: true, values: { verdict: 'flapping' } })
    expect(found.msg).toContain('57P03')
  })
  it('shows no password in what it says or in the server’s log', async () => {
    await verify('right-password', { refused: secret('old-password') })
    expect(database.log()).not.toMatch(/right-password(?!')|old-password/)
  })
})
