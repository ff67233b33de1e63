import { problem } from '../core/error.ts'
import type { Args } from '../core/params.ts'
import type { Secret } from '../core/secret.ts'
import type { RedisVia } from '../resources/redis-via.ts'

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
  compose_project_dir: { type: 'path', default: '', doc: 'Folder in which your own compose command runs.' },
  compose_files: { type: 'list', default: [], doc: 'Compose files, as in `-f`.' },
  compose_env_file: { type: 'path', default: '', doc: 'As in `--env-file`.' },
  compose_project_name: { type: 'string', default: '', doc: 'As in `-p`.' },
  compose_service: { type: 'string', default: '', doc: 'The service that runs the server.' },
} as const
type Login = Args<typeof redisLoginParams>

/** The way to the server that the options describe; `next`: tried after the login's own password. Throws E_PARAMS. */
export function redisViaOf(args: Login, next?: Secret): RedisVia {
  const hasCompose = args.compose_service !== ''
  if (hasCompose !== (args.compose_project_dir !== ''))
    throw problem('E_PARAMS', 'redis: compose_service and compose_project_dir go together', {
      hint: 'give both, or neither',
    })
  const kind = args.via ?? (hasCompose || args.tls ? 'cli' : 'forward')
  if (kind === 'forward' && (hasCompose || args.tls))
    throw problem('E_PARAMS', 'redis: via: forward goes neither with tls nor with compose_service', {
      hint: 'leave out via',
    })
  return {
    kind,
    compose: hasCompose
      ? {
          service: args.compose_service,
          folder: args.compose_project_dir,
          files: args.compose_files,
          env_file: args.compose_env_file || null,
          project_name: args.compose_project_name || null,
        }
      : null,
    host: args.login_host,
    port: args.login_port,
    socket: args.login_unix_socket || null,
    tls: args.tls ? { ca: args.ca_certs, isUnverified: !args.validate_certs } : null,
    user: args.login_user || null,
    passwords: [args.login_password ?? null, ...(next === undefined ? [] : [next])],
  }
}
