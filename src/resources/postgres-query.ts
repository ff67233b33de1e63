import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { reveal, Secret } from '../core/secret.ts'
import { fromValue, isDict, type Value } from '../core/value.ts'
import { type Answer, quietLog, renderIdentifier, renderLiteral, runSql, type Via } from './postgres-via.ts'

/** A statement of the user's and its arguments: `%s` or `%(name)s` in the text, as psycopg has them. */
export interface Query {
  readonly text: string | Secret
  readonly positional: readonly Value[] | undefined
  readonly named: ReadonlyMap<Value, Value> | undefined
}
export interface QueryOptions {
  /** Each by itself, and not all in one transaction. */
  readonly autocommit: boolean
  /** The server is told to refuse what writes. */
  readonly isReading: boolean
  /** Schemas; none: as the server has it. */
  readonly searchPath: readonly string[]
}
export interface QueryResult {
  /** The statement with its arguments, as it was sent; a Secret where one of them is. */
  readonly text: string | Secret
  /** What the server calls it: `INSERT 0 2`, `CREATE TABLE`. */
  readonly tag: string

  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number
  /** The first word of the statement, in capitals. */
  readonly command: string
}

function hasSecret(value: Value): boolean {
  if (value instanceof Secret) return true
  if (Array.isArray(value)) return value.some(hasSecret)
  return isDict(value) && [...value.values()].some(hasSecret)
}

/** A value as SQL: lists become arrays, dicts JSON. */
function renderValue(value: Value): string {
  if (value === null) return 'NULL'
  if (value instanceof Secret) return renderLiteral(reveal(value))
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : renderLiteral(String(value))
  if (Array.isArray(value)) return `ARRAY[${value.map(renderValue).join(', ')}]`
  if (isDict(value) && hasSecret(value))
    throw problem('E_PARAMS', 'postgresql_query: a dict that holds a secret cannot be an argument', {
      hint: 'pass the secret as an argument of its own and build the JSON in SQL: jsonb_build_object(…)',
    })
  return renderLiteral(isDict(value) ? JSON.stringify(fromValue(value)) : String(fromValue(value)))
}

/** Puts the arguments into the text. Without arguments the text stays as it is, `%` included. Throws E_PARAMS. */
function renderQuery({ text, positional, named }: Query): string {
  const plain = text instanceof Secret ? reveal(text) : text
  if (positional === undefined && named === undefined) return plain
  let next = 0
  const filled = plain.replace(/%(?:%|s|\(([^)]*)\)s|)/g, (mark, name?: string) => {
    if (mark === '%%') return '%'
    const value = mark === '%s' ? positional?.[next++] : name === undefined ? undefined : named?.get(name)
    if (value !== undefined) return renderValue(value)
    throw problem('E_PARAMS', `postgresql_query: there is no argument for ${JSON.stringify(mark)}`, {
      hint: 'write %s for positional_args, %(name)s for named_args, %% for a per cent sign',
    })
  })
  if (next < (positional?.length ?? 0))
    throw problem(
      'E_PARAMS',
      `postgresql_query: ${positional?.length} positional_args, but only ${next} times %s`,
    )
  return filled
}

