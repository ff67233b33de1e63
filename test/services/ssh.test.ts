// The services through a real sshd: channels that it forwards, an sshd that forwards nothing, a link that is gone.
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../src/core/module.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Connections } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { command } from '../../src/modules/command.ts'
import { postgresqlDump } from '../../src/modules/postgresql-dump.ts'
import { postgresqlQuery } from '../../src/modules/postgresql-query.ts'
import { postgresqlUser } from '../../src/modules/postgresql-user.ts'
import { uri } from '../../src/modules/uri.ts'
import { waitFor } from '../../src/modules/wait-for.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { addressFor, kill, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { makeTarget } from '../support/target.ts'
import { type Database, missing, startPostgres } from './postgres.ts'
import { applyState, runAction } from './target.ts'

let db: Database
let web: Server
let url = ''
const pools: Connections[] = []
async function targetOn(sshd: Sshd): Promise<Target> {
  const pool = createConnections({ redactor: createRedactor() })
  pools.push(pool)
  const session = await pool.open(addressFor(sshd), undefined)
  return makeTarget({ session })
}

describe.skipIf(whyNoSshd())('through sshd', () => {
  let open: Sshd
  let closed: Sshd
  beforeAll(async () => {
    db = await startPostgres()
    web = createServer((request, response) => {
      request.resume().on('end', () => response.end(`hello ${request.headers['x-token']}`))
    })
    await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`
    open = await startSshd()
    closed = await startSshd({ config: ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no'] })
  })
  afterAll(async () => {
    for (const pool of pools) await pool.close()
    await Promise.all([open?.close(), closed?.close(), db?.stop()])
    web?.close()
  })
  const login = () => ({
    login_host: '127.0.0.1',
    login_port: db.port,
    login_password: new Secret(db.password, 'admin'),
  })
  const headers = new Map([['X-Token', new Secret('tok-77', 'token')]])

  it('everything works over forwarded channels', async () => {
    const t = await targetOn(open)
    expect((await runAction(t, uri, { url, headers, return_content: true })).values['content']).toBe(
      'hello tok-77',
    )
    expect((await runAction(t, uri, { url: 'http://127.0.0.1:1/' })).values['status']).toBe(-1)
    await db.query(`CREATE ROLE app LOGIN PASSWORD 'old'; CREATE TABLE t AS SELECT 1 AS a`)
    const done = await applyState(t, postgresqlUser, {
      name: 'app',
      password: new Secret('new', 'pw'),
      ...login(),
    })
    expect(await db.accepts('app', 'new')).toBe(true)
    await done.undo()
    expect(await db.accepts('app', 'old')).toBe(true)
    const dump = await runAction(t, postgresqlDump, { ...login(), host_dest: '/tmp/rota-ssh-test.age' })
    expect(dump.values).toMatchObject({ kind: 'sql', proof: expect.stringContaining('1 tables, 1 rows') })
    await runAction(t, command, { cmd: 'rm /tmp/rota-ssh-test.age' })
    const port = db.port
    expect((await runAction(t, waitFor, { port, timeout: 5 })).failed).toBeUndefined()
    expect((await runAction(t, waitFor, { port: 1, timeout: 0 })).failed).toBe(true)
    expect((await runAction(t, waitFor, { port: 1, state: 'stopped', timeout: 0 })).failed).toBeUndefined()
  })

  it('an answer that comes together with the end of the connection does not hold the task up', async () => {
    // HTTP/1.0 as the simplest servers speak it: the answer and the end in one go.
    const hasty = createPlainServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    })
    await new Promise<void>(resolve => hasty.listen(0, '127.0.0.1', resolve))
    const { port } = hasty.address() as AddressInfo
    const t = await targetOn(open)
    for (let i = 0; i < 40; i++) {
      const { values } = await runAction(t, uri, { url: `http://127.0.0.1:${port}/`, return_content: true })
      expect([values['status'], values['content']]).toEqual([200, 'ok'])
    }
    hasty.close()
  })

  it.skipIf(missing('curl'))(
    'an sshd that forwards nothing: curl for the web, a clear word for the database',
    async () => {
      const t = await targetOn(closed)
      expect((await runAction(t, uri, { url, headers, return_content: true })).values['content']).toBe(
        'hello tok-77',
      )
      expect((await runAction(t, waitFor, { port: db.port, timeout: 5 })).failed).toBeUndefined()
      await expect(runAction(t, postgresqlQuery, { ...login(), query: 'SELECT 1' })).rejects.toMatchObject({
        code: 'E_TASK',
        hint: expect.stringContaining('forwarding'),
      })
    },
  )

  it('a link that is gone is unreachable or unknown, never a failed task', async () => {
    for (const run of [
      (t: Target) => runAction(t, uri, { url }),
      (t: Target) => runAction(t, postgresqlQuery, { ...login(), query: 'SELECT 1' }),
      (t: Target) => runAction(t, waitFor, { port: db.port, timeout: 1 }),
    ]) {
      const t = await targetOn(open)
      await runAction(t, command, { cmd: 'true' })
      for (const pid of open.sessions()) kill(pid)
      await expect(run(t)).rejects.toMatchObject({ code: expect.stringMatching(/^E_(UNREACHABLE|UNKNOWN)$/) })
    }
  })
})
