// Roles of a real PostgreSQL, reached by psql, by compose and over a forwarded connection.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reveal, Secret } from '../../src/core/secret.ts'
import { isSameState } from '../../src/core/value.ts'
import { postgresqlUser } from '../../src/modules/postgresql-user.ts'
import type { RoleState } from '../../src/resources/postgres.ts'
import { createVerifier, isPasswordOf } from '../../src/resources/scram.ts'
import { asState, withDefaults } from '../modules/harness.ts'
import { type Database, missing, startPostgres } from './postgres.ts'
import { applyState, makeTarget, shells } from './target.ts'

const roles = asState(postgresqlUser)

let db: Database
beforeAll(async () => {
  db = await startPostgres()
})
afterAll(() => db?.stop())

const secret = (text: string, label = 'password') => new Secret(text, label)
let count = 0
/** A role of its own for each test. */
async function makeRole(password: string, options = ''): Promise<string> {
  const role = `app_${++count}`
  await db.query(`CREATE ROLE ${role} LOGIN ${options} PASSWORD '${password}'`)
  return role
}

/** A `docker` that answers like compose v2 and runs what it is told to exec right here. */
function fakeDocker(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rota-docker-'))
  writeFileSync(
    join(folder, 'docker'),
    `#!/bin/sh
[ "$1" = compose ] || exit 1
[ "$2" != version ] || exit 0
printf '%s\\n' "$*" >>"${folder}/calls"
while [ "$1" != exec ]; do shift; done
shift 3
POSTGRES_USER=postgres PGHOST='${db.socket}' PGPORT=${db.port} exec "$@"
`,
  )
  chmodSync(join(folder, 'docker'), 0o755)
  return folder
}

const ways = ['psql', 'compose', 'forward', 'forward over the socket'] as const
type Way = (typeof ways)[number]
/** Login options of each way in. */
function login(way: Way, folder = '/'): Record<string, unknown> {
  if (way === 'psql') return { login_unix_socket: db.socket, login_port: db.port, login_user: 'postgres' }
  if (way === 'compose')
    return { compose_service: 'postgres', compose_project_dir: folder, compose_files: ['a b.yml', 'c.yml'] }
  if (way === 'forward')
    return { login_host: '127.0.0.1', login_port: db.port, login_password: secret(db.password, 'admin') }
  return { via: 'forward', login_unix_socket: db.socket, login_port: db.port }
}

