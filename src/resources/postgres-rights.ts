import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { renderLiteral, runSql, type Via } from './postgres-via.ts'

/** Every right on a kind of object that one role has and the other one lacks, as `RIGHT on OBJECT`. PostgreSQL 17, table 5.1. */
const lacking = `WITH pair AS (SELECT $like$::name AS mine, $name$::name AS theirs), found AS (
  SELECT right_name || ' on table ' || c.oid::regclass AS what FROM pair, pg_class c,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS right_name
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND has_table_privilege(mine, c.oid, right_name) AND NOT has_table_privilege(theirs, c.oid, right_name)
  UNION ALL SELECT right_name || ' on sequence ' || c.oid::regclass FROM pair, pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS right_name
    WHERE c.relkind = 'S' AND has_sequence_privilege(mine, c.oid, right_name) AND NOT has_sequence_privilege(theirs, c.oid, right_name)
  UNION ALL SELECT right_name || ' on schema ' || nspname FROM pair, pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) AS right_name
    WHERE nspname !~ '^pg_' AND has_schema_privilege(mine, n.oid, right_name) AND NOT has_schema_privilege(theirs, n.oid, right_name)
  UNION ALL SELECT 'EXECUTE on function ' || p.oid::regprocedure FROM pair, pg_proc p
    WHERE p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
      AND has_function_privilege(mine, p.oid, 'EXECUTE') AND NOT has_function_privilege(theirs, p.oid, 'EXECUTE')
  UNION ALL SELECT right_name || ' on database ' || current_database() FROM pair, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS right_name
    WHERE has_database_privilege(mine, current_database(), right_name) AND NOT has_database_privilege(theirs, current_database(), right_name))
SELECT json_agg(what ORDER BY what)::text FROM found`

/**
 * What `like` may do in the database that the login connects to and `name` may not. Throws E_TASK when the server cannot be asked,
 * also for a role that is not there.
 */
export async function readLackingRights(
  t: Target,
  via: Via,
  name: string,
  like: string,
): Promise<readonly string[]> {
  const text = lacking
    .replace('$like$', () => renderLiteral(like))
    .replace('$name$', () => renderLiteral(name))
  const answer = (await runSql(t, via, { statements: [text], writes: false })).at(-1)!
  if (answer.sqlstate !== '00000')
    throw problem('E_TASK', `the rights of ${name} and ${like} cannot be compared: ${answer.message}`)
  return JSON.parse(answer.rows[0] || '[]') as readonly string[]
}
