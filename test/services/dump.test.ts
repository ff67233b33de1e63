// Backups of a real database: sealed on the way, proven by restoring, refused when something would be left out.
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../src/core/module.ts'
import { Secret } from '../../src/core/secret.ts'
import { postgresqlDump } from '../../src/modules/postgresql-dump.ts'
import { replayScript } from '../../src/resources/postgres-script.ts'
import { type Database, missing, startPostgres } from './postgres.ts'
import { makeTarget, runAction, shells } from './target.ts'

const panel = `
CREATE SCHEMA "Odd ""schema";
CREATE TYPE "Role" AS ENUM ('ADMIN', 'it''s', 'user');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE SEQUENCE counter START 5 INCREMENT 3;
CREATE FUNCTION double(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN n * 2; -- a ' in it
END $f$;
CREATE TABLE "User" (id serial PRIMARY KEY, mail email UNIQUE NOT NULL, role "Role" DEFAULT 'ADMIN', tags text[], data jsonb,
  at timestamptz DEFAULT now(), price numeric(10,2), raw bytea, f float8, d interval, twice int GENERATED ALWAYS AS (id * 2) STORED,
  CHECK (price > 0));
CREATE TABLE "AuthSession" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "user id" int REFERENCES "User" ON DELETE CASCADE, n int DEFAULT nextval('counter'));
CREATE TABLE "Odd ""schema"."t $x" ("a b" text COLLATE "C");
CREATE INDEX by_role ON "User" (role) WHERE role <> 'ADMIN';
CREATE VIEW admins AS SELECT * FROM "User" WHERE role = 'ADMIN';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.at := '2020-01-01'; RETURN NEW; END $f$;
CREATE TRIGGER touched BEFORE UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO "User" (mail, role, tags, data, price, raw, f, d) VALUES
  ('a@b', 'it''s', '{"x y",NULL,"q\\"uote"}', '{"k": [1, null, "\\u00e4"]}', 12.50, '\\x00ff5c', 'NaN', '1 mon -2 days'),
  ('back\\slash@x', 'user', NULL, NULL, NULL, NULL, 0.1, NULL), (E'new\\nline@ü', DEFAULT, '{}', '1', 9999999.99, '', '-Infinity', '00:00:01.5');
INSERT INTO "User" (mail) SELECT n || '@many' FROM generate_series(1, 1203) n;
INSERT INTO "AuthSession" ("user id") SELECT id FROM "User" WHERE id < 4;
INSERT INTO "Odd ""schema"."t $x" VALUES ('canary-plain-9d1f');
`
let db: Database
beforeAll(async () => {
  db = await startPostgres()
  await db.query('CREATE DATABASE panel')
  await inside('panel', panel)
})
afterAll(() => db?.stop())

