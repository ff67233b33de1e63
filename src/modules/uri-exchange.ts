import { readFile } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'

/** One request as it goes over the wire. Holds secrets in plain: it is sent and never shown. */
export interface HttpRequest {
  readonly method: string
  readonly url: URL
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer | undefined
}
export interface HttpResponse {
  readonly status: number
  /** Names in lower case; several of one name joined by `, `, but for set-cookie. */
  readonly headers: ReadonlyMap<string, string>
  readonly setCookies: readonly string[]
  readonly body: Buffer
}

/** Where the connection is made and how it is secured. */
export interface Route {
  readonly from: 'target' | 'operator'
  readonly unixSocket: string | undefined
  readonly timeoutMs: number
  readonly tls: ConnectionOptions
  /** Paths as given, for a curl on the target. */
  readonly tlsFiles: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** The request did not get an answer. `message` is for people. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

function openLocally(route: Route, url: URL): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = route.unixSocket
      ? connectSocket(route.unixSocket)
      : connectSocket({ host: hostOf(url), port: portOf(url), autoSelectFamily: true })
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

function openChannel(t: Target, route: Route, url: URL): Promise<Duplex> {
  if (route.from === 'operator') return openLocally(route, url)
  const to = route.unixSocket ? { socket: route.unixSocket } : { host: hostOf(url), port: portOf(url) }
  return t.forward(to)
}

/** A connection, or NoAnswer when it takes longer than the task's timeout; one that comes too late is closed. */
async function inTime(route: Route, opening: Promise<Duplex>): Promise<Duplex> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NoAnswer('connecting took too long')), route.timeoutMs)
  })
  try {
    const channel = await Promise.race([opening, late])
    // Whoever waits for an answer hears of it; an error after that must not end the process.
    return channel.on('error', () => {})
  } catch (error) {
    opening.then(
      channel => channel.destroy(),
      () => {},
    )
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function secure(channel: Duplex, url: URL, tls: ConnectionOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const servername = /^[\d.]+$|:/.test(hostOf(url)) ? '' : hostOf(url)
    const socket = connectTls({ ...tls, socket: channel, host: hostOf(url), servername })
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** undici keeps sockets from holding the process open; a forwarded channel has no such switch. */
function asSocket(channel: Duplex): Duplex {
  const bare = channel as Duplex & { ref?: unknown; unref?: unknown }
  return 'ref' in bare ? bare : Object.assign(channel, { ref: () => channel, unref: () => channel })
}

/** HTTP/1.1 over an open channel, by undici. */
async function speak(channel: Duplex, route: Route, request: HttpRequest): Promise<HttpResponse> {
  // Loaded when it is needed: it takes longer to load than all the rest of a small run.
  const { Client } = (await import('undici')).default
  const client = new Client(request.url.origin, {
    // Not at once: undici would still take itself to be connecting, and wait for ever.
    connect: (_options, done) => process.nextTick(done, null, asSocket(channel)),
    headersTimeout: route.timeoutMs,
    bodyTimeout: route.timeoutMs,
  })
  try {
    const response = await client.request({
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method as 'GET',
      headers: Object.fromEntries(request.headers),
      body: request.body ?? null,
    })
    const cookies = response.headers['set-cookie']
    const headers = Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    )
    return {
      status: response.statusCode,
      headers: new Map(headers),
      setCookies: cookies === undefined ? [] : Array.isArray(cookies) ? cookies : [cookies],
      body: Buffer.from(await response.body.arrayBuffer()),
    }
  } finally {
    await client.destroy()
    channel.destroy()
  }
}

const haveCurl = sh`command -v curl >/dev/null 2>&1`
const curl = sh`curl -q --config -`
const alive = sh`:`

/** A line of curl's config file (curl(1), --config): every value quoted, so no byte of it is an option. */
function configLine(name: string, value: string): string {
  const quoted = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
  return `${name} = "${quoted}"`
}

function renderConfig(route: Route, request: HttpRequest): Secret {
  const { ca, cert, key } = route.tlsFiles
  if (request.body?.includes(0))
    throw new NoAnswer('a body with NUL bytes cannot be given to curl on the target; use from: operator')
  const lines = [
    'silent',
    'show-error',
    'include',
    'http1.1',
    'globoff',
    configLine('url', request.url.href),
    request.method === 'HEAD' ? 'head' : configLine('request', request.method),
    configLine('max-time', String(route.timeoutMs / 1000)),
    configLine('noproxy', '*'),
    ...[...request.headers].map(([name, value]) => configLine('header', `${name}: ${value}`)),
    ...(request.body === undefined ? [] : [configLine('header', 'expect:')]),
    ...(request.body === undefined ? [] : [configLine('data-raw', request.body.toString('utf8'))]),
    ...(route.unixSocket === undefined ? [] : [configLine('unix-socket', route.unixSocket)]),
    ...(route.tls.rejectUnauthorized === false ? ['insecure'] : []),
    ...(ca === undefined ? [] : [configLine('cacert', ca)]),
    ...(cert === undefined ? [] : [configLine('cert', cert)]),
    ...(key === undefined ? [] : [configLine('key', key)]),
  ]
  return new Secret(`${lines.join('\n')}\n`, 'request')
}

/** The answer as `curl --include` prints it; interim 1xx answers come first and are left out. */
function parseIncluded(bytes: Buffer): HttpResponse {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/\S+ (\d{3})/.exec(first)?.[1])
  if (end < 0 || Number.isNaN(status)) throw new NoAnswer('curl gave something that is not HTTP')
  const body = bytes.subarray(end + 4)
  if (status >= 100 && status < 200) return parseIncluded(body)
  const pairs = lines.map(line => {
    const at = line.indexOf(':')
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const
  })
  const headers = new Map<string, string>()
  for (const [name, value] of pairs)
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value)
  return {
    status,
    headers,
    setCookies: pairs.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    body,
  }
}

