import { createHash } from 'node:crypto'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { reveal, Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { hexLiteral, type MysqlError, type MysqlVia, renderName, runMysql } from './mysql-via.ts'

/** Privileges by what they are on, as GRANT writes it: `*.*`, `` `panel`.* ``, ``PROCEDURE `panel`.`p` ``. Sorted; never empty. */
export type Grants = { readonly [level: string]: readonly string[] }

/** How an account proves who it is, as the server stores it: never a password. */
export type Authentication = {
  readonly plugin: string
  /** Bytes as latin1, since MySQL's salts are binary. */
  readonly hash: Secret
  /** MariaDB's further ways in (`auth_or`) as it stores them, or ''. */
  readonly others: string
}

/** An account as it is stored. Undo sets the stored authentication again, with no plaintext. */
export type MysqlUserState = {
  readonly via: MysqlVia
  readonly user: string
  readonly host: string
  readonly server: 'mariadb' | 'mysql'
  readonly exists: boolean
  readonly authentication: Authentication | null
  readonly grants: Grants
  /** What else the account has that dropping it would lose: roles, proxies, demands on TLS, limits. */
  readonly ties: number
  /** Keep changes out of the binary log. */
  readonly isUnlogged: boolean
}

/** What `mysql_native_password` stores: `*` and SHA-1 of SHA-1 of the password (MySQL Internals, Secure Password Authentication). */
export function nativeHash(password: Secret): Secret {
  const inner = createHash('sha1').update(reveal(password)).digest()
  const hash = `*${createHash('sha1').update(inner).digest('hex').toUpperCase()}`
  return new Secret(reveal(password) === '' ? '' : hash, `stored ${password.label}`)
}

/** Whether the text has the form of such a hash. */
export const isNativeHash = (password: Secret): boolean => /^\*[0-9A-F]{40}$/i.test(reveal(password))

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** The account as GRANT writes it. */
function renderAccount({ user, host }: Pick<MysqlUserState, 'user' | 'host'>): string {
  return `${quote(user)}@${quote(host)}`
}

/** Text that is run when `condition` holds: as a hex literal, so that no rule of quoting applies to it. */
function prepared(text: string, condition = 'TRUE'): readonly Secret[] {
  const sql = `SET @rota = IF(${condition}, CONVERT(${hexLiteral(text)} USING utf8mb4), 'DO 0')`
  return [
    new Secret(sql, 'SQL'),
    new Secret('PREPARE rota FROM @rota', 'SQL'),
    new Secret('EXECUTE rota', 'SQL'),
  ]
}

/**
 * Quotes and backslashes mean what MySQL's defaults say; and what follows stays out of the general log as far as the login may: a hash is
 * not the password, but it can be guessed at.
 */
const start: readonly string[] = [
  "SET SESSION sql_mode = ''",
  "SET @rota = IF((SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SUPER' AND GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')) > 0, 'SET SESSION sql_log_off = 1', 'DO 0')",
  'PREPARE rota FROM @rota',
  'EXECUTE rota',
]

/** Sets @found to the stored authentication: `SERVER PLUGIN HASH OTHERS` in hex, or 'absent'. */
function findAuthentication({
  user,
  host,
}: Pick<MysqlUserState, 'user' | 'host'>): readonly (string | Secret)[] {
  const where = `WHERE User = ${hexLiteral(user)} AND Host = ${hexLiteral(host)}`
  const mariadb = `SELECT CONCAT('mariadb ', HEX(IFNULL(JSON_VALUE(Priv, '$.plugin'), '')), ' ', HEX(IFNULL(JSON_VALUE(Priv, '$.authentication_string'), '')),
    ' ', HEX(IFNULL(JSON_QUERY(Priv, '$.auth_or'), ''))) INTO @found FROM mysql.global_priv ${where} AND IFNULL(JSON_VALUE(Priv, '$.is_role'), 0) = 0`
  const mysql = `SELECT CONCAT('mysql ', HEX(plugin), ' ', HEX(authentication_string), ' ') INTO @found FROM mysql.user ${where}`
  return [
    "SET @found = IF(VERSION() LIKE '%MariaDB%', 'absent mariadb', 'absent mysql')",
    ...prepared(mariadb, "VERSION() LIKE '%MariaDB%'"),
    ...prepared(mysql, "VERSION() NOT LIKE '%MariaDB%'"),
  ]
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex').toUpperCase()

/** What `findAuthentication` gives for that state. */
function renderFound({ server, exists, authentication }: MysqlUserState): string {
  if (!exists || authentication === null) return `absent ${server}`
  const { plugin, hash, others } = authentication
  return `${server} ${hex(plugin)} ${hex(reveal(hash))} ${hex(others)}`
}

function parseFound(line: string): Pick<MysqlUserState, 'server' | 'exists' | 'authentication'> {
  const [first = '', ...fields] = line.split(' ')
  if (first === 'absent')
    return { server: fields[0] === 'mariadb' ? 'mariadb' : 'mysql', exists: false, authentication: null }
  const [plugin = '', hash = '', others = ''] = fields.map(field =>
    Buffer.from(field, 'hex').toString('latin1'),
  )
  const authentication = { plugin, hash: new Secret(hash, 'stored password'), others }
  return { server: first === 'mariadb' ? 'mariadb' : 'mysql', exists: true, authentication }
}

/** `SELECT (b,a)` to ``SELECT (`a`, `b`)``: servers show columns in an order of their own. */
function normalizePrivilege(text: string): string {
  const [, name = '', columns] = /^([^(]*)(?:\(([^)]*)\))?/.exec(text) ?? []
  const upper = name.trim().replace(/\s+/g, ' ').toUpperCase()
  if (columns === undefined) return upper
  const names = columns.split(',').map(column => renderName(column.trim().replace(/^`(.*)`$/, '$1')))
  return `${upper} (${names.sort().join(', ')})`
}

/** Splits at commas that are in no parentheses: `SELECT (a, b), INSERT`. */
export function splitPrivileges(text: string): readonly string[] {
  const parts = text.match(/(?:[^,(]|\([^)]*\))+/g) ?? []
  return parts.map(normalizePrivilege).filter(one => one !== '')
}

const GRANT =
  /^GRANT (.+) ON ((?:PROCEDURE |FUNCTION |PACKAGE |PACKAGE BODY )?(?:\*|`(?:[^`]|``)*`)\.(?:\*|`(?:[^`]|``)*`)) TO /

/** SHOW GRANTS to data. A line that is no such grant, or says more, is a tie. */
function parseGrants(lines: readonly string[]): { readonly grants: Grants; readonly ties: number } {
  const levels = new Map<string, Set<string>>()
  let ties = 0
  for (const line of lines) {
    const [, privileges, level] = GRANT.exec(line) ?? []
    if (privileges === undefined || level === undefined || /^SET DEFAULT ROLE/.test(line)) {
      ties++
      continue
    }
    const tail = line.slice(line.lastIndexOf(' TO '))
    if (/ REQUIRE (?!NONE)| MAX_\w+ /.test(tail)) ties++
    const found = levels.get(level) ?? new Set()
    for (const one of splitPrivileges(privileges)) if (one !== 'USAGE') found.add(one)
    if (/ WITH .*GRANT OPTION/.test(tail)) found.add('GRANT OPTION')
    levels.set(level, found)
  }
  const grants = [...levels]
    .filter(([, found]) => found.size > 0)
    .map(([level, found]) => [level, [...found].sort()])
  return { grants: Object.fromEntries(grants.sort()) as Grants, ties }
}

function fail(error: MysqlError, doing: string): never {
  const isDenied = [1044, 1142, 1227, 1410].includes(error.code)
  throw problem('E_TASK', `${doing}: ${error.message} (error ${error.code})`, {
    hint: isDenied
      ? 'log in as an administrator: it reads mysql.global_priv (MySQL: mysql.user) and grants privileges'
      : 'the message is the server’s own',
  })
}

const NO_SUCH_GRANT = 1141

/** Reads an account: one connection, no side effect. Throws E_TASK. */
export async function readMysqlUser(
  t: Target,
  { via, user, host, isUnlogged }: Pick<MysqlUserState, 'via' | 'user' | 'host' | 'isUnlogged'>,
): Promise<MysqlUserState> {
  const account = { user, host }
  const show = new Secret(`SHOW GRANTS FOR ${renderAccount(account)}`, 'SQL')
  const statements = [...start, ...findAuthentication(account), 'SELECT @found', show]
  const { lines, error } = await runMysql(t, via, statements, false)
  const [found, ...grants] = lines
  if (found === undefined)
    fail(error ?? { code: 0, message: 'no answer', line: 0 }, `reading the account ${user}`)
  const parsed = parseFound(found)
  if (error !== undefined && (error.code !== NO_SUCH_GRANT || parsed.exists))
    fail(error, `reading the account ${user}`)
  if (parsed.authentication !== null) t.redactor.add(parsed.authentication.hash)
  return { via, user, host, isUnlogged, ...parsed, ...parseGrants(parsed.exists ? grants : []) }
}

/** `IDENTIFIED …` for ALTER and CREATE USER. */
function renderIdentified({ server, authentication }: MysqlUserState): string {
  if (authentication === null) return ''
  const { plugin, hash, others } = authentication
  if (server === 'mysql') {
    const stored = reveal(hash)
    return `IDENTIFIED WITH ${quote(plugin)}${stored === '' ? '' : ` AS 0x${hex(stored)}`}`
  }
  const one = (name: string, text: string): string =>
    `${renderName(name)}${text === '' ? '' : ` USING ${quote(text)}`}`
  const main = one(plugin, reveal(hash))
  if (others === '') return `IDENTIFIED VIA ${main}`
  const ways = JSON.parse(others) as readonly {
    readonly plugin?: string
    readonly authentication_string?: string
  }[]
  // The entry without a plugin stands for the account's own one.
  const rendered = ways.map(way =>
    way.plugin === undefined ? main : one(way.plugin, way.authentication_string ?? ''),
  )
  return `IDENTIFIED VIA ${rendered.join(' OR ')}`
}

const ALL = 'ALL PRIVILEGES'
const OPTION = 'GRANT OPTION'

function renderGrant(level: string, privileges: readonly string[], account: string): readonly string[] {
  if (privileges.length === 0) return []
  const named = privileges.filter(one => one !== OPTION)
  const option = privileges.includes(OPTION) ? ' WITH GRANT OPTION' : ''
  return [`GRANT ${named.length > 0 ? named.join(', ') : 'USAGE'} ON ${level} TO ${account}${option}`]
}

/** GRANT and REVOKE that lead from one to the other. What is new comes first, unless all was granted before. */
function renderGrants(before: MysqlUserState, after: MysqlUserState): readonly string[] {
  const account = renderAccount(after)
  const levels = [...new Set([...Object.keys(before.grants), ...Object.keys(after.grants)])].sort()
  return levels.flatMap(level => {
    const [from, to] = [before.grants[level] ?? [], after.grants[level] ?? []]
    const gone = from.filter(one => !to.includes(one) && !(to.includes(ALL) && one !== OPTION))
    const revoke = gone.map(one => `REVOKE ${one} ON ${level} FROM ${account}`)
    const isAllGone = gone.includes(ALL)
    const grant = renderGrant(level, isAllGone ? to : to.filter(one => !from.includes(one)), account)
    return isAllGone ? [...revoke, ...grant] : [...grant, ...revoke]
  })
}

function renderChange(before: MysqlUserState, after: MysqlUserState): readonly string[] {
  const account = renderAccount(after)
  if (!after.exists) return [`DROP USER ${account}`]
  const grants = renderGrants(before, after)
  if (!before.exists) return [`CREATE USER ${account} ${renderIdentified(after)}`, ...grants]
  const isSame = isSameState(before.authentication, after.authentication)
  return [...(isSame ? [] : [`ALTER USER ${account} ${renderIdentified(after)}`]), ...grants]
}

/**
 * Compare-and-set of an account under a lock of the server's; writing `after` over `after` does nothing. The authentication is compared by
 * the server on the connection that changes it, the privileges just before. Throws E_CONFLICT when the account is neither, E_TASK, and
 * E_UNKNOWN when the connection broke after sending.
 */
export async function writeMysqlUser(
  t: Target,
  before: MysqlUserState,
  after: MysqlUserState,
): Promise<void> {
  const now = await readMysqlUser(t, after)
  const isSame = (a: MysqlUserState, b: MysqlUserState): boolean =>
    a.exists === b.exists &&
    isSameState(a.authentication, b.authentication) &&
    isSameState(a.grants, b.grants)
  if (isSame(now, after)) return
  const conflict = (): never => {
    throw problem(
      'E_CONFLICT',
      `the account ${after.user} is no longer as it was read: somebody else changed it`,
      {
        hint: 'run again to start from how it is now',
      },
    )
  }
  if (!isSame(now, before)) conflict()
  const statements = [
    ...start,
    ...(after.isUnlogged ? ['SET SESSION sql_log_bin = 0'] : []),
    `SELECT GET_LOCK('rota', 30) INTO @locked`,
    ...findAuthentication(after),
    new Secret(`SET @go = @locked AND @found = ${hexLiteral(renderFound(before))}`, 'SQL'),
    "SELECT IF(@go, 'changing', 'conflict')",
    ...renderChange(before, after).flatMap(text => prepared(text, '@go')),
    "SELECT 'done'",
  ]
  const { lines, error } = await runMysql(t, after.via, statements, true)
  if (error !== undefined) fail(error, `changing the account ${after.user}`)
  if (lines[0] === 'conflict') conflict()
  if (lines.at(-1) !== 'done')
    throw problem('E_UNKNOWN', `the client ended before the account ${after.user} was changed for certain`, {
      hint: 'rota looks at the server again before it does anything else',
    })
}
