import { problem } from '../core/error.ts'
import type { Args } from '../core/params.ts'
import type { Secret } from '../core/secret.ts'
import type { RedisVia } from '../resources/redis-via.ts'
import { composeServiceOf, composeServiceParams } from './compose-service.ts'

/** How the server is reached: options that the redis modules share. */
export const redisLoginParams = {
  login_host: { type: 'string', default: '127.0.0.1', doc: 'Server as the target sees it.' },
  login_port: { type: 'int', default: 6379, doc: 'Its port.' },
  login_unix_socket: { type: 'path', default: '', doc: 'Its unix socket.' },
  login_user: { type: 'string', default: '', doc: 'User to log in as. Default: the user default.' },
  login_password: { type: 'secret', doc: 'Its password. It is in no command line and no environment.' },
  tls: { type: 'bool', default: false, doc: 'Speak TLS; needs via: cli.' },
  ca_certs: { type: 'path', default: '', doc: 'Certificate authorities to trust; on the target.' },
  validate_certs: { type: 'bool', default: true, doc: 'Refuse a certificate that nobody trusted signed.' },
  via: {
    type: 'string',
    choices: ['cli', 'forward'],
    doc: 'redis-cli of the target (or of the compose service); or the protocol over a connection made by the target’s sshd, which needs no program there. Default: cli with compose_service or tls, else forward.',
  },
  ...composeServiceParams,
} as const
type Login = Args<typeof redisLoginParams>

/** The way to the server that the options describe; `next`: tried after the login's own password. Throws E_PARAMS. */
export function redisViaOf(args: Login, next?: Secret): RedisVia {
  const compose = composeServiceOf(args, 'redis')
  const kind = args.via ?? (compose || args.tls ? 'cli' : 'forward')
  if (kind === 'forward' && (compose || args.tls))
    throw problem('E_PARAMS', 'redis: via: forward goes neither with tls nor with compose_service', {
      hint: 'leave out via',
    })
  return {
    kind,
    compose,
    host: args.login_host,
    port: args.login_port,
    socket: args.login_unix_socket || null,
    tls: args.tls ? { ca: args.ca_certs, isUnverified: !args.validate_certs } : null,
    user: args.login_user || null,
    passwords: [args.login_password ?? null, ...(next === undefined ? [] : [next])],
  }
}