async function inside(database: string, text: string): Promise<any[]> {
  const client = new pg.Client({ host: db.socket, port: db.port, user: 'postgres', database })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
/** Everything that matters of the database's content, read back by the server. */
async function contents(database: string): Promise<unknown> {
  const names = ['"User"', '"AuthSession"', 'admins', '"Odd ""schema"."t $x"']
  const rows = await Promise.all(
    names.map(name => inside(database, `SELECT t::text FROM ${name} t ORDER BY 1`)),
  )
  const shape = await inside(
    database,
    `SELECT conrelid::regclass::text AS o, pg_get_constraintdef(oid) AS d FROM pg_constraint WHERE connamespace > 16000 OR connamespace = 2200
     UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid > 16000 AND indrelid::regclass::text NOT LIKE 'pg_%'
     UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
     UNION ALL SELECT table_name || column_name, data_type || coalesce(column_default, '') || is_nullable || is_identity || is_generated
       FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`,
  )
  const next = await inside(
    database,
    `SELECT nextval('counter') AS a, nextval('"User_id_seq"') AS b, double(4) AS c`,
  )
  return [rows, shape, next]
}
const login = () => ({
  login_host: '127.0.0.1',
  login_port: db.port,
  login_password: new Secret(db.password, 'admin'),
  login_db: 'panel',
})
const scratches = async (): Promise<any[]> =>
  db.query(`SELECT datname FROM pg_database WHERE datname LIKE 'rota_proof%'`)
async function plainOf(t: Target, path: string): Promise<Buffer> {
  const parts: Buffer[] = []
  const plain = new PassThrough().on('data', part => parts.push(part))
  await t.operator.unseal(createReadStream(path), plain)
  return Buffer.concat(parts)
}

it('a host without pg_dump gets a script that restores to the same database', async () => {
  const t = makeTarget()
  const hostDest = join(mkdtempSync(join(tmpdir(), 'rota-host-')), 'db.age')
  const { values, changed } = await runAction(t, postgresqlDump, { ...login(), host_dest: hostDest })
  expect(changed).toBe(true)
  expect(values).toMatchObject({
    kind: 'sql',
    host_path: hostDest,
    size_bytes: statSync(values['path']).size,
  })
  expect(values['proof']).toMatch(/restored into a scratch database.*3 tables, 1210 rows/)
  expect(statSync(values['path']).mode & 0o777).toBe(0o600)
  expect(readFileSync(values['path']).includes('canary-plain-9d1f')).toBe(false)
  expect(readFileSync(hostDest).equals(readFileSync(values['path']))).toBe(true)
  expect(statSync(hostDest).mode & 0o777).toBe(0o600)
  expect(await scratches()).toEqual([])

  const script = await plainOf(t, values['path'])
  await db.query('CREATE DATABASE again TEMPLATE template0')
  const client = new pg.Client({ host: db.socket, port: db.port, user: 'postgres', database: 'again' })
  await client.connect()
  await replayScript(
    client,
    (async function* () {
      for (let i = 0; i < script.length; i += 777) yield script.subarray(i, i + 777)
    })(),
  )
  await client.end()
  expect(await contents('again')).toEqual(await contents('panel'))
})

it.skipIf(missing('psql'))('that script is plain SQL: psql restores it as well', async () => {
  const t = makeTarget()
  const { values } = await runAction(t, postgresqlDump, login())
  await db.query('CREATE DATABASE bypsql TEMPLATE template0')
  const psql = [
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    db.socket,
    '-p',
    String(db.port),
    '-U',
    'postgres',
    '-d',
    'bypsql',
  ]
  // Not execFileSync: the server logs to a pipe that this process reads.
  const child = spawn('psql', psql, { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(await plainOf(t, values['path']))
  expect(await new Promise(resolve => child.once('exit', resolve))).toBe(0)
  expect(await inside('bypsql', 'SELECT count(*) FROM "User"')).toEqual([{ count: '1206' }])
})

it('what the script cannot hold is refused by name, and no file is left', async () => {
  await db.query('CREATE DATABASE parts')
  await inside('parts', 'CREATE TABLE big (a int) PARTITION BY RANGE (a)')
  const t = makeTarget()
  const done = runAction(t, postgresqlDump, { ...login(), login_db: 'parts' })
  await expect(done).rejects.toMatchObject({
    code: 'E_TASK',
    message: expect.stringContaining('partitioned table public.big'),
  })
  expect(readdirSync(await t.operator.backupFolder())).toEqual([])
})

it('a file that was cut short, or rows that are missing, fail the proof', async () => {
  for (const damage of [
    (text: string) => text.slice(0, text.length / 2),
    (text: string) => text.replace(/INSERT INTO public."AuthSession".*\n/, ''),
    () => '',
  ]) {
    const t = makeTarget()
    const { operator } = t
    const damaged: Target = {
      ...t,
      operator: {
        ...operator,
        async unseal(sealed, to) {
          const plain = new PassThrough()
          const parts: Buffer[] = []
          plain.on('data', part => parts.push(part))
          await operator.unseal(sealed, plain)
          to.end(damage(Buffer.concat(parts).toString('utf8')))
        },
      },
    }
    await expect(runAction(damaged, postgresqlDump, login())).rejects.toMatchObject({ code: 'E_TASK' })
    expect(await scratches()).toEqual([])
  }
})

it('refuses a name with folders, and a database that is not there', async () => {
  await expect(runAction(makeTarget(), postgresqlDump, { ...login(), name: '../x' })).rejects.toMatchObject({
    code: 'E_PARAMS',
  })
  const t = makeTarget()
  await expect(runAction(t, postgresqlDump, { ...login(), login_db: 'none' })).rejects.toMatchObject({
    code: 'E_TASK',
  })
  expect(readdirSync(await t.operator.backupFolder())).toEqual([])
})

/** Debian's server, because its pg_dump refuses the newer one from npm. */
const bin = '/usr/lib/postgresql'
const version = existsSync(bin) ? readdirSync(bin).sort().at(-1) : undefined
const isRoot = process.getuid?.() === 0
const reason =
  version === undefined
    ? 'Debian’s PostgreSQL is not installed'
    : isRoot
      ? undefined
      : 'not root: the server needs another user'
if (reason !== undefined) {
  if (process.env['CI']) throw new Error(reason)
  console.log(`skipped: ${reason}`)
}

describe.skipIf(reason !== undefined)('with the host’s pg_dump', () => {
  let folder = ''
  let server: ReturnType<typeof spawn>
  const as = (...words: string[]) =>
    execFileSync('runuser', ['-u', 'postgres', '--', ...words], { stdio: 'pipe' })
  const psql = (database: string, text: string): string =>
    as(
      'psql',
      '-X',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      folder,
      '-p',
      '5999',
      '-d',
      database,
      '-c',
      text,
    )
      .toString()
      .trim()
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rota-debian-pg-'))
    chmodSync(folder, 0o777)
    as(`${bin}/${version}/bin/initdb`, '--no-sync', '-A', 'trust', '-D', `${folder}/data`)
    const options = [
      '-c',
      'fsync=off',
      '-c',
      'listen_addresses=',
      '-c',
      `unix_socket_directories=${folder}`,
      '-p',
      '5999',
    ]
    server = spawn(
      'runuser',
      ['-u', 'postgres', '--', `${bin}/${version}/bin/postgres`, '-D', `${folder}/data`, ...options],
      { stdio: 'ignore' },
    )
    for (let i = 0; i < 200; i++) {
      if (existsSync(join(folder, '.s.PGSQL.5999'))) break
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    psql('postgres', 'CREATE DATABASE panel')
    psql(
      'panel',
      `CREATE TABLE big (a int, b text) PARTITION BY RANGE (a); CREATE TABLE part PARTITION OF big DEFAULT;
      INSERT INTO big SELECT n, 'canary-plain-' || n FROM generate_series(1, 20000) n`,
    )
  })
  afterAll(async () => {
    const ended = new Promise(resolve => server.once('exit', resolve))
    as(`${bin}/${version}/bin/pg_ctl`, '-D', `${folder}/data`, '-m', 'immediate', 'stop')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  const args = () => ({
    login_unix_socket: folder,
    login_port: 5999,
    login_user: 'postgres',
    login_db: 'panel',
  })

  it.each(Object.entries(shells))('dumps, seals and proves, under %s', async (_name, shell) => {
    for (const proof of ['read', 'restore']) {
      const t = makeTarget({ shell })
      const { values } = await runAction(t, postgresqlDump, { ...args(), proof })
      expect(values).toMatchObject({ kind: 'pg_dump', proof: expect.stringContaining(proof) })
      expect(readFileSync(values['path']).includes('PGDMP')).toBe(false)
      expect((await plainOf(t, values['path'])).subarray(0, 5).toString()).toBe('PGDMP')
    }
    expect(psql('postgres', `SELECT count(*) FROM pg_database WHERE datname LIKE 'rota_proof%'`)).toBe('0')
  })

  it('a damaged archive fails the proof', async () => {
    const t = makeTarget()
    const { operator } = t
    const damaged: Target = {
      ...t,
      operator: {
        ...operator,
        async unseal(sealed, to) {
          const parts: Buffer[] = []
          const plain = new PassThrough().on('data', part => parts.push(part))
          await operator.unseal(sealed, plain)
          const whole = Buffer.concat(parts)
          to.end(whole.subarray(0, whole.length - 2000))
        },
      },
    }
    await expect(runAction(damaged, postgresqlDump, args())).rejects.toMatchObject({
      code: 'E_TASK',
      message: expect.stringContaining('pg_restore'),
    })
  })

  it('no such database: an error, and no file', async () => {
    const t = makeTarget()
    await expect(runAction(t, postgresqlDump, { ...args(), login_db: 'none' })).rejects.toMatchObject({
      code: 'E_TASK',
    })
    expect(readdirSync(await t.operator.backupFolder())).toEqual([])
  })
})
