// Databases of a real PostgreSQL: made, changed, renamed, dropped, dumped and restored with Debian's own programs.
import { existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresqlDb } from '../../src/modules/postgresql-db.ts'
import { type DebianPostgres, noDebianPostgres, startDebianPostgres } from './debian-postgres.ts'
import { makeTarget, runAction, shells } from './target.ts'

if (noDebianPostgres !== undefined) {
  if (process.env['CI']) throw new Error(noDebianPostgres)
  console.log(`skipped: ${noDebianPostgres}`)
}
let db: DebianPostgres
beforeAll(async () => {
  if (noDebianPostgres === undefined) db = await startDebianPostgres(5997)
}, 60_000)
afterAll(() => db?.stop())
const login = () => ({ login_unix_socket: db.socket, login_port: db.port, login_user: 'postgres' })

describe.skipIf(noDebianPostgres !== undefined)('postgresql_db', () => {
  const run = (args: object, check = false, shell = shells['dash']!) =>
    runAction({ ...makeTarget({ shell }), check }, postgresqlDb, { ...login(), ...args })
  const databases = () => db.query('postgres', 'SELECT datname FROM pg_database').split('\n')

  it.each(['psql', 'forward'])('makes, changes, renames and drops by %s', async via => {
    const name = `odd "${via}'`
    db.query('postgres', `DROP ROLE IF EXISTS "own er"; CREATE ROLE "own er"`)
    const args = {
      name,
      via,
      owner: 'own er',
      encoding: 'utf-8',
      template: 'template0',
      lc_collate: 'C',
      conn_limit: 7,
    }
    expect((await run(args, true)).changed).toBe(true)
    expect(databases()).not.toContain(name)
    expect((await run(args)).changed).toBe(true)
    expect((await run(args)).changed).toBe(false)
    const shown = () =>
      db.query(
        'postgres',
        `SELECT pg_get_userbyid(datdba), datconnlimit FROM pg_database WHERE datname LIKE 'odd "${via}%'`,
      )
    expect(shown()).toBe('own er|7')
    expect(await run({ name, via, owner: 'postgres', conn_limit: -1 })).toMatchObject({
      changed: true,
      values: {
        executed_commands: [expect.stringContaining('OWNER TO'), expect.stringContaining('LIMIT -1')],
      },
    })
    expect(shown()).toBe('postgres|-1')
    await expect(run({ name, via, encoding: 'LATIN1' })).rejects.toThrow(/another encoding/)
    const rename = { name, via, state: 'rename', target: `${name} 2` }
    expect((await run(rename)).changed).toBe(true)
    expect((await run(rename)).changed).toBe(false)
    await expect(run({ ...rename, name: 'none', target: 'none2' })).rejects.toThrow(/neither/)
    expect((await run({ name: `${name} 2`, via, state: 'absent', force: true })).changed).toBe(true)
    expect((await run({ name: `${name} 2`, via, state: 'absent' })).changed).toBe(false)
    await expect(run({ name: 'x', via, owner: 'nobody here' })).rejects.toThrow(/SQLSTATE 42704/)
  })

  it.each([
    ['dash', 'sql.gz'],
    ['dash', 'tar'],
    ['busybox', 'pgc'],
    ['bash', 'sql'],
  ])('dumps and restores under %s as .%s', async (shell, end) => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-pg-dump-'))
    const target = join(folder, `d '$x.${end}`)
    for (const name of ['from', 'to']) db.query('postgres', `DROP DATABASE IF EXISTS "${name}"`)
    await run({ name: 'from' })
    await run({ name: 'to' })
    db.query('from', `CREATE TABLE t AS SELECT n, 'ü''' || n AS text FROM generate_series(1, 500) n`)
    const at = (args: object) => run({ target, ...args }, false, shells[shell])
    expect((await at({ name: 'from', state: 'dump', dump_extra_args: '--no-owner' })).changed).toBe(true)
    expect([statSync(target).mode & 0o777, readdirSync(folder).length]).toEqual([0o600, 1])
    expect((await at({ name: 'to', state: 'restore' })).changed).toBe(true)
    expect(db.query('to', 'SELECT count(*), min(text) FROM t')).toBe("500|ü'1")
    await expect(at({ name: 'to', state: 'restore' })).rejects.toMatchObject({ code: 'E_TASK' })
  })

  it('leaves no file when a dump fails, and says what is wrong', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-pg-dump-'))
    const target = join(folder, 'x.sql.gz')
    await run({ name: 'from' })
    const wrong = run({ name: 'from', state: 'dump', target, target_opts: '--no-such-option' })
    await expect(wrong).rejects.toThrow(/exit status/)
    expect([existsSync(target), readdirSync(folder)]).toEqual([false, []])
    writeFileSync(target, 'no gzip')
    await expect(run({ name: 'from', state: 'restore', target })).rejects.toThrow(/gzip failed/)
    await expect(run({ name: 'from', state: 'dump', target, via: 'forward' })).rejects.toMatchObject({
      code: 'E_PARAMS',
    })
    await expect(run({ name: 'from', state: 'dump', target: '/x.dir' })).rejects.toMatchObject({
      code: 'E_PARAMS',
    })
    await expect(run({ name: 'none', state: 'dump', target })).rejects.toThrow(/there is no database/)
  })
})
