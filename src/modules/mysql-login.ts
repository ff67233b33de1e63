import type { Args } from '../core/params.ts'
import type { Secret } from '../core/secret.ts'
import type { MysqlVia } from '../resources/mysql-via.ts'
import { composeServiceOf, composeServiceParams } from './compose-service.ts'

/** How the server is reached: options that all mysql modules share. */
export const mysqlLoginParams = {
  login_host: { type: 'string', default: 'localhost', doc: 'Server as the target sees it.' },
  login_port: { type: 'int', default: 3306, doc: 'Its port; counts only with a login_host.' },
  login_unix_socket: { type: 'path', default: '', doc: 'Its unix socket.' },
  login_user: {
    type: 'string',
    default: '',
    doc: 'Account to log in as. Default: what the option files say, else root where rota is root.',
  },
  login_password: {
    type: 'secret',
    doc: 'Its password. The client reads it from a pipe: it is in no command line, environment or file.',
  },
  config_file: {
    type: 'path',
    default: '',
    doc: 'Option file to read too; ~/.my.cnf is read without a login_password.',
  },
  check_implicit_admin: { type: 'bool', default: false, doc: 'Try root without a password first.' },
  connect_timeout: { type: 'int', default: 30, doc: 'Seconds.' },
  ca_cert: { type: 'path', default: '', aliases: ['ssl_ca'], doc: 'Certificate authority of the server.' },
  client_cert: { type: 'path', default: '', aliases: ['ssl_cert'], doc: 'Certificate to log in with.' },
  client_key: { type: 'path', default: '', aliases: ['ssl_key'], doc: 'Its key.' },
  ...composeServiceParams,
} as const
type Login = Args<typeof mysqlLoginParams>

/**
 * The way to the server that the options describe. `own`: the new password of the account `name`, tried as well when the login is that
 * very account, since its change locks the old password out. Throws E_PARAMS for options that do not go together.
 */
export function mysqlViaOf(
  args: Login,
  own?: { readonly name: string; readonly password: Secret | undefined },
): MysqlVia {
  const isLocal = args.login_host === 'localhost' || args.login_host === ''
  const next = own?.name === args.login_user && own.password !== undefined ? [own.password] : []
  return {
    compose: composeServiceOf(args, 'mysql'),
    host: args.login_unix_socket !== '' || isLocal ? null : args.login_host,
    port: args.login_unix_socket !== '' || isLocal ? null : args.login_port,
    socket: args.login_unix_socket || null,
    user: args.login_user || null,
    config: args.config_file || null,
    tls:
      args.ca_cert + args.client_cert + args.client_key === ''
        ? null
        : { ca: args.ca_cert, cert: args.client_cert, key: args.client_key },
    connectSeconds: args.connect_timeout,
    isImplicitAdmin: args.check_implicit_admin,
    passwords: [args.login_password ?? null, ...next],
  }
}
