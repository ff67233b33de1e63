import { readFile } from 'node:fs/promises'
import { connect as connectSocket, isIPv6 as isIpv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Client } from 'undici'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'

/** Where the connection is made and how it is secured. */
export interface Route {
  readonly from: 'target' | 'operator'
  readonly unixSocket: string | undefined
  readonly timeoutMs: number
  readonly tls: ConnectionOptions
  /** SHA-256 of the only certificate that is taken, in capital hex pairs with colons; who signed it does not count then. */
  readonly fingerprint?: string | undefined
  /** Paths as given, for a curl on the target. */
  readonly tlsFiles: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Who is between here and a URL. */
  readonly proxyOf?: ((url: URL) => HttpProxy | undefined) | undefined
}

/** The request did not get an answer. `message` is for people. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Where a connection goes. */
export interface Place {
  readonly host: string
  readonly port: number
  /** Its connections go through this. */
  readonly via?: HttpProxy
}

/** An HTTP proxy; `authorization` and `url` hold its password. */
export interface HttpProxy {
  readonly host: string
  readonly port: number
  readonly authorization?: string
  /** As the environment has it, for a curl on the target. */
  readonly url: Secret
}

function openLocally(route: Route, { host, port }: Place): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = route.unixSocket
      ? connectSocket(route.unixSocket)
      : connectSocket({ host, port, autoSelectFamily: true })
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** A connection by the target's sshd, or from the operator's machine. Rejects with NoAnswer when a proxy does not let it through. */
export async function openChannel(t: Target, route: Route, place: Place): Promise<Duplex> {
  const { host, port, via } = place
  if (via !== undefined) return connectThrough(await openChannel(t, route, via), route, place, via)
  if (route.from === 'operator') return openLocally(route, place)
  return t.forward(route.unixSocket ? { socket: route.unixSocket } : { host, port })
}

/** HTTP/1.1 over an open channel. */
export async function openClient(channel: Duplex, { timeoutMs }: Route, origin: string): Promise<Client> {
  // Loaded when it is needed: it takes longer to load than all the rest of a small run.
  const undici = (await import('undici')).default
  return new undici.Client(origin, {
    // Not at once: undici would still take itself to be connecting, and wait for ever.
    connect: (_options, done) => process.nextTick(done, null, asSocket(channel)),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
}

/** undici keeps sockets from holding the process open; a forwarded channel has no such switch. */
function asSocket(channel: Duplex): Duplex {
  const bare = channel as Duplex & { ref?: unknown; unref?: unknown }
  return 'ref' in bare ? bare : Object.assign(channel, { ref: () => channel, unref: () => channel })
}

/** A tunnel to the place, by the CONNECT of RFC 9110. */
async function connectThrough(channel: Duplex, route: Route, place: Place, via: HttpProxy): Promise<Duplex> {
  const client = await openClient(channel, route, `http://${isIpv6(via.host) ? `[${via.host}]` : via.host}`)
  const to = `${isIpv6(place.host) ? `[${place.host}]` : place.host}:${place.port}`
  const headers = via.authorization === undefined ? {} : { 'proxy-authorization': via.authorization }
  const { statusCode, socket } = await client.connect({ path: to, headers: { host: to, ...headers } })
  if (statusCode >= 200 && statusCode < 300) return socket
  channel.destroy()
  throw new NoAnswer(`Tunnel connection failed: the proxy answers ${statusCode}`)
}

/** A connection, or NoAnswer when it takes longer than the task's timeout; one that comes too late is closed. */
export async function inTime(route: Route, opening: Promise<Duplex>): Promise<Duplex> {
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

/** TLS over a connection. Rejects when the certificate is not the one that the route wants. */
export function secure(channel: Duplex, { host }: Place, { tls, fingerprint }: Route): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const servername = /^[\d.]+$|:/.test(host) ? '' : host
    const pinned = fingerprint === undefined ? {} : { rejectUnauthorized: false }
    const socket = connectTls({ ...tls, ...pinned, socket: channel, host, servername })
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      const found = socket.getPeerX509Certificate()?.fingerprint256
      if (fingerprint === undefined || found === fingerprint) return resolve(socket)
      socket.destroy()
      reject(new NoAnswer(`the server shows another certificate than the pinned one: ${found}`))
    })
    socket.once('error', reject)
  })
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
/** Whether a certificate was refused: OpenSSL's X509_V_ERR names, as Node has them, and Node's own for a name that is not in it. */
const isRefused = (error: unknown): boolean =>
  /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|^CRL_/.test(String(codeOf(error) ?? ''))
export function describe(error: unknown): string {
  const text = (error instanceof Error && error.message) || String(codeOf(error) ?? error)
  return isRefused(error)
    ? `Failed to validate the SSL certificate: certificate verify failed: ${text}`
    : text
}
const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | undefined)?.code

/** TLS as the host would do it: when Node's own list of authorities is not enough, the host's list decides. */
export async function openSecure(t: Target, route: Route, place: Place, channel: Duplex): Promise<Duplex> {
  try {
    return await inTime(route, secure(channel, place, route))
  } catch (error) {
    channel.destroy()
    const own = route.from === 'operator' || route.tls.ca !== undefined
    if (own || !untrusted.has(String(codeOf(error)))) throw error
    const trust = await t.run(hostTrust)
    if (trust.exit !== 0) throw error
    const again = await inTime(route, openChannel(t, route, place))
    return inTime(route, secure(again, place, { ...route, tls: { ...route.tls, ca: trust.stdout } }))
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
