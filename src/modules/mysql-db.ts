import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { transferMysql } from '../resources/mysql-dump.ts'
import { hexLiteral, type MysqlVia, renderName, runMysql } from '../resources/mysql-via.ts'
import { parseWords } from './command-words.ts'
import { mysqlLoginParams, mysqlViaOf } from './mysql-login.ts'
import { refuseAll } from './refused.ts'

const params = {
  name: {
    type: 'list',
    required: true,
    aliases: ['db'],
    doc: 'The databases; `all` for a dump or an import of everything.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'dump', 'import', 'present'],
    default: 'present',
    doc: 'Whether they are there; or write them to `target`, or run the SQL in it.',
  },
  encoding: { type: 'string', default: '', doc: 'Character set of a new database, or of the import.' },
  collation: { type: 'string', default: '', doc: 'Collation of a new database.' },
  target: {
    type: 'path',
    default: '',
    doc: 'File of the target; packed when its name ends in .gz, .bz2 or .xz.',
  },
  single_transaction: { type: 'bool', default: false, doc: 'Dump in one transaction.' },
  quick: { type: 'bool', default: true, doc: 'Dump row by row instead of a table at a time.' },
  ignore_tables: { type: 'list', default: [], doc: 'Tables to leave out of the dump: `database.table`.' },
  hex_blob: { type: 'bool', default: false, doc: 'Dump binary columns as hex.' },
  skip_lock_tables: { type: 'bool', default: false, doc: 'Do not lock tables for the dump.' },
  force: { type: 'bool', default: false, doc: 'Go on after an error of a dump or an import.' },
  dump_extra_args: { type: 'string', default: '', doc: 'More words for the dump program; no secrets.' },
  ...mysqlLoginParams,
} as const
type DbArgs = Args<typeof params>

function check(args: DbArgs): void {
  const refuse = (what: string, hint: string): never => {
    throw problem('E_PARAMS', `mysql_db: ${what}`, { hint })
  }
  const isTransfer = args.state === 'dump' || args.state === 'import'
  for (const name of args.name)
    if (name === '' || /[\0\n\r]/.test(name) || name.startsWith('-'))
      refuse(`${JSON.stringify(name)} is no name`, 'name a database')
  if (args.name.includes('all') && (!isTransfer || args.name.length > 1))
    refuse('all is for a dump or an import, alone', 'name the databases')
  if (isTransfer && args.target === '')
    refuse(`state ${args.state} needs target`, 'add target: /path/to/file.sql')
  if (args.state === 'import' && args.name.length > 1) refuse('an import is into one database', 'use a loop')
  for (const word of [args.encoding, args.collation])
    if (!/^\w*$/.test(word))
      refuse(`${JSON.stringify(word)} is no character set or collation`, 'write utf8mb4')
}

/** Those of the databases that are there. */
async function findDatabases(t: Target, via: MysqlVia, names: readonly string[]): Promise<readonly string[]> {
  const list = names.map(name => `CONVERT(${hexLiteral(name)} USING utf8)`).join(', ')
  const select = `SELECT HEX(SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (${list})`
  const { lines, error } = await runMysql(t, via, [select], false)
  if (error !== undefined) throw problem('E_TASK', `mysql_db: ${error.message}`)
  const found = lines.map(line => Buffer.from(line, 'hex').toString())
  return names.filter(name => found.includes(name))
}

async function change(t: Target, via: MysqlVia, statements: readonly string[]): Promise<Outcome> {
  const changed = statements.length > 0
  if (changed && !t.check) {
    const { error } = await runMysql(t, via, statements, true)
    if (error !== undefined)
      throw problem('E_TASK', `mysql_db: ${error.message} (error ${error.code})`, {
        hint: 'the message is the server’s own; databases are made and dropped one after the other',
      })
  }
  return { changed, values: { executed_commands: statements } }
}

