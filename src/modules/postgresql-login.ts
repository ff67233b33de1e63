import { problem } from '../core/error.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import type { Via } from '../resources/postgres-via.ts'
import { composeServiceOf, composeServiceParams } from './compose-service.ts'
import { refuseAll } from './refused.ts'

/** How the database is reached: options that all postgresql modules share. */
export const loginParams = {
  login_host: {
    type: 'string',
    default: '',
    aliases: ['host'],
    doc: 'Server as the target sees it; default: its own.',
  },
  login_port: { type: 'int', default: 5432, aliases: ['port'], doc: 'Port of the server.' },
  login_unix_socket: {
    type: 'path',
    default: '',
    aliases: ['unix_socket'],
    doc: 'Folder of the server’s unix socket.',
  },
  login_user: {
    type: 'string',
    default: '',
    aliases: ['login'],
    doc: 'Role to log in as; has to be a superuser to read and set passwords.',
  },
  login_password: {
    type: 'secret',
    doc: 'Its password. Goes only through the encrypted connection to the target.',
  },
  login_db: { type: 'string', default: '', aliases: ['db', 'database'], doc: 'Database to connect to.' },
  via: {
    type: 'string',
    choices: ['psql', 'compose', 'forward'],
    doc: 'The target’s psql over its local socket; psql in a compose service; or the wire protocol over a connection made by the target’s sshd, which needs no program there. Default: compose with compose_service, forward with a password or a host, else psql.',
  },
  ...composeServiceParams,
} as const

/** Options of Ansible's modules that none of these has. */
export const loginRefused = {
  ...refuseAll(
    'the way to the server is inside SSH: leave it out; a server elsewhere is reached with psql on the target (via: psql)',
    'ca_cert ssl_cert ssl_key ssl_mode ssl_rootcert',
  ),
  connect_params: 'use the login options; others are in the environment of psql (PGOPTIONS) on the target',
  session_role: 'log in as that role (login_user), or SET ROLE in postgresql_query',
  trust_input: 'leave it out: names and values are always quoted',
} as const

type Login = Args<typeof loginParams>

function refuse(what: string, hint: string): never {
  throw problem('E_PARAMS', `postgresql: ${what}`, { hint })
}

function composeVia(args: Login): Via {
  const compose = composeServiceOf(args, 'postgresql')
  if (!compose) refuse('via: compose needs compose_service', 'name the database’s service')
  if (args.login_password !== undefined)
    refuse(
      'login_password cannot be used via compose: psql would need it in an environment or a file',
      'leave it out, or use `via: forward`',
    )
  return {
    kind: 'compose',
    ...compose,
    user: args.login_user || null,
    database: args.login_db || null,
  }
}

function psqlVia(args: Login): Via {
  if (args.login_password !== undefined)
    refuse(
      'login_password cannot be used via psql: it would need it in an environment or a file',
      'leave it out (become_user: postgres), or use `via: forward`',
    )
  return {
    kind: 'psql',
    host: args.login_unix_socket || args.login_host || null,
    port: args.login_port === 5432 ? null : args.login_port,
    user: args.login_user || null,
    database: args.login_db || 'postgres',
  }
}

/**
 * The way to the database that the options describe. `own`: the new password of `role`, tried as well when the login is that
 * very role, since its change locks the old password out. Throws E_PARAMS for options that do not go together.
 */
export function viaOf(
  args: Login,
  own?: { readonly role: string; readonly password: Secret | undefined },
): Via {
  const remote = args.login_password !== undefined || args.login_host !== ''
  const kind = args.via ?? (args.compose_service !== '' ? 'compose' : remote ? 'forward' : 'psql')
  if (kind === 'compose') return composeVia(args)
  if (kind === 'psql') return psqlVia(args)
  const user = args.login_user || 'postgres'
  const passwords = args.login_password === undefined ? [] : [args.login_password]
  const next = own?.role === user && own.password instanceof Secret ? [own.password] : []
  return {
    kind: 'forward',
    host: args.login_host || '127.0.0.1',
    port: args.login_port,
    socket: args.login_unix_socket || null,
    user,
    database: args.login_db || 'postgres',
    passwords: [...passwords, ...next],
  }
}
