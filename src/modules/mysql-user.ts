import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import {
  type Authentication,
  type Grants,
  isNativeHash,
  type MysqlUserState,
  nativeHash,
  readMysqlUser,
  writeMysqlUser,
} from '../resources/mysql.ts'
import type { MysqlVia } from '../resources/mysql-via.ts'
import { mysqlLoginParams, mysqlViaOf } from './mysql-login.ts'
import { parsePriv, wantGrants } from './mysql-priv.ts'
import { refuseAll } from './refused.ts'

const params = {
  name: { type: 'string', required: true, aliases: ['user'], doc: 'The account’s name.' },
  host: { type: 'string', default: 'localhost', doc: 'Where it may come from: the other half of its name.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the account is there.',
  },
  password: {
    type: 'secret',
    doc: 'Its password, for the plugin mysql_native_password. The server gets only the hash that it stores, made here.',
  },
  encrypted: { type: 'bool', default: false, doc: '`password` is such a hash already.' },
  update_password: {
    type: 'string',
    choices: ['always', 'on_create'],
    default: 'always',
    doc: 'Set the password of an account that is there, or only of a new one.',
  },
  plugin: { type: 'string', doc: 'Authenticate by this plugin.' },
  plugin_hash_string: { type: 'secret', doc: 'What the plugin is to store.' },
  priv: {
    type: 'any',
    doc: '`db.table:priv1,priv2/db2.*:ALL`, or a dict of that. Others are taken away. Without it privileges stay as they are.',
  },
  append_privs: { type: 'bool', default: false, doc: 'Take no privileges away.' },
  subtract_privs: { type: 'bool', default: false, doc: 'Take just these privileges away.' },
  sql_log_bin: { type: 'bool', default: true, doc: 'Whether replicas hear of the change.' },
  ...mysqlLoginParams,
} as const

type UserArgs = Args<typeof params>
interface Input {
  readonly args: UserArgs
  readonly via: MysqlVia
  /** Asked-for authentication; undefined: as it is. */
  readonly asked: Pick<Authentication, 'plugin' | 'hash'> | undefined
  readonly priv: Grants | undefined
}

const NATIVE = 'mysql_native_password'
/** Plugins that hold no password, so that setting one takes nothing away that cannot be told. */
const passwordless = ['', 'unix_socket', 'auth_socket']

function parseAsked(args: UserArgs): Input['asked'] {
  if (args.plugin !== undefined)
    return { plugin: args.plugin, hash: args.plugin_hash_string ?? new Secret('', 'no password') }
  if (args.password === undefined) return undefined
  if (!args.encrypted) return { plugin: NATIVE, hash: nativeHash(args.password) }
  if (!isNativeHash(args.password))
    throw problem('E_PARAMS', 'mysql_user: encrypted: true needs a mysql_native_password hash', {
      hint: 'give * and 40 hex digits, or leave out encrypted',
    })
  return { plugin: NATIVE, hash: args.password }
}

function wantAuthentication({ args, asked }: Input, before: MysqlUserState): Authentication {
  const now = before.authentication
  if (asked === undefined || (now !== null && args.update_password === 'on_create'))
    return now ?? { plugin: NATIVE, hash: new Secret('', 'no password'), others: '' }
  const isPassword = args.plugin === undefined
  if (now !== null && isPassword && now.plugin !== NATIVE && !passwordless.includes(now.plugin))
    throw problem(
      'E_TASK',
      `mysql_user: ${args.name} authenticates by ${now.plugin}, for which rota cannot make a hash`,
      {
        hint: `give plugin and plugin_hash_string; plugin: ${NATIVE} with a hash for that changes how it logs in`,
      },
    )
  // A further way in (MariaDB's `OR unix_socket`) stays: without it rota itself might be locked out.
  return { ...asked, others: isPassword ? (now?.others ?? '') : '' }
}