/** The first word of a statement, in capitals. */
export function commandOf(text: string): string {
  const bare = text.replace(/^(?:\s|\(|--.*(?:\n|$)|\/\*[\s\S]*?\*\/)+/, '')
  return /^\w+/.exec(bare)?.[0].toUpperCase() ?? ''
}

/** The rows as one JSON text, made by the server: types and NULLs come through psql unharmed. */
const asJson = (text: string): string =>
  `WITH rota_rows AS (${text.replace(/[\s;]+$/, '')}\n) SELECT coalesce(json_agg(rota_rows), '[]')::text FROM rota_rows`

/** Rows touched, counted by the server: psql's own ROW_COUNT is that of the command that hands the query on. */
const counted = (text: string): string =>
  `WITH rota_rows AS (${text.replace(/[\s;]+$/, '')}\nRETURNING 1) SELECT count(*)::text FROM rota_rows`

type Kind = 'rows' | 'count' | 'lines' | 'nothing'
/** What the query gives. One that begins with WITH has to give rows: the server says so before it does anything. */
function kindOf(text: string): Kind {
  const command = commandOf(text)
  if (['SELECT', 'VALUES', 'TABLE', 'WITH'].includes(command) || /\breturning\b/i.test(text)) return 'rows'
  if (['SHOW', 'EXPLAIN'].includes(command)) return 'lines'
  return ['INSERT', 'UPDATE', 'DELETE'].includes(command) ? 'count' : 'nothing'
}
function renderSent(text: string): string {
  const kind = kindOf(text)
  if (kind === 'rows') return asJson(text)
  return kind === 'count' ? counted(text) : text
}

/** Words between the verb and the kind of object that are no part of a command's tag; what stands for ROLE; kinds of two words. */
const BETWEEN =
  /^(?:OR|REPLACE|UNIQUE|TEMP|TEMPORARY|UNLOGGED|GLOBAL|LOCAL|RECURSIVE|CONSTRAINT|TRUSTED|PROCEDURAL)$/
const TWO_WORDS = /^(?:ACCESS|DEFAULT|EVENT|FOREIGN|LARGE|MATERIALIZED|USER MAPPING)/

/** The tag that the server gives a command, from its text: psql says it only where nothing else is to be read. */
function tagOf(text: string, rowCount: number): string {
  const bare = text.replace(/--.*|\/\*[\s\S]*?\*\//g, ' ').toUpperCase()
  const [verb = '', ...rest] = bare.match(/\w+/g) ?? []
  if (verb === 'INSERT') return `INSERT 0 ${rowCount}`
  if (['UPDATE', 'DELETE', 'MERGE'].includes(verb)) return `${verb} ${rowCount}`
  if (['SELECT', 'VALUES', 'TABLE', 'WITH'].includes(verb)) return `SELECT ${rowCount}`
  if (verb === 'TRUNCATE' || verb === 'LOCK') return `${verb} TABLE`
  if (!['CREATE', 'ALTER', 'DROP', 'REFRESH'].includes(verb)) return verb
  const [first = '', second = ''] = rest.filter(word => !BETWEEN.test(word))
  if (TWO_WORDS.test(`${first} ${second}`)) return `${verb} ${first} ${second}`
  return `${verb} ${first === 'USER' || first === 'GROUP' ? 'ROLE' : first}`
}

type Answered = Omit<QueryResult, 'text' | 'tag'>
function parseAnswer(text: string, answer: Answer): Answered {
  const command = commandOf(text)
  const said = answer.rows.join('\n')
  const kind = kindOf(text)
  if (kind === 'nothing') return { rows: [], rowCount: 0, command }
  if (kind === 'count') return { rows: [], rowCount: Number(said), command }
  if (kind === 'lines') {
    const name =
      command === 'EXPLAIN' ? 'QUERY PLAN' : (/^\s*\w+\s+(\w+)/.exec(text)?.[1]?.toLowerCase() ?? command)
    return { rows: answer.rows.map(row => ({ [name]: row })), rowCount: answer.rows.length, command }
  }
  const rows = JSON.parse(said) as QueryResult['rows']
  return { rows, rowCount: rows.length, command }
}

function check(answers: readonly Answer[], asked: number): void {
  const last = answers.at(-1)
  if (last === undefined || (last.sqlstate === '00000' && answers.length === asked)) return
  throw problem('E_TASK', `the query failed: ${last.message} (SQLSTATE ${last.sqlstate})`)
}

/**
 * Runs the queries in one transaction (each by itself with `autocommit`). Where an argument or the text is a secret, what is
 * sent is kept out of the server's log as far as the login may. Throws E_PARAMS, E_TASK, and E_UNKNOWN when the connection
 * broke meanwhile.
 */
export async function runQueries(
  t: Target,
  via: Via,
  queries: readonly Query[],
  { autocommit, isReading, searchPath }: QueryOptions,
): Promise<readonly QueryResult[]> {
  const texts = queries.map(renderQuery)
  const areSecret = queries.map(
    ({ text, positional = [], named }) =>
      text instanceof Secret || positional.some(hasSecret) || [...(named?.values() ?? [])].some(hasSecret),
  )
  const isSecret = areSecret.includes(true)
  const start = [
    ...(isSecret ? [quietLog] : []),
    ...(searchPath.length === 0 ? [] : [`SET search_path TO ${searchPath.map(renderIdentifier).join(', ')}`]),
    ...(autocommit && !isReading ? [] : [isReading ? 'BEGIN READ ONLY' : 'BEGIN']),
  ]
  const statements = [
    ...start,
    ...texts.map(text => new Secret(renderSent(text), 'query')),
    ...(autocommit && !isReading ? [] : ['COMMIT']),
  ]
  const answers = await runSql(t, via, { statements, writes: !isReading, foreign: true })
  check(answers, statements.length)
  return texts.map((text, i) => {
    const answered = parseAnswer(text, answers[start.length + i]!)
    const shown = areSecret[i] ? new Secret(text, 'query') : text
    return { ...answered, text: shown, tag: tagOf(text, answered.rowCount) }
  })
}
