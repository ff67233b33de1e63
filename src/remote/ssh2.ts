import type { Duplex } from 'node:stream'
import type { Client, ClientChannel, ConnectConfig } from 'ssh2'
import { problem, RotaError } from '../core/error.ts'
import type { AcceptedLogin, Ended, Session } from '../core/remote.ts'
import { type Auth, type KeyCache, loadAuth } from './auth.ts'
import { certificateAlgorithm } from './certificate.ts'
import type { Channel, Connection } from './connection.ts'
import { checkHostKey } from './host-key.ts'
import {
  type KnownHost,
  keyFingerprint,
  loadKnownHosts,
  orderAlgorithms,
  selectKnown,
} from './known-hosts.ts'
import { type Login, renderSsh } from './login.ts'
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

/** sshd refuses connections at random while many are logging in (MaxStartups); so many are tried again. */
const MOST_TRIES = 6
/** sshd refuses channels beyond MaxSessions (10 by default) until one ends; so often one is tried again. */
const MOST_CHANNEL_TRIES = 100
const CHANNEL_RETRY_MS = 100

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Connects and logs in. Throws E_UNREACHABLE, E_HOST_KEY or E_AUTH. */
export async function openSsh2(options: Ssh2Options): Promise<Connection> {
  const { default: ssh2 } = await import('ssh2')
  for (let left = MOST_TRIES - 1; ; left--) {
    const auth = await loadAuth(ssh2, options.login, options.keys)
    const socket = await options.openSocket?.()
    const attempt = await login(new ssh2.Client(), options, auth, socket)
    if (!(attempt instanceof Refused)) return attempt
    if (left === 0 || !attempt.isWorthRetrying) throw attempt.error
    await wait(100 + Math.random() * 400 * (MOST_TRIES - left))
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

class Ssh2Connection implements Connection {
  isOver = false
  readonly #client: Client
  readonly #login: Login
  readonly #closed: Promise<undefined>
  #why: string | undefined

  constructor(client: Client, login: Login) {
    this.#client = client
    this.#login = login
    this.#closed = new Promise(resolve => {
      client.once('close', () => resolve(undefined))
    })
  }

  /** The first reason is the true one. */
  fail(why: string): void {
    this.isOver = true
    this.#why ??= why
  }

  async start(command: string): Promise<Channel> {
    for (let tried = 1; ; tried++)
      try {
        return await this.#open(
          done => this.#client.exec(command, done),
          channel => this.#link(channel),
        )
      } catch (cause) {
        if (this.isOver || !isWorthRetrying(cause, tried)) throw this.#refused(cause)
        await wait(CHANNEL_RETRY_MS)
      }
  }

  async forward(to: Parameters<Session['forward']>[0]): Promise<Duplex> {
    try {
      return await this.#open(
        done => {
          if ('socket' in to) this.#client.openssh_forwardOutStreamLocal(to.socket, done)
          else this.#client.forwardOut('127.0.0.1', 0, to.host, to.port, done)
        },
        channel => {
          channel.stderr.resume()
          return channel
        },
      )
    } catch (cause) {
      throw this.#refused(cause)
    }
  }

  close(): void {
    this.fail('the connection was closed')
    this.#client.end()
  }

  /** `use` is called at once: data, exit status and close may come in the same packet as the confirmation. */
  async #open<T extends object>(
    ask: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    use: (channel: ClientChannel) => T,
  ): Promise<T> {
    if (this.isOver) throw new Error(this.#why)
    const opened = new Promise<T>((resolve, reject) => {
      ask((error, channel) => (error ? reject(error) : resolve(use(channel))))
    })
    const used = await Promise.race([this.#closed, opened])
    if (used === undefined) throw new Error(this.#why)
    return used
  }

  #refused(cause: unknown): RotaError {
    const { name } = this.#login
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = this.isOver
      ? `the connection to ${name} is lost: ${why}`
      : `${name} does not open a channel: ${why}`
    return problem('E_UNREACHABLE', message, { cause })
  }

  #link(channel: ClientChannel): Channel {
    let exit: Ended | undefined
    const exited = new Promise<void>(resolve => {
      channel.on('exit', (code: number | null, signal?: string) => {
        exit = code === null ? { signal: signal ?? 'an unknown signal' } : { code }
        resolve()
      })
    })
    channel.on('error', () => {})
    let close = (): void => {}
    const ended = new Promise<Ended>(resolve => {
      const end = (): void => resolve(exit ?? { unknown: this.#unknown() })
      close = () => {
        channel.close()
        channel.destroy()
        end()
      }
      channel.on('close', end)
      void this.#closed.then(end)
    })
    return { stdin: channel, stdout: channel, stderr: channel.stderr, ended, exited, close }
  }

  #unknown(): string {
    const why = this.#why ?? 'the channel closed without an exit status'
    return `the link to ${this.#login.name} was lost after it was sent: ${why}`
  }
}

/**
 * Reason 2 with these words, or 4 (RESOURCE_SHORTAGE), is what a server at its MaxSessions answers. Dropbear now and
 * then closes a channel that takes the number of one just closed, without an answer to `exec`; trying that again does
 * no harm, since what is started does nothing before it is written to.
 */
function isWorthRetrying(cause: unknown, tried: number): boolean {
  if (!(cause instanceof Error)) return false
  if (cause.message === 'Unable to exec') return tried < MOST_TRIES
  if (!('reason' in cause) || tried >= MOST_CHANNEL_TRIES) return false
  return cause.reason === 4 || (cause.reason === 2 && cause.message.endsWith(': open failed'))
}
