import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, ClientChannel } from 'ssh2'
import { problem, type RotaError } from '../core/error.ts'
import type { Ended, Session } from '../core/remote.ts'
import type { Channel, Connection } from './connection.ts'
import type { Login } from './login.ts'

/** sshd drops connections at random while many are logging in (MaxStartups); so often one is tried again. */
export const MOST_TRIES = 6
/** sshd refuses channels beyond MaxSessions (10 by default) until one ends; so often one is tried again. */
const MOST_CHANNEL_TRIES = 100
const CHANNEL_RETRY_MS = 100

/** The channels of a connection that is logged in. */
export class Ssh2Connection implements Connection {
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
        await sleep(CHANNEL_RETRY_MS)
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
    const limitMs = this.#login.connectTimeoutMs
    let timer: NodeJS.Timeout | undefined
    const opened = new Promise<T>((resolve, reject) => {
      let isLate = false
      timer = setTimeout(() => {
        isLate = true
        reject(new Error(`no answer within ${limitMs / 1000} s`))
      }, limitMs)
      ask((error, channel) => {
        if (error) reject(error)
        else if (isLate) channel.on('error', () => {}).close()
        else resolve(use(channel))
      })
    })
    const used = await Promise.race([this.#closed, opened]).finally(() => clearTimeout(timer))
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