async function runCurl(t: Target, route: Route, request: HttpRequest): Promise<HttpResponse> {
  const ran = await t.run(
    curl,
    {},
    { stdin: renderConfig(route, request), timeoutMs: route.timeoutMs + 5000 },
  )
  if (ran.exit !== 0)
    throw new NoAnswer(t.redactor.clean(ran.stderr.toString('utf8').trim() || `curl ended with ${ran.exit}`))
  return parseIncluded(ran.stdout)
}

const hostTrust = sh`
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  if [ -r "$file" ]; then cat "$file"; exit 0; fi
done
exit 1
`
/** OpenSSL's reasons for "nobody I trust signed this", as Node names them. */
const untrusted = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
])
const describe = (error: unknown): string =>
  (error instanceof Error && error.message) || String(codeOf(error) ?? error)
const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | undefined)?.code

/** TLS as the host would do it: when Node's own list of authorities is not enough, the host's list decides. */
async function openSecure(t: Target, route: Route, url: URL, channel: Duplex): Promise<Duplex> {
  try {
    return await inTime(route, secure(channel, url, route.tls))
  } catch (error) {
    channel.destroy()
    const own = route.from === 'operator' || route.tls.ca !== undefined
    if (own || !untrusted.has(String(codeOf(error)))) throw error
    const trust = await t.run(hostTrust)
    if (trust.exit !== 0) throw error
    const again = await inTime(route, openChannel(t, route, url))
    return inTime(route, secure(again, url, { ...route.tls, ca: trust.stdout }))
  }
}

/**
 * One request, one answer. From the target the connection is made by its sshd and HTTP and TLS are spoken here, so that
 * no secret is on the host; where forwarding does not work, the host's curl gets all of it by stdin. Throws NoAnswer.
 */
export async function exchange(t: Target, route: Route, request: HttpRequest): Promise<HttpResponse> {
  let channel: Duplex
  try {
    channel = await inTime(route, openChannel(t, route, request.url))
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    // Whether forwarding is forbidden or nobody listens is not told apart here: the host's own curl knows.
    if (route.from === 'target' && (await t.run(haveCurl)).exit === 0) return runCurl(t, route, request)
    throw new NoAnswer(t.redactor.clean(describe(error)))
  }
  try {
    if (request.url.protocol === 'https:') channel = await openSecure(t, route, request.url, channel)
    return await speak(channel, route, request)
  } catch (error) {
    channel.destroy()
    // Throws what is wrong with the link to the target, should it be that and not the server.
    if (route.from === 'target') await t.run(alive)
    throw new NoAnswer(t.redactor.clean(describe(error)))
  }
}

const readOnTarget = sh`cat -- "$p_path"`

/** A certificate or key: from the target or from the operator's machine, as the request itself. Throws E_FILE. */
export async function readPem(t: Target, from: Route['from'], path: string): Promise<Buffer> {
  if (from === 'operator') return readFile(path)
  const ran = await t.run(readOnTarget, { path })
  if (ran.exit !== 0)
    throw problem('E_FILE', `${t.name}: ${path} cannot be read`, {
      hint: 'check the path and the rights on the target',
    })
  return ran.stdout
}
