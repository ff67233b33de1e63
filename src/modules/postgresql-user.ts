import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import {
  defaultAttributes,
  type RoleAttributes,
  type RoleState,
  readRole,
  renderShownChange,
  writeRole,
} from '../resources/postgres.ts'
import type { Via } from '../resources/postgres-via.ts'
import { createVerifier, isPasswordOf, isVerifier, SALT_BYTES } from '../resources/scram.ts'
import { loginParams, loginRefused, viaOf } from './postgresql-login.ts'
import { refuseAll } from './refused.ts'

const params = {
  name: { type: 'string', required: true, aliases: ['user'], doc: 'The role.' },
  password: {
    type: 'secret',
    doc: 'Its password, or a SCRAM verifier or md5 hash. The server gets only a SCRAM-SHA-256 verifier made here, never the password.',
  },
  state: {
    type: 'string',
    choices: ['present', 'absent'],
    default: 'present',
    doc: 'Whether the role is there.',
  },
  role_attr_flags: {
    type: 'list',
    default: [],
    doc: 'SUPERUSER, CREATEROLE, CREATEDB, INHERIT, LOGIN, REPLICATION, BYPASSRLS, or one of them with NO before it.',
  },
  conn_limit: { type: 'int', doc: 'Connections the role may have at once; -1 is no limit.' },
  expires: {
    type: 'string',
    doc: 'When the password ends: `2027-01-31`, `2027-01-31 12:00:00+01:00` (UTC without an offset) or `infinity`.',
  },
  no_password_changes: {
    type: 'bool',
    default: false,
    doc: 'The password is only for a role that is made here: of one that is there it is not looked at.',
  },
  encrypted: {
    type: 'bool',
    default: true,
    doc: 'Has to be true: PostgreSQL stores nothing else since version 10.',
  },
  ...loginParams,
} as const

type UserArgs = Args<typeof params>
interface Input {
  readonly args: UserArgs
  readonly via: Via
  readonly flags: Partial<RoleAttributes>
  /** Stored when the present verifier does not take the password. */
  readonly verifier: Secret | undefined
}

const flagNames: Readonly<Record<string, string>> = {
  SUPERUSER: 'super',
  INHERIT: 'inherit',
  CREATEROLE: 'createrole',
  CREATEDB: 'createdb',
  LOGIN: 'canlogin',
  REPLICATION: 'replication',
  BYPASSRLS: 'bypassrls',
}

