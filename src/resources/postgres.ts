import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { isSameSecret, reveal, Secret } from '../core/secret.ts'
import type { State } from '../core/value.ts'
import { type Answer, quietLog, renderIdentifier, renderLiteral, runSql, type Via } from './postgres-via.ts'

/** A role's attributes under pg_authid's names without `rol`. */
export interface RoleAttributes {
  readonly [name: string]: string | number | boolean
  readonly super: boolean
  readonly inherit: boolean
  readonly createrole: boolean
  readonly createdb: boolean
  readonly canlogin: boolean
  readonly replication: boolean
  readonly bypassrls: boolean
  /** -1: no limit. */
  readonly connlimit: number
  /** `2027-01-31T00:00:00.000000Z` or `infinity`. */
  readonly validuntil: string
}

/** A role as it is stored. The verifier is never a password, so undo needs no plaintext: it sets the old verifier again. */
export interface RoleState {
  readonly [key: string]: State
  readonly via: Via & { readonly [key: string]: State }
  readonly role: string
  readonly exists: boolean
  readonly verifier: Secret | null
  readonly attributes: RoleAttributes | null
  /** Memberships and settings that dropping the role would lose. */
  readonly ties: number
}

/** What CREATE ROLE gives a role of which nothing is said. */
export const defaultAttributes: RoleAttributes = {
  super: false,
  inherit: true,
  createrole: false,
  createdb: false,
  canlogin: false,
  replication: false,
  bypassrls: false,
  connlimit: -1,
  validuntil: 'infinity',
}

/** Keyword of each attribute; with NO before it when false. */
const keywords: Readonly<Record<string, string>> = {
  super: 'SUPERUSER',
  inherit: 'INHERIT',
  createrole: 'CREATEROLE',
  createdb: 'CREATEDB',
  canlogin: 'LOGIN',
  replication: 'REPLICATION',
  bypassrls: 'BYPASSRLS',
}

/** The stored role as one jsonb value: what is read, and what the compare-and-set compares. */
const stored = `jsonb_build_object('verifier', rolpassword, 'attributes', jsonb_build_object(
  'super', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole, 'createdb', rolcreatedb,
  'canlogin', rolcanlogin, 'replication', rolreplication, 'bypassrls', rolbypassrls, 'connlimit', rolconnlimit,
  'validuntil', CASE WHEN rolvaliduntil IS NULL OR NOT isfinite(rolvaliduntil) THEN 'infinity'
    ELSE to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END))`
const ties = `(SELECT count(*) FROM pg_auth_members WHERE member = a.oid OR roleid = a.oid)
  + (SELECT count(*) FROM pg_db_role_setting WHERE setrole = a.oid)`

const INSUFFICIENT_PRIVILEGE = '42501'
/** Own SQLSTATE of the compare-and-set: class RK is in no standard. */
const CONFLICT = 'RK001'
const OBJECTS_DEPEND = '2BP01'

function fail(answer: Answer, doing: string): never {
  if (answer.sqlstate === INSUFFICIENT_PRIVILEGE)
    throw problem('E_TASK', `${doing}: the login role may not do this (${answer.message})`, {
      hint: 'log in as a superuser (become_user: postgres, or login_user): only it may read the stored verifiers in pg_authid',
    })
  throw problem('E_TASK', `${doing}: ${answer.message} (SQLSTATE ${answer.sqlstate})`)
}

/** Reads a role: one connection, no side effect. Throws E_TASK when the database or pg_authid cannot be read. */
export async function readRole(t: Target, via: Via, role: string): Promise<RoleState> {
  const select = `SELECT ${stored} || jsonb_build_object('ties', ${ties}) FROM pg_authid a WHERE rolname = ${renderLiteral(role)}`
  const answers = await runSql(t, via, { statements: [select], writes: false })
  const answer = answers.at(-1)!
  if (answer.sqlstate !== '00000') fail(answer, `reading the role ${role}`)
  const base = { via, role } as Pick<RoleState, 'via' | 'role'>
  const text = answer.rows[0]
  if (text === undefined || text === null)
    return { ...base, exists: false, verifier: null, attributes: null, ties: 0 }
  const row = JSON.parse(text) as { verifier: string | null; attributes: RoleAttributes; ties: number }
  const verifier = row.verifier === null ? null : new Secret(row.verifier, `stored verifier of ${role}`)
  if (verifier !== null) t.redactor.add(verifier)
  return { ...base, exists: true, verifier, attributes: row.attributes, ties: row.ties }
}

