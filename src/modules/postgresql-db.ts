import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { transferPostgres } from '../resources/postgres-file.ts'
import { renderIdentifier, renderLiteral, runSql, type Via } from '../resources/postgres-via.ts'
import { parseWords } from './command-words.ts'
import { loginParams, loginRefused, viaOf } from './postgresql-login.ts'

const { login_db: _, ...login } = loginParams
const params = {
  name: { type: 'string', required: true, aliases: ['db'], doc: 'The database.' },
  state: {
    type: 'string',
    choices: ['absent', 'dump', 'present', 'rename', 'restore'],
    default: 'present',
    doc: 'Whether it is there; or write it to `target`, read it from there, or give it that name.',
  },
  owner: { type: 'string', default: '', doc: 'Role that owns it.' },
  template: { type: 'string', default: '', doc: 'Database that a new one is copied from.' },
  encoding: { type: 'string', default: '', doc: 'Encoding of a new one.' },
  lc_collate: { type: 'string', default: '', doc: 'Order of texts in a new one.' },
  lc_ctype: { type: 'string', default: '', doc: 'Classes of characters in a new one.' },
  conn_limit: { type: 'int', doc: 'Connections it takes at once; -1 is no limit.' },
  tablespace: { type: 'string', default: '', doc: 'Tablespace it lies in.' },
  force: { type: 'bool', default: false, doc: 'With `absent`: end the connections to it.' },
  target: {
    type: 'path',
    default: '',
    doc: 'File of the target: `.sql` (also with .gz, .bz2, .xz), `.tar` or `.pgc`; with `rename` the new name.',
  },
  target_opts: {
    type: 'string',
    default: '',
    doc: 'More words for pg_dump, psql or pg_restore; no secrets.',
  },
  dump_extra_args: { type: 'string', default: '', doc: 'More words for pg_dump; no secrets.' },
  maintenance_db: { type: 'string', default: 'postgres', doc: 'Database to connect to.' },
  ...login,
} as const
type DbArgs = Args<typeof params>

interface Found {
  readonly owner: string
  readonly encoding: string
  readonly collate: string
  readonly ctype: string
  readonly limit: number
  readonly tablespace: string
}

async function run(
  t: Target,
  via: Via,
  statements: readonly string[],
  writes: boolean,
): Promise<readonly (string | null)[]> {
  const answer = (await runSql(t, via, { statements, writes })).at(-1)!
  if (answer.sqlstate === '00000') return answer.rows
  throw problem('E_TASK', `postgresql_db: ${answer.message} (SQLSTATE ${answer.sqlstate})`, {
    hint:
      answer.sqlstate === '55006'
        ? 'it is in use: stop what uses it, or set force: true'
        : 'the message is the server’s own',
  })
}

async function find(t: Target, via: Via, name: string): Promise<Found | undefined> {
  const select = `SELECT json_build_object('owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
    'ctype', datctype, 'limit', datconnlimit, 'tablespace', spcname)::text
    FROM pg_database JOIN pg_tablespace s ON s.oid = dattablespace WHERE datname = ${renderLiteral(name)}`
  const [row] = await run(t, via, [select.replace(/\s+/g, ' ')], false)
  return row === undefined || row === null ? undefined : (JSON.parse(row) as Found)
}

function renderCreate(args: DbArgs): string {
  const option = (word: string, value: string, render: (text: string) => string): string =>
    value === '' ? '' : ` ${word} ${render(value)}`
  return [
    `CREATE DATABASE ${renderIdentifier(args.name)}`,
    option('OWNER', args.owner, renderIdentifier),
    option('TEMPLATE', args.template, renderIdentifier),
    option('ENCODING', args.encoding, renderLiteral),
    option('LC_COLLATE', args.lc_collate, renderLiteral),
    option('LC_CTYPE', args.lc_ctype, renderLiteral),
    option('TABLESPACE', args.tablespace, renderIdentifier),
    args.conn_limit === undefined ? '' : ` CONNECTION LIMIT ${Math.trunc(args.conn_limit)}`,
  ].join('')
}

/** Encodings under one name: `UTF-8` is `UTF8`. */
const sameEncoding = (a: string, b: string): boolean =>
  a.replace(/[^A-Za-z0-9]/g, '').toUpperCase() === b.replace(/[^A-Za-z0-9]/g, '').toUpperCase()