describe.each(ways)('by %s', way => {
  const skipped = way !== 'forward' && way !== 'forward over the socket' && missing('psql')
  const path = process.env['PATH']
  let folder = '/'
  beforeAll(() => {
    if (way !== 'compose') return
    folder = fakeDocker()
    process.env['PATH'] = `${folder}:${path}`
  })
  afterAll(() => {
    process.env['PATH'] = path
  })

  it.skipIf(skipped)(
    'changes a password; again is no change; replay is harmless; undo brings the old one back',
    async () => {
      const role = await makeRole('old-password')
      const t = makeTarget()
      const args = { name: role, password: secret('new-password'), ...login(way, folder) }
      const first = await applyState(t, postgresqlUser, args)
      expect(first.changed).toBe(true)
      expect([await db.accepts(role, 'old-password'), await db.accepts(role, 'new-password')]).toEqual([
        false,
        true,
      ])
      expect((await applyState(t, postgresqlUser, args)).changed).toBe(false)
      await first.replay()
      expect(await db.accepts(role, 'new-password')).toBe(true)
      await first.undo()
      expect([await db.accepts(role, 'old-password'), await db.accepts(role, 'new-password')]).toEqual([
        true,
        false,
      ])
    },
  )

  it.skipIf(skipped || way !== 'psql').each(['busybox', 'bash'])('lives under %s too', async shell => {
    const role = await makeRole('old-password')
    const t = makeTarget({ shell: shells[shell]! })
    const args = {
      name: role,
      password: secret('new-password'),
      role_attr_flags: ['CREATEDB'],
      ...login(way),
    }
    const row = async () => (await db.query(`SELECT * FROM pg_authid WHERE rolname = '${role}'`))[0]
    const start = await row()
    const foreseen = await applyState({ ...t, check: true }, postgresqlUser, args)
    expect([foreseen.changed, await row()]).toEqual([true, start])
    const done = await applyState(t, postgresqlUser, args)
    expect([done.changed, (await row()).rolcreatedb]).toEqual([true, true])
    expect(await db.accepts(role, 'new-password')).toBe(true)
    expect((await applyState(t, postgresqlUser, args)).changed).toBe(false)
    await done.undo()
    expect(await row()).toEqual(start)
    expect(await db.accepts(role, 'old-password')).toBe(true)
  })

  it.skipIf(skipped)('of two writers exactly one wins, and the loser hears of a conflict', async () => {
    for (let round = 0; round < 3; round++) {
      const role = await makeRole('old')
      const t = makeTarget()
      const passwords = ['first', 'second']
      const outcomes = await Promise.allSettled(
        passwords.map(async password => {
          const args = { name: role, password: secret(password), ...login(way, folder) }
          const input = await roles.prepare!(t, {
            state: 'present',
            role_attr_flags: [],
            encrypted: true,
            login_host: '',
            login_user: '',
            login_db: '',
            login_unix_socket: '',
            login_port: 5432,
            compose_files: [],
            compose_env_file: '',
            compose_project_name: '',
            compose_service: '',
            compose_project_dir: '',
            ...args,
          })
          const before = (await roles.read(t, input)) as RoleState
          return { input, before }
        }),
      ).then(reads =>
        Promise.allSettled(
          reads.map(async read => {
            if (read.status === 'rejected') throw read.reason
            const { input, before } = read.value
            await roles.write(t, before, roles.want(input, before))
          }),
        ),
      )
      expect(outcomes.map(outcome => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
      const loser = outcomes.find(outcome => outcome.status === 'rejected') as PromiseRejectedResult
      expect(loser.reason).toMatchObject({ code: 'E_CONFLICT' })
      const winner = passwords[outcomes.findIndex(outcome => outcome.status === 'fulfilled')]!
      expect(await db.accepts(role, winner)).toBe(true)
    }
  })

  it.skipIf(skipped)('makes, changes and drops a role, and undoes each', async () => {
    const role = `Odd "name" $rota$ ' \\ ${++count}`
    const t = makeTarget()
    const base = { name: role, ...login(way, folder) }
    const row = async () =>
      (
        await db.query(
          `SELECT * FROM pg_authid WHERE rolname = E'${role.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
        )
      )[0]
    const made = await applyState(t, postgresqlUser, {
      ...base,
      password: secret('pw'),
      role_attr_flags: ['CREATEDB'],
    })
    expect(await row()).toMatchObject({ rolcanlogin: true, rolcreatedb: true, rolsuper: false })
    const changed = await applyState(t, postgresqlUser, {
      ...base,
      role_attr_flags: ['nocreatedb', 'NOLOGIN'],
      conn_limit: 3,
      expires: '2031-05-01 12:00:00-01:00',
    })
    expect(await row()).toMatchObject({ rolcanlogin: false, rolcreatedb: false, rolconnlimit: 3 })
    expect((await row()).rolvaliduntil.toISOString()).toBe('2031-05-01T13:00:00.000Z')
    const { rolpassword } = await row()
    await changed.undo()
    expect(await row()).toMatchObject({ rolcanlogin: true, rolcreatedb: true, rolconnlimit: -1, rolpassword })
    const dropped = await applyState(t, postgresqlUser, { ...base, state: 'absent' })
    expect(await row()).toBeUndefined()
    await dropped.undo()
    expect(await row()).toMatchObject({ rolcanlogin: true, rolcreatedb: true, rolpassword })
    await made.undo()
    expect(await row()).toBeUndefined()
  })

  it.skipIf(skipped)('shows what it sends, and leaves a password alone when told to', async () => {
    const role = `told_${way.replaceAll(' ', '_')}`
    const t = makeTarget()
    const module = asState(postgresqlUser)
    const queries = async (args: object, isGone = false) => {
      const full = withDefaults(module, { name: role, ...login(way, folder), ...args })
      const done = await applyState(t, module, full)
      const result = module.result!(await module.prepare!(t, full), done.before, done.after)
      expect(result['user_removed']).toBe(isGone ? done.changed : undefined)
      return result['queries']
    }
    expect(await queries({ password: secret('pw') })).toEqual([
      `CREATE ROLE "${role}" LOGIN PASSWORD '%(password)s'`,
    ])
    expect(await queries({ password: secret('pw') })).toEqual([])
    expect(await queries({ password: secret('other'), no_password_changes: true })).toEqual([])
    expect(await queries({ password: secret('other'), conn_limit: 2 })).toEqual([
      `ALTER ROLE "${role}" CONNECTION LIMIT 2 PASSWORD '%(password)s'`,
    ])
    expect(await queries({ state: 'absent' }, true)).toEqual([`DROP ROLE "${role}"`])
    expect(await queries({ state: 'absent' }, true)).toEqual([])
  })

  it.skipIf(skipped)('recovery reads from the state alone', async () => {
    const role = await makeRole('old')
    const t = makeTarget()
    const done = await applyState(t, postgresqlUser, {
      name: role,
      password: secret('new'),
      ...login(way, folder),
    })
    const found = await roles.reread(makeTarget(), done.before)
    expect(isSameState(found, done.after)).toBe(true)
    expect(JSON.stringify(done)).not.toContain('SCRAM-SHA-256')
  })

  it.skipIf(skipped)('says what is wrong with a server that is not there', async () => {
    const nowhere = { ...login(way, '/nonexistent'), ...(way === 'compose' ? {} : { login_port: 1 }) }
    const done = applyState(makeTarget(), postgresqlUser, { name: 'x', password: secret('new'), ...nowhere })
    await expect(done).rejects.toMatchObject({ code: 'E_TASK', hint: expect.any(String) })
  })

  it.skipIf(skipped)('no password and no verifier reaches the log, an argv or an environment', async () => {
    const role = await makeRole('old-canary-51c2')
    const before = db.log().length
    const seen: string[] = []
    const look = (): void => {
      for (const pid of readdirSync('/proc').filter(
        name => /^\d+$/.test(name) && Number(name) !== process.pid,
      ))
        try {
          seen.push(
            readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
            readFileSync(`/proc/${pid}/environ`, 'latin1'),
          )
        } catch {
          // The process ended meanwhile.
        }
    }
    const timer = setInterval(look, 1)
    const args = { name: role, password: secret('new-canary-51c2'), ...login(way, folder) }
    const done = await applyState(makeTarget(), postgresqlUser, args)
    clearInterval(timer)
    look()
    await expect(
      applyState(makeTarget(), postgresqlUser, { ...args, name: `${role}x`, conn_limit: -9 }),
    ).rejects.toThrow()
    const log = db.log().slice(before)
    expect(log).toContain(`rota changed the role ${role}`)
    const verifiers = [done.before, done.after].map(state => reveal((state as RoleState).verifier!))
    for (const text of [log, seen.join('\n')])
      for (const canary of ['canary-51c2', db.password, ...verifiers]) expect(text).not.toContain(canary)
    expect(seen.length).toBeGreaterThan(0)
  })
})

it('a role that changes its own password finds its way back by itself', async () => {
  const role = await makeRole('own-old', 'SUPERUSER')
  const args = {
    name: role,
    password: secret('own-new'),
    login_user: role,
    login_host: '127.0.0.1',
    login_port: db.port,
    login_password: secret('own-old'),
  }
  const done = await applyState(makeTarget(), postgresqlUser, args)
  expect(await db.accepts(role, 'own-new')).toBe(true)
  await done.undo()
  expect(await db.accepts(role, 'own-old')).toBe(true)
  await expect(
    applyState(makeTarget(), postgresqlUser, { ...args, login_password: secret('x'), password: secret('y') }),
  ).rejects.toMatchObject({ code: 'E_TASK', message: expect.stringContaining('refuses the password') })
})

it('a login role that may not read pg_authid is told so', async () => {
  const role = await makeRole('plain')
  const args = {
    name: role,
    password: secret('x'),
    login_user: role,
    login_port: db.port,
    login_host: '127.0.0.1',
  }
  await expect(
    applyState(makeTarget(), postgresqlUser, { ...args, login_password: secret('plain') }),
  ).rejects.toMatchObject({ code: 'E_TASK', hint: expect.stringContaining('superuser') })
})

it('dropping a role with memberships is refused, since undo could not bring them back', async () => {
  const [role, group] = [await makeRole('x'), await makeRole('x')]
  await db.query(`GRANT ${group} TO ${role}`)
  await expect(
    applyState(makeTarget(), postgresqlUser, { name: role, state: 'absent', ...login('forward') }),
  ).rejects.toMatchObject({ hint: expect.stringContaining('revoke') })
})

it('refuses options that do not go together', async () => {
  const bad = [
    { encrypted: false },
    { via: 'psql', login_password: secret('x') },
    { via: 'compose' },
    { compose_service: 'db' },
    { role_attr_flags: ['CREATEROOT'] },
  ]
  for (const args of bad)
    await expect(applyState(makeTarget(), postgresqlUser, { name: 'x', ...args })).rejects.toMatchObject({
      code: 'E_PARAMS',
      hint: expect.any(String),
    })
})

it('a verifier is the one the server makes, for odd passwords too', async () => {
  const passwords = [
    'plain',
    'it\'s \\ "$x',
    'pässwörd',
    'a\u00a0b',
    '\u2168',
    'soft\u00adhyphen',
    'ａｂｃ',
    '日本語',
    '😀',
    'tab\there',
    '\u00ad',
  ]
  for (const password of passwords) {
    await db.query(`DROP ROLE IF EXISTS odd`)
    await db.query(
      `CREATE ROLE odd LOGIN PASSWORD E'${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
    )
    const [{ rolpassword }] = await db.query(`SELECT rolpassword FROM pg_authid WHERE rolname = 'odd'`)
    expect([password, isPasswordOf(secret(rolpassword), secret(password), 'odd')]).toEqual([password, true])
    expect(isPasswordOf(secret(rolpassword), secret(`${password}x`), 'odd')).toBe(false)
  }
  await db.query(`SET password_encryption = md5; CREATE ROLE older LOGIN PASSWORD 'md5-one'`)
  const [{ rolpassword }] = await db.query(`SELECT rolpassword FROM pg_authid WHERE rolname = 'older'`)
  expect(rolpassword).toMatch(/^md5/)
  expect(isPasswordOf(secret(rolpassword), secret('md5-one'), 'older')).toBe(true)
})

it('want is idempotent and never changes what it was not asked for', () => {
  const bools = fc.boolean()
  const attributes = fc.record({
    super: bools,
    inherit: bools,
    createrole: bools,
    createdb: bools,
    canlogin: bools,
    replication: bools,
    bypassrls: bools,
    connlimit: fc.integer({ min: -1, max: 9 }),
    validuntil: fc.constant('infinity'),
  })
  const verifier = fc
    .constantFrom('one', 'two')
    .map(text => createVerifier(secret(text), Buffer.alloc(16, text)))
  const before = fc.oneof(
    fc.record({ exists: fc.constant(true), attributes, verifier: fc.option(verifier), ties: fc.constant(0) }),
    fc.constant({ exists: false, attributes: null, verifier: null, ties: 0 }),
  )
  const input = fc.record({
    state: fc.constantFrom('present', 'absent'),
    password: fc.option(
      fc.constantFrom('one', 'two').map(text => secret(text)),
      { nil: undefined },
    ),
    role_attr_flags: fc.constantFrom([], ['NOLOGIN'], ['SUPERUSER', 'createdb']),
    conn_limit: fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(input, before, (args, state) => {
      const full = roles.prepare!(makeTarget(), {
        encrypted: true,
        login_host: '',
        login_user: '',
        login_db: '',
        login_unix_socket: '',
        login_port: 5432,
        compose_service: '',
        name: 'x',
        ...args,
      }) as { readonly via: RoleState['via'] }
      const once = roles.want(full, { via: full.via, role: 'x', ...state }) as RoleState
      expect(isSameState(roles.want(full, once), once)).toBe(true)
      if (args.state === 'present' && args.password === undefined && state.exists)
        expect(isSameState(once.verifier, state.verifier)).toBe(true)
    }),
    { numRuns: 60 },
  )
})