function want(input: Input, before: MysqlUserState): MysqlUserState {
  const { args, priv } = input
  if (args.state === 'absent')
    return before.exists ? { ...before, exists: false, authentication: null, grants: {}, ties: 0 } : before
  const how = args.append_privs ? 'append' : args.subtract_privs ? 'subtract' : 'replace'
  const wanted =
    priv === undefined ? before.grants : wantGrants({ priv, how, server: before.server }, before.grants)
  const authentication = wantAuthentication(input, before)
  const isKept = before.authentication !== null && isSameState(authentication, before.authentication)
  return {
    ...before,
    exists: true,
    authentication: isKept ? before.authentication : authentication,
    grants: isSameState(wanted, before.grants) ? before.grants : wanted,
  }
}

function prepare(t: Target, args: UserArgs): Input {
  for (const secret of [args.password, args.plugin_hash_string])
    if (secret !== undefined) t.redactor.add(secret)
  if (/[\0\n\r]/.test(args.name + args.host))
    throw problem('E_PARAMS', 'mysql_user: the account’s name holds a line end or NUL', {
      hint: 'write it in one line',
    })
  const asked = parseAsked(args)
  if (asked !== undefined) t.redactor.add(asked.hash)
  const via = mysqlViaOf(args, { name: args.name, password: args.encrypted ? undefined : args.password })
  return { args, via, asked, priv: args.priv === undefined ? undefined : parsePriv(args.priv) }
}

const isPasswordChanged = (before: MysqlUserState, after: MysqlUserState): boolean =>
  after.exists && !isSameState(before.authentication, after.authentication)

/** In words, as Ansible's module has them. */
function renderChange(before: MysqlUserState, after: MysqlUserState): string {
  if (!after.exists) return before.exists ? 'User deleted' : "User doesn't exist"
  if (!before.exists) return 'User added'
  if (isPasswordChanged(before, after)) return 'Password updated'
  return isSameState(before.grants, after.grants) ? 'User unchanged' : 'Privileges updated'
}

export const mysqlUser = defineState<typeof params, MysqlUserState, Input>({
  name: 'mysql_user',
  summary: 'Manages an account of MySQL or MariaDB, its password and its privileges.',
  notes: [
    'The server gets the hash that it stores, never the password; undo sets the stored hash of before again.',
    'Needs the client (mariadb or mysql) on the target, or in the compose service. Accounts of MySQL 8 that authenticate by caching_sha2_password are changed only with plugin and plugin_hash_string.',
    'MariaDB’s further ways of logging in (`OR unix_socket`) stay when a password is set.',
  ],
  params,
  refused: refuseAll(
    'do it with SQL by the module command',
    'check_hostname force_context host_all plugin_auth_string resource_limits session_vars tls_requires',
  ),
  rules: {
    mutuallyExclusive: [
      ['append_privs', 'subtract_privs'],
      ['password', 'plugin'],
    ],
  },
  returns: {
    user: { doc: 'The account’s name.' },
    msg: { doc: 'What was changed, in words.' },
    password_changed: { doc: 'Whether it has another password than before.' },
  },
  examples: `
- name: The application's new password
  community.mysql.mysql_user:
    name: panel
    host: '%'
    password: "{{ secrets.MYSQL_PASSWORD }}"
    priv: 'panel.*:ALL'
    login_unix_socket: /run/mysqld/mysqld.sock
`,
  prepare,
  async read(t, { args, via }) {
    const { name: user, host } = args
    const found = await readMysqlUser(t, { via, user, host, isUnlogged: !args.sql_log_bin })
    if (t.undoable && args.state === 'absent' && found.ties > 0)
      throw problem(
        'E_TASK',
        `the account ${user} has roles, limits or demands that dropping it would lose`,
        {
          hint: 'do this outside the change phase of the rotation, where it has to be undone',
        },
      )
    return found
  },
  reread: readMysqlUser,
  want,
  write: writeMysqlUser,
  result: ({ args }, before, after) => ({
    user: args.name,
    msg: renderChange(before, after),
    password_changed: isPasswordChanged(before, after),
  }),
  show({ user, host, exists, authentication, grants }) {
    const lines = Object.entries(grants).map(([level, list]) => `${list.join(', ')} on ${level}`)
    const password =
      authentication === null || isSameState(authentication.hash, new Secret('', '')) ? 'none' : '(stored)'
    const text = [`plugin: ${authentication?.plugin}`, `password: ${password}`, ...lines].join('\n')
    return { header: `account ${user}@${host}`, text: exists ? `${text}\n` : '' }
  },
})