function planPresent(args: DbArgs, found: Found | undefined): readonly string[] {
  if (found === undefined) return [renderCreate(args)]
  const fixed = [
    ['encoding', args.encoding === '' || sameEncoding(args.encoding, found.encoding)],
    ['lc_collate', args.lc_collate === '' || args.lc_collate === found.collate],
    ['lc_ctype', args.lc_ctype === '' || args.lc_ctype === found.ctype],
  ] as const
  const wrong = fixed.find(([, isRight]) => !isRight)?.[0]
  if (wrong !== undefined)
    throw problem(
      'E_TASK',
      `postgresql_db: the database ${args.name} is there with another ${wrong}, which cannot be changed`,
      {
        hint: 'dump it, make it anew and restore it',
      },
    )
  const database = `ALTER DATABASE ${renderIdentifier(args.name)}`
  return [
    ...(args.owner === '' || args.owner === found.owner
      ? []
      : [`${database} OWNER TO ${renderIdentifier(args.owner)}`]),
    ...(args.conn_limit === undefined || args.conn_limit === found.limit
      ? []
      : [`${database} CONNECTION LIMIT ${Math.trunc(args.conn_limit)}`]),
    ...(args.tablespace === '' || args.tablespace === found.tablespace
      ? []
      : [`${database} SET TABLESPACE ${renderIdentifier(args.tablespace)}`]),
  ]
}

async function planRename(
  t: Target,
  via: Via,
  args: DbArgs,
  found: Found | undefined,
): Promise<readonly string[]> {
  const other = await find(t, via, args.target)
  if (found !== undefined && other !== undefined)
    throw problem('E_TASK', `postgresql_db: both ${args.name} and ${args.target} are there`, {
      hint: 'drop one of them first',
    })
  if (found === undefined && other === undefined)
    throw problem('E_TASK', `postgresql_db: neither ${args.name} nor ${args.target} is there`, {
      hint: 'check the names',
    })
  return found === undefined
    ? []
    : [`ALTER DATABASE ${renderIdentifier(args.name)} RENAME TO ${renderIdentifier(args.target)}`]
}

async function transfer(
  t: Target,
  via: Via,
  args: DbArgs,
  kind: 'dump' | 'restore',
  isThere: boolean,
): Promise<Outcome> {
  if (!isThere)
    throw problem('E_TASK', `postgresql_db: there is no database ${args.name}`, {
      hint: 'make it first, with state: present',
    })
  const words = [
    ...parseWords(args.target_opts),
    ...(kind === 'dump' ? parseWords(args.dump_extra_args) : []),
  ]
  if (!t.check) await transferPostgres(t, via, { kind, database: args.name, target: args.target, words })
  return { changed: true, values: { target: args.target } }
}

export const postgresqlDb = defineAction({
  name: 'postgresql_db',
  summary: 'Makes, changes, drops, renames, dumps or restores a PostgreSQL database.',
  notes: [
    'Dropping a database cannot be undone, so it has no place in the change phase of a rotation; there postgresql_dump makes sealed dumps.',
    'A dump is in place only when it is whole, with mode 0600. The format `.dir` is not supported.',
  ],
  params,
  refused: loginRefused,
  foresees: true,
  returns: {
    db: { doc: 'The database.' },
    executed_commands: { doc: 'Statements that ran.' },
    target: { doc: 'The file of a dump or restore.' },
  },
  examples: `
- community.postgresql.postgresql_db: { name: panel, owner: panel, encoding: UTF8, template: template0 }
  become_user: postgres
`,
  async run(t, args): Promise<Outcome> {
    const refuse = (what: string, hint: string): never => {
      throw problem('E_PARAMS', `postgresql_db: ${what}`, { hint })
    }
    if (args.target === '' && !['absent', 'present'].includes(args.state))
      refuse(`state ${args.state} needs target`, 'add target')
    if (args.target.endsWith('.dir')) refuse('dumps into a folder are not supported', 'use .pgc or .tar')
    const via = viaOf({ ...args, login_db: args.maintenance_db })
    const found = await find(t, via, args.name)
    if (args.state === 'dump' || args.state === 'restore')
      return transfer(t, via, args, args.state, found !== undefined)
    const drop = `DROP DATABASE ${renderIdentifier(args.name)}${args.force ? ' WITH (FORCE)' : ''}`
    const statements =
      args.state === 'present'
        ? planPresent(args, found)
        : args.state === 'rename'
          ? await planRename(t, via, args, found)
          : found === undefined
            ? []
            : [drop]
    if (!t.check) for (const statement of statements) await run(t, via, [statement], true)
    return { changed: statements.length > 0, values: { db: args.name, executed_commands: statements } }
  },
})
