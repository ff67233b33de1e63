import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, ConnectConfig } from 'ssh2'
import { problem, RotaError } from '../core/error.ts'
import type { AcceptedLogin } from '../core/remote.ts'
import { type Auth, type KeyCache, loadAuth } from './auth.ts'
import { certificateAlgorithm } from './certificate.ts'
import type { Connection } from './connection.ts'
import { checkHostKey } from './host-key.ts'
import {
  type KnownHost,
  keyFingerprint,
  loadKnownHosts,
  orderAlgorithms,
  selectKnown,
} from './known-hosts.ts'
import { type Login, renderSsh } from './login.ts'
import { MOST_TRIES, Ssh2Connection } from './ssh2-connection.ts'
import { extendClient } from './ssh2-internals.ts'

export interface Ssh2Options {
  readonly login: Login
  readonly keys: KeyCache
  /** The raw connection, when it does not go over TCP from here. */
  openSocket?(): Promise<Duplex>
  /** How often a silent host is asked whether it is there; after the fourth silence the connection is lost. */
  readonly keepaliveIntervalMs: number
  /** Told of each login that is accepted. */
  onLogin?(login: AcceptedLogin): void
}

/** What ssh2 1.17.0 can verify, in OpenSSH's order of preference. */
const HOST_KEY_ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const

/** Connects and logs in. Throws E_UNREACHABLE, E_HOST_KEY or E_AUTH. */
export async function openSsh2(options: Ssh2Options): Promise<Connection> {
  const { default: ssh2 } = await import('ssh2')
  for (let left = MOST_TRIES - 1; ; left--) {
    const auth = await loadAuth(ssh2, options.login, options.keys)
    const socket = await options.openSocket?.()
    const attempt = await login(new ssh2.Client(), options, auth, socket)
    if (!(attempt instanceof Refused)) return attempt
    if (left === 0 || !attempt.isWorthRetrying) throw attempt.error
    await sleep(100 + Math.random() * 400 * (MOST_TRIES - left))
  }
}

class Refused {
  readonly error: RotaError
  readonly isWorthRetrying: boolean
  constructor(error: RotaError, isWorthRetrying: boolean) {
    this.error = error
    this.isWorthRetrying = isWorthRetrying
  }
}

function login(
  client: Client,
  options: Ssh2Options,
  auth: Auth,
  socket: Duplex | undefined,
): Promise<Connection | Refused> {
  const connection = new Ssh2Connection(client, options.login)
  return new Promise(resolve => {
    let hostKeyError: RotaError | undefined
    let verified: Buffer | undefined
    let isHandshakeDone = false
    const refuse = (cause: Error): void => {
      const error = hostKeyError ?? explain(cause, options.login, auth)
      const isDropped = /before handshake|ECONNRESET/.test(cause.message) && !isHandshakeDone
      resolve(new Refused(error, isDropped))
      client.destroy()
    }
    client.on('handshake', () => {
      isHandshakeDone = true
    })
    client.on('ready', () => {
      const { name, host, port, user } = options.login
      const hostKey = keyFingerprint(verified?.toString('base64') ?? '')
      options.onLogin?.({ name, address: `${host}:${port}`, user, by: auth.accepted(), hostKey })
      resolve(connection)
    })
    // Stays: ssh2 may emit a second error after the first, and one that nobody hears ends the process.
    client.on('error', error => {
      // An agent that does not sign is one attempt that failed; the next one is on its way.
      if ('level' in error && error.level === 'agent') return
      connection.fail(error.message)
      refuse(error)
    })
    client.on('close', () => {
      connection.fail('the connection was closed')
      refuse(new Error('the host closed the connection'))
    })
    client.on('change password', () => refuse(new Error('the password has expired and must be changed')))
    const verify = (key: Buffer): boolean => {
      // Each exchange of keys asks again.
      if (verified?.equals(key)) return true
      try {
        checkHostKey(options.login, loadKnownHosts(options.login.knownHostsFiles), key)
        verified = Buffer.from(key)
        return true
      } catch (error) {
        hostKeyError = error instanceof RotaError ? error : undefined
        return false
      }
    }
    const known = selectKnown(
      loadKnownHosts(options.login.knownHostsFiles),
      options.login.knownAs,
      options.login.knownPort,
    )
    client.connect({
      ...configOf(options, auth, known),
      hostVerifier: verify,
      ...(socket && { sock: socket }),
    })
    client.setNoDelay(true)
    extendClient(client, certificateAlgorithms(known))
  })
}

/** Certificates are asked for where an authority is known, as ssh does; else a host shows its plain key. */
function certificateAlgorithms(known: readonly KnownHost[]): string[] {
  const isAsked = known.some(entry => entry.marker === 'cert-authority')
  return isAsked ? HOST_KEY_ALGORITHMS.map(certificateAlgorithm) : []
}

function configOf(
  { login, keepaliveIntervalMs }: Ssh2Options,
  auth: Auth,
  known: readonly KnownHost[],
): ConnectConfig {
  return {
    host: login.host,
    port: login.port,
    username: login.user,
    readyTimeout: login.connectTimeoutMs,
    keepaliveInterval: keepaliveIntervalMs,
    keepaliveCountMax: 3,
    algorithms: {
      serverHostKey: orderAlgorithms(HOST_KEY_ALGORITHMS, known) as (typeof HOST_KEY_ALGORITHMS)[number][],
    },
    authHandler: auth.handler,
  }
}

function explain(cause: Error & { level?: string; code?: string }, login: Login, auth: Auth): RotaError {
  const where = `${login.user}@${login.host}:${login.port}`
  if (cause.level === 'client-authentication' || /authentication|expired/i.test(cause.message))
    return problem('E_AUTH', `${login.name}: ${where} refused the login: ${auth.describe()}`, {
      hint: `try: ${renderSsh(login)}`,
      cause,
    })
  const isAlgorithm = /no matching/i.test(cause.message)
  const isTimeout = cause.level === 'client-timeout'
  const message = isTimeout ? `no answer within ${login.connectTimeoutMs / 1000} s` : cause.message
  return problem('E_UNREACHABLE', `${login.name}: cannot connect to ${where}: ${message}`, {
    hint: isAlgorithm
      ? 'set ansible_connection: openssh for the host, to use what the system’s ssh can do'
      : `try: ${renderSsh(login)}`,
    cause,
  })
}