/** A state as the jsonb literal that `stored` gives for it. */
function renderStored(state: RoleState): string {
  if (!state.exists) return 'NULL::jsonb'
  const verifier = state.verifier === null ? null : reveal(state.verifier)
  return `${renderLiteral(JSON.stringify({ verifier, attributes: state.attributes }))}::jsonb`
}

/** The options of CREATE or ALTER ROLE that lead from one state to the other: only what differs, since every option needs a right. */
function renderOptions(from: RoleAttributes, before: RoleState, after: RoleState): string {
  const to = after.attributes ?? from
  const flags = Object.keys(keywords)
    .filter(name => from[name] !== to[name])
    .map(name => (to[name] ? keywords[name]! : `NO${keywords[name]}`))
  const limit = from.connlimit === to.connlimit ? [] : [`CONNECTION LIMIT ${Math.trunc(to.connlimit)}`]
  const until = from.validuntil === to.validuntil ? [] : [`VALID UNTIL ${renderLiteral(to.validuntil)}`]
  const old = before.verifier === null ? null : reveal(before.verifier)
  const next = after.verifier === null ? null : reveal(after.verifier)
  const password = old === next ? [] : [`PASSWORD ${next === null ? 'NULL' : renderLiteral(next)}`]
  return [...flags, ...limit, ...until, ...password].join(' ')
}

function renderChange(before: RoleState, after: RoleState): string {
  const role = renderIdentifier(after.role)
  if (!after.exists) return `DROP ROLE ${role}`
  const options = renderOptions(before.attributes ?? defaultAttributes, before, after)
  return before.exists ? `ALTER ROLE ${role} ${options}` : `CREATE ROLE ${role} ${options}`
}

/** The change for people: without any verifier. */
export function renderShownChange(before: RoleState, after: RoleState): string {
  const isSame =
    before.verifier === after.verifier ||
    (before.verifier !== null && after.verifier !== null && isSameSecret(before.verifier, after.verifier))
  const shown = new Secret('%(password)s', 'password')
  const verifier = after.verifier === null ? null : shown
  const old = isSame ? verifier : before.verifier
  return renderChange({ ...before, verifier: old }, { ...after, verifier })
}

/**
 * One DO block under an advisory lock: does nothing when the role is already `after`, changes it when it is `before`,
 * and raises RK001 when it is neither. The log gets a line that says what was done, without any value.
 */
function renderCompareAndSet(before: RoleState, after: RoleState): Secret {
  const role = renderLiteral(after.role)
  const body = `DECLARE found jsonb; BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rota:role:' || ${role}));
  SELECT ${stored} INTO found FROM pg_authid WHERE rolname = ${role};
  IF found IS NOT DISTINCT FROM ${renderStored(after)} THEN RETURN; END IF;
  IF found IS DISTINCT FROM ${renderStored(before)} THEN
    RAISE EXCEPTION 'the role is no longer as it was read' USING ERRCODE = '${CONFLICT}';
  END IF;
  ${renderChange(before, after)};
  RAISE LOG 'rota changed the role %', ${role};
END`
  return new Secret(`DO ${renderLiteral(body)}`, `change of the role ${after.role}`)
}

/**
 * Compare-and-set of a role; writing `after` over `after` does nothing, so that a repeated write is harmless.
 * Throws E_CONFLICT when the role is neither `before` nor `after`, E_UNKNOWN when the connection broke after sending.
 */
export async function writeRole(t: Target, before: RoleState, after: RoleState): Promise<void> {
  const statements = ["SET lock_timeout = '30s'", quietLog, renderCompareAndSet(before, after)]
  const answer = (await runSql(t, after.via, { statements, writes: true })).at(-1)!
  if (answer.sqlstate === '00000') return
  if (answer.sqlstate === CONFLICT)
    throw problem(
      'E_CONFLICT',
      `the role ${after.role} is no longer as it was read: somebody else changed it`,
      {
        hint: 'run again to start from how it is now',
      },
    )
  if (answer.sqlstate === OBJECTS_DEPEND)
    throw problem(
      'E_TASK',
      `the role ${after.role} cannot be dropped: objects or rights still belong to it`,
      {
        hint: 'REASSIGN OWNED and DROP OWNED first',
      },
    )
  fail(answer, `changing the role ${after.role}`)
}
