// postgresql_query by psql and over a forwarded connection: the same rows, the same errors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { toValue } from '../../src/core/value.ts'
import { postgresqlQuery } from '../../src/modules/postgresql-query.ts'
import { type Database, missing, startPostgres } from './postgres.ts'
import { makeTarget, runAction } from './target.ts'

let db: Database
beforeAll(async () => {
  db = await startPostgres()
})
afterAll(() => db?.stop())

describe.each(['psql', 'forward'] as const)('by %s', way => {
  const skipped = way === 'psql' && missing('psql')
  const ask = (args: object) =>
    runAction(makeTarget(), postgresqlQuery, {
      via: way,
      login_unix_socket: db.socket,
      login_port: db.port,
      ...(way === 'psql' ? { login_user: 'postgres' } : {}),
      ...args,
    })

  it.skipIf(skipped)('gives rows with their types', async () => {
    const query = `SELECT 1 AS i, 1.5::float8 AS f, true AS b, NULL AS n, '' AS e, E'a\\nb\\\\c' AS t, ARRAY[1,2] AS l, '{"k": "v"}'::jsonb AS j;`
    expect(await ask({ query })).toMatchObject({
      changed: false,
      values: {
        query_result: [{ i: 1, f: 1.5, b: true, n: null, e: '', t: 'a\nb\\c', l: [1, 2], j: { k: 'v' } }],
        rowcount: 1,
        statusmessage: 'SELECT 1',
      },
    })
    expect((await ask({ query: 'SHOW log_statement' })).values['query_result']).toEqual([
      { log_statement: 'all' },
    ])
    expect((await ask({ query: 'EXPLAIN SELECT 1' })).values['query_result'][0]['QUERY PLAN']).toContain(
      'Result',
    )
    expect((await ask({ query: 'VALUES (1), (2) -- two' })).values['rowcount']).toBe(2)
  })

  it.skipIf(skipped)('says what was asked and what became of it, in the words of the server', async () => {
    const said = async (query: string) => (await ask({ query })).values['statusmessage']
    expect(
      await said(`CREATE OR REPLACE FUNCTION f_${way}() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql`),
    ).toBe('CREATE FUNCTION')
    expect(await said(`CREATE MATERIALIZED VIEW v_${way} AS SELECT 1`)).toBe('CREATE MATERIALIZED VIEW')
    expect(await said(`-- x\nDROP MATERIALIZED VIEW v_${way}`)).toBe('DROP MATERIALIZED VIEW')
    expect(await said(`CREATE USER u_${way}`)).toBe('CREATE ROLE')
    const asked = {
      query: ['SELECT 1', 'SELECT %s AS a, %s AS b'],
      positional_args: ['x', new Secret('s3', 's')],
    }
    const { values } = await ask({ query: asked.query[1], positional_args: ['x', 'y'] })
    expect(values).toMatchObject({ query: "SELECT 'x' AS a, 'y' AS b", query_list: [asked.query[1]] })
    const hidden = await ask({ ...asked, query: asked.query[1] })
    expect(hidden.values['query']).toBeInstanceOf(Secret)
    expect((await ask({ query: ['SELECT 1', 'SELECT 2'] })).values['rowcount']).toBe(2)
    await ask({ query: `CREATE SCHEMA s_${way}` })
    await ask({ query: 'CREATE TABLE here (a int)', search_path: [`s_${way}`] })
    expect((await ask({ query: `SELECT * FROM s_${way}.here` })).values['query_result']).toEqual([])
  })

  it.skipIf(skipped)('only reads in check mode', async () => {
    const check = (query: string) =>
      runAction({ ...makeTarget(), check: true }, postgresqlQuery, {
        via: way,
        login_unix_socket: db.socket,
        login_port: db.port,
        ...(way === 'psql' ? { login_user: 'postgres' } : {}),
        query,
      })
    expect((await check('SELECT 7 AS x')).values['query_result']).toEqual([{ x: 7 }])
    await ask({ query: `CREATE SEQUENCE q_${way}` })
    for (const query of [`SELECT nextval('q_${way}')`, `DROP SEQUENCE q_${way}`])
      expect(await check(query)).toMatchObject({ changed: false, skipped: true })
    expect((await ask({ query: `SELECT nextval('q_${way}') AS n` })).values['query_result']).toEqual([
      { n: 1 },
    ])
  })

  it.skipIf(skipped)('puts arguments in, odd ones too', async () => {
    const odd = `it's \\ "q" $1 %s :x\n\\! id`
    const positional_args = [odd, 7, null, true, toValue(['a', "b'"]), toValue({ k: 1 })]
    const query = 'SELECT %s AS a, %s AS b, %s AS c, %s AS d, %s AS e, %s::jsonb AS f, 5 %% 3 AS g'
    expect((await ask({ query, positional_args })).values['query_result']).toEqual([
      { a: odd, b: 7, c: null, d: true, e: ['a', "b'"], f: { k: 1 }, g: 2 },
    ])
    const named = await ask({ query: 'SELECT %(x)s AS y, %(x)s AS z', named_args: toValue({ x: odd }) })
    expect(named.values['query_result']).toEqual([{ y: odd, z: odd }])
    for (const bad of [
      { query: 'SELECT %s', positional_args: [] },
      { query: 'SELECT 1', positional_args: [1] },
      { query: [] },
      { query: 3 },
    ])
      await expect(ask(bad)).rejects.toMatchObject({ code: 'E_PARAMS' })
  })

  it.skipIf(skipped)('is one transaction, counts rows, and knows what changed', async () => {
    const table = `t_${way}`
    const made = await ask({
      query: [`CREATE TABLE ${table} (a int)`, `INSERT INTO ${table} VALUES (1), (2)`],
    })
    expect(made).toMatchObject({ changed: true, values: { rowcount: 2, statusmessage: 'INSERT 0 2' } })
    const failing = ask({ query: [`INSERT INTO ${table} VALUES (3)`, 'SELECT 1 / 0'] })
    await expect(failing).rejects.toMatchObject({ code: 'E_TASK', message: expect.stringContaining('22012') })
    expect(await ask({ query: `UPDATE ${table} SET a = 9 WHERE a = 77` })).toMatchObject({
      changed: false,
      values: { rowcount: 0 },
    })
    const gone = await ask({ query: `DELETE FROM ${table} WHERE a = 1 RETURNING a` })
    expect(gone).toMatchObject({ changed: true, values: { query_result: [{ a: 1 }], rowcount: 1 } })
    expect((await ask({ query: `TABLE ${table}` })).values['query_result']).toEqual([{ a: 2 }])
    await expect(ask({ query: `VACUUM ${table}` })).rejects.toMatchObject({ code: 'E_TASK' })
    expect(await ask({ query: `VACUUM ${table}`, autocommit: true })).toMatchObject({ changed: true })
  })

  it.skipIf(skipped)('a backslash in a query is no command of psql’s', async () => {
    await expect(ask({ query: 'SELECT 1 \\! touch /tmp/rota-services-injected' })).rejects.toMatchObject({
      code: 'E_TASK',
    })
    const { existsSync } = await import('node:fs')
    expect(existsSync('/tmp/rota-services-injected')).toBe(false)
  })

  it.skipIf(skipped)('a secret argument is in no log', async () => {
    const before = db.log().length
    const secret = new Secret('canary-arg-3e8b', 'x')
    const { values } = await ask({ query: 'SELECT length(%s) AS n', positional_args: [secret] })
    expect(values['query_result']).toEqual([{ n: 15 }])
    await expect(ask({ query: 'SELECT %s::int', positional_args: [secret] })).rejects.toMatchObject({
      code: 'E_TASK',
    })
    expect(db.log().slice(before)).not.toContain("E'canary")
    expect(db.log().length).toBeGreaterThan(before)
  })
})

it('any text goes to the server and back unharmed, by either way', async () => {
  const { default: fc } = await import('fast-check')
  const piece = fc.constantFrom(
    "'",
    '\\',
    '"',
    '$',
    '$$',
    '%',
    '%s',
    ':x',
    "E'",
    '\n',
    '--',
    '/*',
    ';',
    'ü',
    '😀',
    'a',
  )
  const any = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map(parts => parts.join('')),
    fc.string({ unit: 'grapheme' }),
  )
  const texts = fc
    .sample(any, { numRuns: 200, seed: 3 })
    .filter(text => !text.includes('\0') && Buffer.from(text).toString() === text)
  for (const via of ['psql', 'forward']) {
    if (via === 'psql' && missing('psql')) continue
    const { values } = await runAction(makeTarget(), postgresqlQuery, {
      via,
      login_unix_socket: db.socket,
      login_port: db.port,
      login_user: 'postgres',
      query: 'SELECT %s AS texts',
      positional_args: [texts],
    })
    expect(values['query_result'][0].texts).toEqual(texts)
  }
})
