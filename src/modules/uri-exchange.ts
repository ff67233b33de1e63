import type { Duplex } from 'node:stream'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { plainText } from './uri-body.ts'
import {
  describe,
  type HttpProxy,
  inTime,
  NoAnswer,
  openChannel,
  openClient,
  openSecure,
  type Place,
  type Route,
} from './uri-channel.ts'

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
  /** The server's words for the status, `Not Found`. */
  readonly reason: string
  /** Names in lower case; several of one name joined by `, `, but for set-cookie. */
  readonly headers: ReadonlyMap<string, string>
  readonly setCookies: readonly string[]
  readonly body: Buffer
}

const placeOf = (url: URL): Place => ({
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
})

/** One request over an open channel. A proxy that is spoken to in plain gets the whole URL: RFC 9112, section 3.2.2. */
async function speak(
  channel: Duplex,
  route: Route,
  request: HttpRequest,
  proxy: HttpProxy | undefined,
): Promise<HttpResponse> {
  const client = await openClient(channel, route, request.url.origin)
  const path = `${request.url.pathname}${request.url.search}`
  try {
    const response = await client.request({
      path: proxy ? request.url.origin + path : path,
      method: request.method as 'GET',
      headers: {
        ...Object.fromEntries(request.headers),
        ...(proxy?.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      },
      body: request.body ?? null,
    })
    const cookies = response.headers['set-cookie']
    const headers = Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    )
    return {
      status: response.statusCode,
      reason: response.statusText,
      headers: new Map(headers),
      setCookies: cookies === undefined ? [] : Array.isArray(cookies) ? cookies : [cookies],
      body: Buffer.from(await response.body.arrayBuffer()),
    }
  } finally {
    // Not awaited: it waits for the channel to close, for ever when the server was quicker and that has passed.
    client.destroy().catch(() => {})
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
  const proxy = route.unixSocket ? undefined : route.proxyOf?.(request.url)
  const { ca, cert, key } = route.tlsFiles
  if (route.fingerprint !== undefined)
    throw new NoAnswer('tls_fingerprint cannot be given to curl on the target; use from: operator')
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
    ...(proxy
      ? [configLine('proxy', plainText(proxy.url)), configLine('noproxy', ''), 'suppress-connect-headers']
      : [configLine('noproxy', '*')]),
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
  const [, code, reason = ''] = /^HTTP\/\S+ (\d{3}) ?(.*)/.exec(first) ?? []
  const status = Number(code)
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
    reason,
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

/**
 * One request, one answer. From the target the connection is made by its sshd and HTTP and TLS are spoken here, so that
 * no secret is on the host; where forwarding does not work, the host's curl gets all of it by stdin. Throws NoAnswer.
 */
export async function exchange(t: Target, route: Route, request: HttpRequest): Promise<HttpResponse> {
  const proxy = route.unixSocket ? undefined : route.proxyOf?.(request.url)
  const isSecure = request.url.protocol === 'https:'
  const own = placeOf(request.url)
  const place = proxy === undefined ? own : isSecure ? { ...own, via: proxy } : proxy
  let channel: Duplex
  try {
    channel = await inTime(route, openChannel(t, route, place))
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    // Whether forwarding is forbidden or nobody listens is not told apart here: the host's own curl knows.
    if (route.from === 'target' && (await t.run(haveCurl)).exit === 0) return runCurl(t, route, request)
    throw new NoAnswer(t.redactor.clean(describe(error)))
  }
  try {
    if (isSecure) channel = await openSecure(t, route, place, channel)
    return await speak(channel, route, request, isSecure ? undefined : proxy)
  } catch (error) {
    channel.destroy()
    // Throws what is wrong with the link to the target, should it be that and not the server.
    if (route.from === 'target') await t.run(alive)
    throw new NoAnswer(t.redactor.clean(describe(error)))
  }
}