function dumpWords(args: DbArgs): readonly string[] {
  const flag = (is: boolean, word: string): readonly string[] => (is ? [word] : [])
  const isAll = args.name.includes('all')
  return [
    ...flag(args.single_transaction, '--single-transaction'),
    args.quick ? '--quick' : '--skip-quick',
    ...flag(args.hex_blob, '--hex-blob'),
    ...flag(args.skip_lock_tables, '--skip-lock-tables'),
    ...flag(args.force, '--force'),
    ...(args.encoding === '' ? [] : [`--default-character-set=${args.encoding}`]),
    ...args.ignore_tables.map(table => `--ignore-table=${table}`),
    ...parseWords(args.dump_extra_args),
    ...(isAll ? ['--all-databases'] : args.name.length > 1 ? ['--databases', ...args.name] : args.name),
  ]
}

async function dump(t: Target, args: DbArgs, via: MysqlVia, there: readonly string[]): Promise<Outcome> {
  const missing = args.name.filter(name => name !== 'all' && !there.includes(name))
  if (missing.length > 0)
    throw problem('E_TASK', `mysql_db: cannot dump ${missing.join(', ')}: not there`, {
      hint: 'check the name',
    })
  if (!t.check) await transferMysql(t, via, { kind: 'dump', target: args.target, words: dumpWords(args) })
  return { changed: true, values: { target: args.target } }
}

async function load(t: Target, args: DbArgs, via: MysqlVia, there: readonly string[]): Promise<Outcome> {
  const [name = 'all'] = args.name
  if (name !== 'all' && !there.includes(name)) await change(t, via, [createStatement(args, name)])
  const words = [
    ...(name === 'all' ? [] : [`--database=${name}`]),
    ...(args.encoding === '' ? [] : [`--default-character-set=${args.encoding}`]),
    ...(args.force ? ['--force'] : []),
  ]
  if (!t.check) await transferMysql(t, via, { kind: 'import', target: args.target, words })
  return { changed: true, values: { target: args.target } }
}

function createStatement({ encoding, collation }: DbArgs, name: string): string {
  const set = encoding === '' ? '' : ` CHARACTER SET ${encoding}`
  return `CREATE DATABASE ${renderName(name)}${set}${collation === '' ? '' : ` COLLATE ${collation}`}`
}

export const mysqlDb = defineAction({
  name: 'mysql_db',
  summary: 'Makes, drops, dumps or imports databases of MySQL or MariaDB.',
  notes: [
    'Dropping a database cannot be undone, so it has no place in the change phase of a rotation.',
    'A dump is in place only when it is whole, with mode 0600.',
  ],
  params,
  refused: refuseAll(
    'it is not supported here; see the notes of this module',
    'chdir check_hostname config_overrides_defaults master_data pipefail restrict_config_file unsafe_login_password use_shell',
  ),
  foresees: true,
  returns: {
    db: { doc: 'The names, with blanks between them.' },
    db_list: { doc: 'The names as a list.' },
    executed_commands: { doc: 'Statements that ran.' },
    target: { doc: 'The file of a dump or an import.' },
  },
  examples: `
- community.mysql.mysql_db:
    name: panel
    encoding: utf8mb4
    login_unix_socket: /run/mysqld/mysqld.sock
`,
  async run(t, args): Promise<Outcome> {
    check(args)
    const via = mysqlViaOf(args)
    const names = args.name.filter(name => name !== 'all')
    const there = names.length === 0 ? [] : await findDatabases(t, via, names)
    const done =
      args.state === 'dump'
        ? await dump(t, args, via, there)
        : args.state === 'import'
          ? await load(t, args, via, there)
          : args.state === 'present'
            ? await change(
                t,
                via,
                names.filter(name => !there.includes(name)).map(name => createStatement(args, name)),
              )
            : await change(
                t,
                via,
                there.map(name => `DROP DATABASE ${renderName(name)}`),
              )
    return { ...done, values: { ...done.values, db: args.name.join(' '), db_list: args.name } }
  },
})
