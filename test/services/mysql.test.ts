// Accounts of a real MariaDB, reached by its client on the target and in a compose service.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reveal, Secret } from '../../src/core/secret.ts'
import { toValue } from '../../src/core/value.ts'
import { parsePriv, wantGrants } from '../../src/modules/mysql-priv.ts'
import { mysqlUser } from '../../src/modules/mysql-user.ts'
import { type MysqlUserState, nativeHash } from '../../src/resources/mysql.ts'
import { asState, withDefaults } from '../modules/harness.ts'
import { type MariaDb, noMariaDb, startMariaDb } from './mariadb.ts'
import { applyState, makeTarget, shells } from './target.ts'

let db: MariaDb
beforeAll(async () => {
  if (noMariaDb === undefined) db = await startMariaDb()
}, 60_000)
afterAll(() => db?.stop())

const secret = (text: string, label = 'password') => new Secret(text, label)
const me = userInfo().username
let count = 0
const make = (password = 'old-password', options = ''): string => {
  const name = `app_${++count}`
  db.query(
    `CREATE USER ${name}@'%' IDENTIFIED BY '${password}' ${options}; GRANT SELECT ON panel.* TO ${name}@'%'`,
  )
  return name
}
const grants = (name: string): string[] =>
  db
    .query(`SHOW GRANTS FOR '${name}'@'%'`)
    .split('\n')
    .map(line => line.replace(/ IDENTIFIED .*/, ''))

/** A `docker` that answers like compose v2 and runs what it is told to exec right here. */
function fakeDocker(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rota-docker-'))
  const script = `#!/bin/sh
[ "$1" = compose ] || exit 1
[ "$2" != version ] || exit 0
printf '%s\\n' "$*" >>"${folder}/calls"
while [ "$1" != exec ]; do shift; done
shift 3
exec "$@"
`
  writeFileSync(join(folder, 'docker'), script)
  chmodSync(join(folder, 'docker'), 0o755)
  return folder
}

const local = () => ({ login_unix_socket: db.socket, login_user: me, host: '%' })
const path = process.env['PATH']
afterAll(() => {
  process.env['PATH'] = path
})

