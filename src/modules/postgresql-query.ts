import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import { commandOf, type Query, runQueries } from '../resources/postgres-query.ts'
import { loginParams, loginRefused, viaOf } from './postgresql-login.ts'

const READING = ['SELECT', 'VALUES', 'TABLE', 'SHOW', 'EXPLAIN']

/** SQLSTATE of what writes in a transaction that may not: nextval() in a SELECT. */
const READ_ONLY = '25006'
const skipped: Outcome = {
  changed: false,
  skipped: true,
  msg: 'postgresql_query is skipped in check mode: it does not only read',
}

const isQuestion = ({ text }: Query): boolean => typeof text === 'string' && READING.includes(commandOf(text))

function isText(value: Value): value is string | Secret {
  return typeof value === 'string' || value instanceof Secret
}

export const postgresqlQuery = defineAction({
  name: 'postgresql_query',
  foresees: true,
  summary: 'Runs SQL on a PostgreSQL database.',
  notes: [
    'All queries are one transaction unless autocommit is on. Rows of SELECT, VALUES, TABLE, WITH and RETURNING come back.',
    'In check mode queries that only read run, in a transaction in which the server refuses to write; others are skipped.',
    'Arguments may be secrets; then the text of the query is kept out of the server’s log as far as the login role may do that.',
  ],
  refused: {
    ...loginRefused,
    as_single_query: 'leave it out: text is one query, of a list each is one',
    encoding: 'it is always UTF-8',
    path_to_script: 'use query: with lookup("file", …), or a list of queries',
  },
  params: {
    ...loginParams,
    query: { type: 'any', required: true, doc: 'A query, or a list of them.' },
    positional_args: { type: 'any', doc: 'List of values for `%s`; lists become arrays, dicts JSON.' },
    named_args: { type: 'dict', doc: 'Values for `%(name)s`.' },
    search_path: { type: 'list', default: [], doc: 'Schemas in which names are looked for.' },
    autocommit: {
      type: 'bool',
      default: false,
      doc: 'Each query by itself, for what cannot run in a transaction.',
    },
  },
  rules: { mutuallyExclusive: [['positional_args', 'named_args']] },
  returns: {
    query: { doc: 'The last query, with its arguments.' },
    query_list: { doc: 'The queries as given.' },
    query_result: { doc: 'Rows of the last query, as dicts.' },
    query_all_results: { doc: 'Rows of each query.' },
    rowcount: { doc: 'Rows that all queries gave or touched.' },
    statusmessage: { doc: 'What the server calls the last query: `INSERT 0 2`, `CREATE TABLE`.' },
  },
  examples: `
- name: Revoke all sessions
  community.postgresql.postgresql_query:
    compose_project_dir: /opt/proxpanel
    compose_files: [infra/deploy/docker-compose.production.yml]
    compose_env_file: .env.production
    compose_service: postgres
    query: UPDATE "AuthSession" SET "revokedAt" = now() WHERE "revokedAt" IS NULL
`,
  async run(t, args) {
    const list: readonly Value[] = Array.isArray(args.query) ? args.query : [args.query]
    const positional = args.positional_args
    if (list.length === 0 || !list.every(isText) || (positional !== undefined && !Array.isArray(positional)))
      throw problem(
        'E_PARAMS',
        'postgresql_query: query is text or a list of texts, positional_args is a list',
        {
          hint: 'write query: SELECT 1',
        },
      )
    const named = args.named_args
    const queries = list
      .filter(isText)
      .map((text): Query => ({ text, positional: positional as readonly Value[] | undefined, named }))
    const isReading = queries.every(isQuestion)
    if (t.check && !isReading) return skipped
    const { autocommit, search_path } = args
    const options = { autocommit, isReading: t.check, searchPath: search_path }
    const results = await runQueries(t, viaOf(args), queries, options).catch((error: unknown) => {
      if (t.check && String(error).includes(READ_ONLY)) return undefined
      throw error
    })
    if (results === undefined) return skipped
    const last = results.at(-1)!
    const rowless = ['INSERT', 'UPDATE', 'DELETE', 'MERGE']
    const changed = results.some(
      ({ command, rowCount }) => !READING.includes(command) && (rowCount > 0 || !rowless.includes(command)),
    )
    return {
      changed,
      values: {
        query: last.text,
        query_list: list,
        query_result: last.rows,
        query_all_results: results.map(({ rows }) => rows),
        rowcount: results.reduce((sum, { rowCount }) => sum + rowCount, 0),
        statusmessage: last.tag,
      },
    }
  },
})