/** `CREATEDB`, `NOLOGIN` to attributes. Throws E_PARAMS naming the flag. */
function parseFlags(flags: readonly string[]): Partial<RoleAttributes> {
  const pairs = flags.map(flag => {
    const upper = flag.trim().toUpperCase()
    const name = flagNames[upper] ?? flagNames[upper.replace(/^NO/, '')]
    if (name === undefined)
      throw problem('E_PARAMS', `postgresql_user: there is no role attribute ${JSON.stringify(flag)}`, {
        hint: `use ${Object.keys(flagNames).join(', ')}, with NO before it to take it away`,
      })
    return [name, flagNames[upper] !== undefined] as const
  })
  return Object.fromEntries(pairs)
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?(?:Z|([+-]\d\d)(?::?(\d\d))?)?$/

/** A point in time in the form of RoleAttributes.validuntil. Throws E_PARAMS. */
function parseExpires(text: string): string {
  if (text === 'infinity') return text
  const [, date, clock = '00:00', hours, minutes = '00'] = TIME.exec(text) ?? []
  const at = new Date(`${date}T${clock}${hours === undefined ? 'Z' : `${hours}:${minutes}`}`)
  if (Number.isNaN(at.getTime()))
    throw problem('E_PARAMS', `postgresql_user: expires: ${JSON.stringify(text)} is no point in time`, {
      hint: 'write 2027-01-31, 2027-01-31 12:00:00+01:00 or infinity',
    })
  return at.toISOString().replace('Z', '000Z')
}

function verifierFor(args: UserArgs, salt: Buffer): Secret | undefined {
  if (args.password === undefined) return undefined
  return isVerifier(args.password) ? args.password : createVerifier(args.password, salt)
}

function isInForce(stored: Secret | null, password: Secret, role: string): boolean {
  if (stored === null) return false
  return isVerifier(password) ? isSameSecret(stored, password) : isPasswordOf(stored, password, role)
}

function wantAbsent(before: RoleState): RoleState {
  if (!before.exists) return before
  if (before.ties > 0)
    throw problem(
      'E_TASK',
      `the role ${before.role} has memberships or settings that dropping it would lose`,
      {
        hint: 'revoke the memberships and RESET its settings first: then dropping it can be undone',
      },
    )
  return { ...before, exists: false, verifier: null, attributes: null }
}

function wantPresent({ args, flags, verifier }: Input, before: RoleState): RoleState {
  const attributes: RoleAttributes = {
    ...(before.attributes ?? { ...defaultAttributes, canlogin: true }),
    ...flags,
    ...(args.conn_limit === undefined ? {} : { connlimit: args.conn_limit }),
    ...(args.expires === undefined ? {} : { validuntil: parseExpires(args.expires) }),
  }
  const isLeft = args.no_password_changes && before.exists
  const keeps =
    isLeft || args.password === undefined || isInForce(before.verifier, args.password, before.role)
  return { ...before, exists: true, attributes, verifier: keeps ? before.verifier : (verifier ?? null) }
}

function renderRole(state: RoleState): string {
  if (!state.exists) return ''
  const flags = Object.entries(state.attributes ?? {}).map(([name, value]) => `${name}: ${value}`)
  const password = state.verifier === null ? 'none' : state.verifier.toJSON()
  return `${[`role: ${state.role}`, ...flags, `password: ${password}`].join('\n')}\n`
}

export const postgresqlUser = defineState<typeof params, RoleState, Input>({
  name: 'postgresql_user',
  summary: 'Manages a role of a PostgreSQL database and its password.',
  notes: [
    'The change is one compare-and-set on the server: of two operators exactly one wins, and a repeated change does nothing.',
    'Undo sets the verifier of before again: the old password works as it did, with no plaintext and no restored dump.',
    'The login role has to be a superuser, since the stored verifier in pg_authid is what is compared. Members and rights of roles are not managed here.',
  ],
  params,
  refused: {
    ...loginRefused,
    ...refuseAll('use SQL with postgresql_query: GRANT …, COMMENT ON ROLE …', 'comment groups priv'),
    ...refuseAll('leave it out: a role that cannot be dropped is an error', 'fail_on_role fail_on_user'),
  },
  returns: {
    user: { doc: 'The role.' },
    user_removed: { doc: 'With `state: absent`: whether it was there.' },
    queries: { doc: 'What was sent to change it; for the verifier stands `%(password)s`.' },
  },
  examples: `
- name: The application's new password
  community.postgresql.postgresql_user:
    name: panel
    password: "{{ secrets.POSTGRES_PASSWORD }}"
    compose_project_dir: /opt/proxpanel
    compose_files: [infra/deploy/docker-compose.production.yml]
    compose_env_file: .env.production
    compose_service: postgres
`,
  prepare(t, args) {
    if (!args.encrypted)
      throw problem('E_PARAMS', 'postgresql_user: encrypted: false is not supported', {
        hint: 'leave it out: PostgreSQL has stored only hashed passwords since version 10',
      })
    if (args.password !== undefined) t.redactor.add(args.password)
    const via = viaOf(args, { role: args.name, password: args.password })
    const verifier = verifierFor(args, t.operator.random(SALT_BYTES))
    if (verifier !== undefined) t.redactor.add(verifier)
    return { args, via, flags: parseFlags(args.role_attr_flags), verifier }
  },
  read: (t, { args, via }) => readRole(t, via, args.name),
  reread: (t, state) => readRole(t, state.via, state.role),
  want: (input, before) => (input.args.state === 'absent' ? wantAbsent(before) : wantPresent(input, before)),
  write: writeRole,
  result: ({ args }, before, after) => ({
    user: args.name,
    ...(args.state === 'absent' ? { user_removed: before.exists } : {}),
    queries: isSameState(before, after) ? [] : [renderShownChange(before, after)],
  }),
  show: state => ({ header: `role ${state.role}`, text: renderRole(state) }),
})
