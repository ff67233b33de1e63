import { readFile } from 'node:fs/promises'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { decodePercent } from '../core/percent.ts'
import { sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import { attributes, unsafe_writes } from './file-params.ts'
import { type Body, contentTypes, encodeBody, plainText } from './uri-body.ts'
import { type Route, readPem } from './uri-channel.ts'
import type { HttpRequest } from './uri-exchange.ts'
import type { Credentials } from './uri-login.ts'

/** Options that say what is asked, of whom and how. */
export const requestParams = {
  url: { type: 'text', required: true, doc: 'http or https URL.' },
  method: { type: 'string', default: 'GET', doc: 'HTTP method.' },
  body: {
    type: 'any',
    doc: 'The body: text, or a dict or list for the formats. Secrets may be anywhere in it.',
  },
  body_format: {
    type: 'string',
    choices: ['raw', 'json', 'form-urlencoded', 'form-multipart'],
    default: 'raw',
    doc: 'How the body is written; sets Content-Type unless headers do.',
  },
  src: {
    type: 'path',
    doc: 'A file of the operator’s machine (of the target with remote_src) to send as the body.',
  },
  remote_src: { type: 'bool', default: false, doc: '`src` is a file of the target.' },
  headers: { type: 'dict', doc: 'Headers; values may be secrets.' },
  status_code: { type: 'list', default: ['200'], doc: 'Statuses that are a success.' },
  timeout: { type: 'int', default: 30, doc: 'Seconds for connecting, and for the server to say something.' },
  follow_redirects: {
    type: 'any',
    default: 'safe',
    doc: '`safe` (only GET and HEAD), `all` (or yes), `none` (or no), `urllib2`.',
  },
  unredirected_headers: { type: 'list', default: [], doc: 'Headers that are not sent on after a redirect.' },
  url_username: { type: 'string', aliases: ['user'], doc: 'User of Basic or Digest authentication.' },
  url_password: { type: 'secret', aliases: ['password'], doc: 'Its password.' },
  force_basic_auth: {
    type: 'bool',
    default: false,
    doc: 'Send them at once, as Basic authentication, not only when asked with a 401.',
  },
  http_agent: { type: 'string', default: 'rota', doc: 'The User-Agent header.' },
  validate_certs: { type: 'bool', default: true, doc: 'Refuse a certificate that nobody trusted signed.' },
  ca_path: { type: 'path', doc: 'PEM file of the authorities to trust; on the machine of `from`.' },
  tls_fingerprint: {
    type: 'text',
    doc: 'SHA-256 of the server’s certificate, as `openssl x509 -fingerprint -sha256` prints it: only this one is taken, whoever signed it.',
  },
  client_cert: { type: 'path', doc: 'PEM file of a client certificate, with its key or without.' },
  client_key: { type: 'path', doc: 'PEM file of its key.' },
  ciphers: { type: 'list', default: [], doc: 'OpenSSL’s names of the ciphers to offer.' },
  unix_socket: { type: 'path', doc: 'Connect to this socket instead of the URL’s host.' },
  decompress: {
    type: 'bool',
    default: true,
    doc: 'Take the body out of gzip, should the server send it so.',
  },
  use_proxy: {
    type: 'bool',
    default: true,
    doc: 'Go by the proxy that `http_proxy`, `https_proxy` and `no_proxy` name, of the task’s `environment` or of the target’s session.',
  },
  use_netrc: {
    type: 'bool',
    default: true,
    doc: 'Without a user, send the login that the target’s `~/.netrc` (or the file that `NETRC` of the environment names) has for the host, instead of any Authorization header.',
  },
  use_gssapi: { type: 'bool', doc: 'Has to be false: there is no Kerberos.' },
  from: {
    type: 'string',
    choices: ['target', 'operator'],
    default: 'target',
    doc: 'Who makes the connection. From the target its sshd does, and the host’s curl only where forwarding is not possible.',
  },
} as const
export type RequestArgs = Args<typeof requestParams>

/** The options of uri. */
export const uriParams = {
  ...requestParams,
  return_content: {
    type: 'bool',
    default: false,
    doc: 'Return the body as `content`. JSON is always returned as `json`.',
  },
  dest: {
    type: 'path',
    doc: 'Write the body to this file of the target (to a file of the URL’s name in a folder).',
  },
  ...attributes,
  unsafe_writes,
  creates: { type: 'path', doc: 'Do nothing when this file of the target is there.' },
  removes: { type: 'path', doc: 'Do nothing when this file of the target is not there.' },
  force: { type: 'bool', default: false, doc: 'Taken for compatibility: there is no cache.' },
} as const
export type UriArgs = Args<typeof uriParams>
/** Those that say how the connection is made. */
export type RouteArgs = Pick<
  RequestArgs,
  | 'from'
  | 'timeout'
  | 'validate_certs'
  | 'ciphers'
  | 'unix_socket'
  | 'ca_path'
  | 'client_cert'
  | 'client_key'
  | 'tls_fingerprint'
>

/** Throws E_PARAMS for what is no http URL. */
export function parseUrl(url: string | Secret): URL {
  const text = url instanceof Secret ? reveal(url) : url
  if (URL.canParse(text) && /^https?:/i.test(text)) return new URL(text)
  throw problem('E_PARAMS', `uri: ${url instanceof Secret ? url.toJSON() : text} is no http or https URL`, {
    hint: 'write http://host:port/path',
  })
}

/** User and password, from the options or from the URL, which loses them. */
export function credentialsOf(args: RequestArgs, url: URL): Credentials | undefined {
  const [user, password] = [decodePercent(url.username), decodePercent(url.password)]
  url.username = ''
  url.password = ''
  if (args.url_username !== undefined)
    return {
      user: args.url_username,
      password: args.url_password === undefined ? '' : reveal(args.url_password),
    }
  return user === '' ? undefined : { user, password }
}

const readRemote = sh`cat -- "$p_path"`
async function bodyOf(t: Target, args: RequestArgs): Promise<Body | undefined> {
  if (args.src === undefined)
    return args.body === undefined ? undefined : encodeBody(t, args.body, args.body_format)
  const contentType = contentTypes[args.body_format]
  if (!args.remote_src) return { bytes: await readFile(t.operator.find('files', args.src)), contentType }
  const ran = await t.run(readRemote, { path: args.src })
  if (ran.exit !== 0)
    throw problem('E_FILE', `${t.name}: ${args.src} cannot be read`, { hint: 'check the path' })
  return { bytes: ran.stdout, contentType }
}

/** The request as it is sent. Throws E_PARAMS for a header that is none, E_FILE for a body that cannot be read. */
export async function requestOf(t: Target, args: RequestArgs, url: URL): Promise<HttpRequest> {
  const body = await bodyOf(t, args)
  const headers = new Map([
    ['user-agent', args.http_agent],
    ['accept-encoding', 'identity'],
  ])
  if (body?.contentType !== undefined) headers.set('content-type', body.contentType)
  for (const [name, value] of args.headers ?? []) headers.set(plainText(name).toLowerCase(), plainText(value))
  const bad = [...headers].find(
    ([name, value]) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[\r\n\0]/.test(value),
  )
  if (bad)
    throw problem('E_PARAMS', `uri: the header ${JSON.stringify(bad[0])} cannot be sent`, {
      hint: 'a header is one line; its name has no blanks',
    })
  return { method: args.method.toUpperCase(), url, headers, body: body?.bytes }
}

/** 32 bytes in hex, with colons or without. Undefined when there is none, as in a variable that is empty. */
function parseFingerprint(given: string | Secret | undefined): string | undefined {
  const hex = given === undefined ? '' : plainText(given).replaceAll(':', '').toUpperCase()
  if (hex === '') return undefined
  if (/^[0-9A-F]{64}$/.test(hex)) return hex.replace(/..(?!$)/g, '$&:')
  throw problem('E_PARAMS', 'uri: tls_fingerprint is no SHA-256 fingerprint', {
    hint: 'openssl x509 -in CERTIFICATE -noout -fingerprint -sha256 prints it: 64 hex digits',
  })
}

/** How the connection is made. Throws E_FILE for a certificate that cannot be read. */
export async function routeOf(t: Target, args: RouteArgs): Promise<Route> {
  const pem = async (path: string | undefined) =>
    path === undefined ? undefined : readPem(t, args.from, path)
  const ca = await pem(args.ca_path)
  const cert = await pem(args.client_cert)
  const key = (await pem(args.client_key)) ?? cert
  return {
    from: args.from,
    unixSocket: args.unix_socket,
    timeoutMs: args.timeout * 1000,
    fingerprint: parseFingerprint(args.tls_fingerprint),
    tls: {
      rejectUnauthorized: args.validate_certs,
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(args.ciphers.length > 0 ? { ciphers: args.ciphers.join(':') } : {}),
    },
    tlsFiles: {
      ...(args.ca_path ? { ca: args.ca_path } : {}),
      ...(args.client_cert ? { cert: args.client_cert } : {}),
      ...(args.client_key ? { key: args.client_key } : {}),
    },
  }
}
