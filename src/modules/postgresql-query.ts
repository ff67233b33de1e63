import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import { type Query, runQueries } from '../resources/postgres-query.ts'
import { loginParams, viaOf } from './postgresql-login.ts'
import { refuseAll } from './refused.ts'

const READING = ['SELECT', 'VALUES', 'TABLE', 'SHOW', 'EXPLAIN']

function isText(value: Value): value is string | Secret {
  return typeof value === 'string' || value instanceof Secret
}

export const postgresqlQuery = defineAction({
  name: 'postgresql_query',
  summary: 'Runs SQL on a PostgreSQL database.',
  notes: [
    'All queries are one transaction unless autocommit is on. Rows of SELECT, VALUES, TABLE, WITH and RETURNING come back.',
    'Arguments may be secrets; then the text of the query is kept out of the server’s log as far as the login role may do that.',
  ],
  refused: refuseAll(
    'connections are made as the login options say',
    'as_single_query ca_cert connect_params encoding path_to_script search_path session_role ssl_cert ssl_key ssl_mode ssl_rootcert trust_input',
  ),
  params: {
    ...loginParams,
    query: { type: 'any', required: true, doc: 'A query, or a list of them.' },
    positional_args: { type: 'any', doc: 'List of values for `%s`; lists become arrays, dicts JSON.' },
    named_args: { type: 'dict', doc: 'Values for `%(name)s`.' },
    autocommit: {
      type: 'bool',
      default: false,
      doc: 'Each query by itself, for what cannot run in a transaction.',
    },
  },
  rules: { mutuallyExclusive: [['positional_args', 'named_args']] },
  returns: {
    query_result: { doc: 'Rows of the last query, as dicts.' },
    query_all_results: { doc: 'Rows of each query.' },
    rowcount: { doc: 'Rows that the last query gave or touched.' },
    statusmessage: { doc: 'What the last query did, and to how many rows.' },
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
    const results = await runQueries(t, viaOf(args), queries, args.autocommit)
    const last = results.at(-1)!
    const rowless = ['INSERT', 'UPDATE', 'DELETE', 'MERGE']
    const changed = results.some(
      ({ command, rowCount }) => !READING.includes(command) && (rowCount > 0 || !rowless.includes(command)),
    )
    return {
      changed,
      values: {
        query_result: last.rows,
        query_all_results: results.map(({ rows }) => rows),
        rowcount: last.rowCount,
        statusmessage: `${last.command} ${last.rowCount}`,
      },
    }
  },
})