describe.skipIf(noMariaDb !== undefined)('mysql_user', () => {
  describe.each(['dash', 'busybox', 'bash', 'compose'])('by %s', way => {
    let more: object = {}
    beforeAll(() => {
      if (way !== 'compose') return
      const folder = fakeDocker()
      process.env['PATH'] = `${folder}:${path}`
      more = { compose_service: 'db', compose_project_dir: folder, compose_files: ['a b.yml'] }
    })
    const target = () => makeTarget({ shell: shells[way] ?? shells['dash']! })

    it('changes a password; again is no change; replay is harmless; undo brings the old one back', async () => {
      const name = make()
      const args = { name, password: secret('new-password'), ...local(), ...more }
      const first = await applyState(target(), mysqlUser, args)
      expect(first.changed).toBe(true)
      expect([db.accepts(name, 'old-password'), db.accepts(name, 'new-password')]).toEqual([false, true])
      expect((await applyState(target(), mysqlUser, args)).changed).toBe(false)
      await first.replay()
      expect(db.accepts(name, 'new-password')).toBe(true)
      await first.undo()
      expect([db.accepts(name, 'old-password'), db.accepts(name, 'new-password')]).toEqual([true, false])
      db.query(`ALTER USER ${name}@'%' IDENTIFIED BY 'third'`)
      await expect(first.replay()).rejects.toMatchObject({ code: 'E_CONFLICT' })
      expect(db.accepts(name, 'third')).toBe(true)
    })
  })

  it('says in words what it did', async () => {
    const name = make()
    const module = asState(mysqlUser)
    const told = async (args: object) => {
      const full = withDefaults(module, { name, ...local(), ...args })
      const done = await applyState(makeTarget(), module, full)
      const result = module.result!(await module.prepare!(makeTarget(), full), done.before, done.after)
      return [result['msg'], result['password_changed']]
    }
    expect(await told({ password: secret('old-password') })).toEqual(['User unchanged', false])
    expect(await told({ password: secret('pw') })).toEqual(['Password updated', true])
    expect(await told({ priv: 'panel.*:SELECT,INSERT,DELETE' })).toEqual(['Privileges updated', false])
    expect(await told({ state: 'absent' })).toEqual(['User deleted', false])
    expect(await told({ state: 'absent' })).toEqual(["User doesn't exist", false])
    expect(await told({ password: secret('pw') })).toEqual(['User added', true])
  })

  it('makes an account with privileges, takes it away, and both are undone', async () => {
    const t = makeTarget()
    const args = {
      name: "o'brien \\x",
      password: secret('p'),
      priv: 'panel.*:SELECT,INSERT/*.*:GRANT',
      ...local(),
    }
    const quoted = `'o''brien \\\\x'@'%'`
    const made = await applyState(t, mysqlUser, args)
    expect(db.query(`SHOW GRANTS FOR ${quoted}`)).toMatch(
      /USAGE ON \*\.\*.*GRANT OPTION\nGRANT SELECT, INSERT ON `panel`/,
    )
    expect((await applyState(t, mysqlUser, args)).changed).toBe(false)
    expect((await applyState(makeTarget(), mysqlUser, { ...args, priv: undefined })).changed).toBe(false)
    const gone = await applyState(t, mysqlUser, { name: args.name, state: 'absent', ...local() })
    expect(gone.changed).toBe(true)
    expect(() => db.query(`SHOW GRANTS FOR ${quoted}`)).toThrow()
    expect((await applyState(t, mysqlUser, { name: args.name, state: 'absent', ...local() })).changed).toBe(
      false,
    )
    await gone.undo()
    expect(db.accepts("o'brien \\x", 'p')).toBe(true)
    expect((await applyState(t, mysqlUser, args)).changed).toBe(false)
    await made.undo()
    expect(() => db.query(`SHOW GRANTS FOR ${quoted}`)).toThrow()
  })

  it('leads privileges from one to the other, and back', async () => {
    const name = make()
    const args = (priv: unknown, more: object = {}) => ({ name, priv: toValue(priv), ...local(), ...more })
    const steps: readonly [unknown, object, readonly string[]][] = [
      ['panel.*:SELECT,update', { append_privs: true }, ['SELECT, UPDATE ON `panel`.*']],
      [{ 'panel.*': 'ALL', '`o``dd.x`.t': 'SELECT (b,a), insert(`a`)' }, {}, ['ALL PRIVILEGES ON `panel`.*']],
      ['panel.*:ALL,GRANT', {}, ['ALL PRIVILEGES ON `panel`.*']],
      ['panel.*:SELECT', {}, ['SELECT ON `panel`.*']],
      [
        'panel.*:SELECT/*.*:PROCESS,REPLICATION CLIENT',
        {},
        ['PROCESS, BINLOG MONITOR ON *.*', 'SELECT ON `panel`.*'],
      ],
      ['*.*:PROCESS', { subtract_privs: true }, ['BINLOG MONITOR ON *.*', 'SELECT ON `panel`.*']],
      ['*.*:USAGE', {}, []],
    ]
    db.query('CREATE DATABASE `o``dd.x`; CREATE TABLE `o``dd.x`.t (a int, b int)')
    const undo: (() => Promise<unknown>)[] = []
    const seen: string[][] = [grants(name)]
    for (const [priv, more, expected] of steps) {
      const done = await applyState(makeTarget(), mysqlUser, args(priv, more))
      expect([priv, done.changed]).toEqual([priv, true])
      for (const one of expected) expect(grants(name).join('\n')).toContain(`GRANT ${one} TO`)
      expect([priv, (await applyState(makeTarget(), mysqlUser, args(priv, more))).changed]).toEqual([
        priv,
        false,
      ])
      undo.push(done.undo)
      seen.push(grants(name))
    }
    for (const back of undo.reverse()) {
      seen.pop()
      await back()
      expect(grants(name)).toEqual(seen.at(-1))
    }
  })

  it('of two writers exactly one wins, and the loser hears of a conflict', async () => {
    for (let round = 0; round < 3; round++) {
      const name = make()
      const states = await Promise.all(
        ['first', 'second'].map(async password => {
          const { before } = await applyState({ ...makeTarget(), check: true }, mysqlUser, {
            name,
            ...local(),
          })
          const authentication = {
            plugin: 'mysql_native_password',
            hash: nativeHash(secret(password)),
            others: '',
          }
          return { before, after: { ...(before as MysqlUserState), authentication } }
        }),
      )
      const module = mysqlUser as Extract<typeof mysqlUser, { kind: 'state' }>
      const outcomes = await Promise.allSettled(
        states.map(({ before, after }, i) =>
          module.write(makeTarget({ shell: shells[i === 0 ? 'dash' : 'bash']! }), before, after),
        ),
      )
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      const lost = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult
      expect(lost.reason).toMatchObject({ code: 'E_CONFLICT' })
      expect([db.accepts(name, 'first'), db.accepts(name, 'second')]).toEqual(
        outcomes.map(({ status }) => status === 'fulfilled'),
      )
    }
  })

  it('an account may change its own password, and undo that', async () => {
    const odd = `a'b"c\\d #;\n$x\`ü[client]`
    db.query(`CREATE USER boss@'%' IDENTIFIED BY 'old'; GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION`)
    const login = { login_host: '127.0.0.1', login_port: db.port, login_user: 'boss', host: '%' }
    const args = { name: 'boss', password: secret(odd), login_password: secret('old'), ...login }
    const done = await applyState(makeTarget(), mysqlUser, args)
    expect(db.accepts('boss', odd)).toBe(true)
    expect((await applyState(makeTarget(), mysqlUser, args)).changed).toBe(false)
    expect(
      (await applyState(makeTarget(), mysqlUser, { ...args, login_password: secret(odd) })).changed,
    ).toBe(false)
    await done.undo()
    expect(db.accepts('boss', 'old')).toBe(true)
    const wrong = applyState(makeTarget(), mysqlUser, { ...args, login_password: secret('wrong-one') })
    await expect(wrong).rejects.toMatchObject({
      code: 'E_TASK',
      message: expect.stringContaining('unable to connect'),
    })
  })

  it('reads option files, and tries root without a password when told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-my-cnf-'))
    db.query(
      `CREATE USER filer@'%' IDENTIFIED BY 'from file'; GRANT ALL ON *.* TO filer@'%' WITH GRANT OPTION`,
    )
    writeFileSync(
      join(folder, 'my.cnf'),
      `[client]\nuser=filer\npassword="from file"\nhost=127.0.0.1\nport=${db.port}\n`,
    )
    const name = make()
    const args = { name, host: '%', password: secret('x1'), config_file: join(folder, 'my.cnf') }
    expect((await applyState(makeTarget(), mysqlUser, args)).changed).toBe(true)
    const implicit = {
      check_implicit_admin: true,
      login_unix_socket: db.socket,
      login_user: 'no',
      login_password: secret('no'),
    }
    const tried = applyState(makeTarget(), mysqlUser, {
      name,
      host: '%',
      password: secret('x2'),
      ...implicit,
    })
    if (me === 'root') expect((await tried).changed).toBe(true)
    else await expect(tried).rejects.toMatchObject({ code: 'E_TASK' })
  })

  it('keeps a further way in, and refuses what it cannot hash', async () => {
    db.query(`CREATE USER two@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('old') OR unix_socket`)
    const done = await applyState(makeTarget(), mysqlUser, {
      name: 'two',
      password: secret('new'),
      ...local(),
    })
    expect(db.query(`SHOW CREATE USER two@'%'`)).toContain('OR unix_socket')
    expect(db.accepts('two', 'new')).toBe(true)
    await done.undo()
    expect(db.accepts('two', 'old')).toBe(true)
    const hash = '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'
    const plugin = {
      name: 'ed',
      plugin: 'mysql_native_password',
      plugin_hash_string: secret(hash),
      ...local(),
    }
    expect((await applyState(makeTarget(), mysqlUser, plugin)).changed).toBe(true)
    expect((await applyState(makeTarget(), mysqlUser, plugin)).changed).toBe(false)
    expect(db.query(`SHOW CREATE USER ed@'%'`)).toContain(hash)
    db.query(`ALTER USER ed@'%' IDENTIFIED VIA mysql_old_password USING '606717496665bcba'`)
    const refused = applyState(makeTarget(), mysqlUser, { name: 'ed', password: secret('x'), ...local() })
    await expect(refused).rejects.toThrow(/cannot make a hash/)
    const changed = await applyState(makeTarget(), mysqlUser, plugin)
    await changed.undo()
    expect(db.query(`SHOW CREATE USER ed@'%'`)).toContain('606717496665bcba')
    const encrypted = { name: 'enc', password: nativeHash(secret('known')), encrypted: true, ...local() }
    expect((await applyState(makeTarget(), mysqlUser, encrypted)).changed).toBe(true)
    expect(db.accepts('enc', 'known')).toBe(true)
    const again = { name: 'enc', password: secret('other'), update_password: 'on_create', ...local() }
    expect((await applyState(makeTarget(), mysqlUser, again)).changed).toBe(false)
  })

  it('tells nobody: not the process list, not the server’s log', async () => {
    const name = make()
    const password = secret('canary-password-77')
    const spied = mkdtempSync(join(tmpdir(), 'rota-spy-'))
    const spy = `#!/bin/sh\n{ tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$$/environ; } >>${spied}/seen\nexec /usr/bin/mariadb "$@"\n`
    writeFileSync(join(spied, 'mariadb'), spy)
    chmodSync(join(spied, 'mariadb'), 0o755)
    process.env['PATH'] = `${spied}:${path}`
    db.query(
      `CREATE USER spy@'%' IDENTIFIED BY 'canary-login-88'; GRANT ALL ON *.* TO spy@'%' WITH GRANT OPTION`,
    )
    const login = {
      login_unix_socket: db.socket,
      login_user: 'spy',
      login_password: secret('canary-login-88'),
      host: '%',
    }
    const done = await applyState(makeTarget(), mysqlUser, { name, password, ...login })
    process.env['PATH'] = path
    const seen = readFileSync(join(spied, 'seen'), 'latin1')
    expect(seen).toContain('--user=spy')
    expect(seen).not.toContain('canary')
    const hash = reveal((done.after as MysqlUserState).authentication!.hash)
    for (const hidden of ['canary-password-77', hash, Buffer.from(hash).toString('hex')])
      expect(db.log()).not.toContain(hidden)
    expect(readdirSync(spied)).toEqual(['mariadb', 'seen'])
  })

  it('says what is wrong', async () => {
    const refused = (args: object) =>
      expect(applyState(makeTarget(), mysqlUser, { name: 'x', ...local(), ...args })).rejects
    await refused({ priv: 'panel:SELECT' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ priv: 'panel.*:SELECT; DROP TABLE x' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ priv: 'panel.*:NONSENSE' }).toThrow(/error 1064/)
    await refused({ name: 'a\nb' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ password: secret('x'), encrypted: true }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ compose_service: 'x' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ login_unix_socket: '/nonexistent' }).toThrow(/unable to connect/)
    const name = make('plain')
    const denied = { login_unix_socket: db.socket, login_user: name, login_password: secret('plain') }
    await refused(denied).toThrow(/error 1142|error 1044/)
  })
})

it('what privileges come to is stable, whatever was asked for', () => {
  const word = fc.constantFrom(
    'SELECT',
    'insert',
    'ALL',
    'GRANT',
    'USAGE',
    'REPLICATION CLIENT',
    'SELECT (a,b)',
  )
  const priv = fc.dictionary(
    fc.constantFrom('*.*', 'a.*', '`a`.b', 'PROCEDURE a.p'),
    fc.array(word, { minLength: 1 }),
  )
  fc.assert(
    fc.property(
      priv,
      priv,
      fc.constantFrom('replace' as const, 'append' as const, 'subtract' as const),
      (one, two, how) => {
        const parse = (from: typeof one) =>
          parsePriv(
            toValue(Object.fromEntries(Object.entries(from).map(([level, list]) => [level, list.join(',')]))),
          )
        const before = wantGrants({ priv: parse(one), how: 'replace', server: 'mariadb' }, {})
        const wanted = { priv: parse(two), how, server: 'mariadb' as const }
        const after = wantGrants(wanted, before)
        expect(wantGrants(wanted, after)).toEqual(after)
        expect(Object.values(after).every(list => list.length > 0)).toBe(true)
      },
    ),
  )
})
