// Databases of a real MariaDB: made, dropped, dumped and read back.
import { existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { mysqlDb } from '../../src/modules/mysql-db.ts'
import { type MariaDb, noMariaDb, startMariaDb } from './mariadb.ts'
import { makeTarget, runAction, shells } from './target.ts'

let db: MariaDb
beforeAll(async () => {
  if (noMariaDb === undefined) db = await startMariaDb()
}, 60_000)
afterAll(() => db?.stop())

describe.skipIf(noMariaDb !== undefined).each(Object.entries(shells))('mysql_db under %s', (name, shell) => {
  const one = `odd \`"'${name}`
  const login = () => ({ login_unix_socket: db.socket, login_user: userInfo().username })
  const run = (args: object, check = false) =>
    runAction({ ...makeTarget({ shell }), check }, mysqlDb, { ...login(), ...args })
  const databases = () => db.query('SHOW DATABASES').split('\n')
  const folder = mkdtempSync(join(tmpdir(), 'rota-dump-'))

  it('makes and drops, once', async () => {
    const args = { name: [one, `two_${name}`], encoding: 'utf8mb4', collation: 'utf8mb4_bin' }
    expect((await run(args, true)).changed).toBe(true)
    expect(databases()).not.toContain(one)
    expect(await run(args)).toMatchObject({ changed: true, values: { db_list: args.name } })
    expect(databases()).toEqual(expect.arrayContaining([one, `two_${name}`]))
    expect(db.query(`SHOW CREATE DATABASE two_${name}`)).toContain('utf8mb4_bin')
    expect((await run(args)).changed).toBe(false)
    expect((await run({ name: [`two_${name}`], state: 'absent' })).changed).toBe(true)
    expect(await run({ name: [`two_${name}`], state: 'absent' })).toMatchObject({ changed: false })
  })

  // busybox's xz can only unpack.
  it.each(['sql', 'gz', name === 'busybox' ? 'bz2' : 'xz'])('dumps to .%s and reads it back', async end => {
    const target = join(folder, `d '$x.${end}`)
    const name = one.replaceAll('`', '``')
    db.query(
      `CREATE OR REPLACE TABLE \`${name}\`.t (a text, b blob); INSERT INTO \`${name}\`.t VALUES ('ü''s', x'00ff')`,
    )
    db.query(`CREATE OR REPLACE USER d@'%' IDENTIFIED BY 'it''s'; GRANT ALL ON *.* TO d@'%'`)
    const as = { login_user: 'd', login_password: new Secret("it's", 'p') }
    expect(
      (await run({ name: [one], state: 'dump', target, ...as, hex_blob: true, single_transaction: true }))
        .changed,
    ).toBe(true)
    expect(statSync(target).mode & 0o777).toBe(0o600)
    expect((await run({ name: ['again'], state: 'import', target, ...as })).changed).toBe(true)
    expect(db.query('SELECT a, HEX(b) FROM again.t')).toBe("ü's\t00FF")
    expect((await run({ name: ['again'], state: 'absent' })).changed).toBe(true)
  })

  it('leaves no file behind when a dump fails, and says so', async () => {
    const target = join(folder, 'bad.gz')
    const before = readdirSync(folder)
    await expect(run({ name: ['nope'], state: 'dump', target })).rejects.toThrow(/not there/)
    const wrong = { dump_extra_args: '--no-such-option' }
    await expect(run({ name: [one], state: 'dump', target, ...wrong })).rejects.toThrow(/exit status/)
    expect([existsSync(target), readdirSync(folder)]).toEqual([false, before])
    writeFileSync(join(folder, 'broken.gz'), 'no gzip')
    await expect(run({ name: [one], state: 'import', target: join(folder, 'broken.gz') })).rejects.toThrow(
      /gzip failed/,
    )
    writeFileSync(join(folder, 'broken.sql'), 'SELEC 1;')
    await expect(run({ name: [one], state: 'import', target: join(folder, 'broken.sql') })).rejects.toThrow(
      /1064/,
    )
    await expect(run({ name: ['all'] })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ name: ['x'], encoding: 'utf8; DROP' })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ name: ['x'], state: 'dump' })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })
})
