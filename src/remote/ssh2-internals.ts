// All that reaches into ssh2: certificates, which it does not know, a round trip saved, packets sent whole. The rest of rota uses its
// documented interface only. Written against ssh2 1.17.0, lib/protocol/kex.js and lib/protocol/Protocol.js; another
// version is refused. Were something misunderstood here, the signature of the key exchange would not verify.
import type { Writable } from 'node:stream'
import type { BaseAgent, Client, ParsedKey } from 'ssh2'
import { problem } from '../core/error.ts'
import { TOUCH_MS } from './agent.ts'
import { isCertificateType, parseCertificate, plainType } from './certificate.ts'
import { wireString } from './wire.ts'

type Ssh2 = typeof import('ssh2')
type Sign = (data: Buffer, done: (signature: Buffer) => void) => void

/** The version that this file has been written against. */
export const SSH2_VERSION = '1.17.0'

interface KeyExchange {
  readonly negotiated: { serverHostKey: string }
  _hostKey: Buffer | undefined
  finish(...args: unknown[]): unknown
  getPublicKey(): Buffer
}

interface List {
  readonly array: readonly string[]
}
interface Direction<T> {
  readonly cipher: T
  readonly mac: T
  readonly compress: T
  readonly lang: T
}
interface Offer<T> {
  readonly kex: T
  readonly serverHostKey: T
  readonly cs: Direction<T>
  readonly sc: Direction<T>
}
interface KexInit {
  readonly lists: Offer<List>
  readonly constructor: new (offer: Offer<readonly string[]>) => KexInit
}

interface Protocol {
  readonly _identRaw: Buffer
  _offer: KexInit
  _kex: KeyExchange | undefined
  readonly _kexinit: Buffer | undefined
  _queue: Buffer[] | undefined
  readonly _authsQueue: string[]
  readonly _handlers: {
    GLOBAL_REQUEST(protocol: Protocol, name: string, isAnswerWanted: boolean, data: unknown): void
  }
  readonly _cipher: { encrypt(packet: Buffer): void }
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number
      alloc(size: number): Buffer
      finalize(packet: Buffer): Buffer
    }
  }
  authPK(username: string, key: ParsedKey, algorithm?: string, sign?: Sign): void
  requestFailure(): void
}

interface Internals {
  _protocol?: Protocol
  readonly _sock: Writable
  _readyTimeout?: NodeJS.Timeout
}

/** Which ssh2 a client is of, once it connects. It says so to the server, too. */
export function ssh2Version(client: Client): string {
  const ident = (client as unknown as Internals)._protocol?._identRaw.toString() ?? ''
  return /^SSH-2\.0-ssh2js(.*)$/.exec(ident)?.[1] ?? 'unknown'
}

/**
 * Teaches a client host certificates, user certificates and security keys. To be called right after `connect`, before
 * anything has been received. `certificateAlgorithms`: those of the host's that are asked for before its plain keys. The
 * verifier then gets the certificate, and has to check all of it but the signature of the key exchange.
 * Throws E_BUG for another version of ssh2 than the one this is written against.
 */
export function extendClient(client: Client, certificateAlgorithms: readonly string[]): void {
  const internals = client as unknown as Internals
  const protocol = internals._protocol
  if (protocol === undefined || ssh2Version(client) !== SSH2_VERSION) {
    client.destroy()
    throw problem('E_BUG', `rota needs ssh2 ${SSH2_VERSION}, this is ${ssh2Version(client)}`)
  }
  if (certificateAlgorithms.length > 0) acceptHostCertificates(protocol, certificateAlgorithms)
  extendAuth(internals, protocol)
  joinWrites(internals._sock)
  ignoreHostKeys(protocol)
}

/** ssh2 writes a packet in three pieces, each a system call and a TCP segment: what is written in one turn goes out as one. */
function joinWrites(socket: Writable): void {
  const write = socket.write.bind(socket)
  let isHeld = false
  socket.write = (...args: unknown[]) => {
    if (!isHeld) {
      isHeld = true
      socket.cork()
      process.nextTick(() => {
        isHeld = false
        socket.uncork()
      })
    }
    return (write as (...args: unknown[]) => boolean)(...args)
  }
}

/** OpenSSH names all its host keys after the login. ssh2 has each of them proved, a signature by the host, and nobody asks for that here. */
function ignoreHostKeys({ _handlers: handlers }: Protocol): void {
  const answer = handlers.GLOBAL_REQUEST
  handlers.GLOBAL_REQUEST = (protocol, name, isAnswerWanted, data) => {
    if (!name.startsWith('hostkeys-')) answer(protocol, name, isAnswerWanted, data)
    else if (isAnswerWanted) protocol.requestFailure()
  }
}

function acceptHostCertificates(protocol: Protocol, algorithms: readonly string[]): void {
  const { lists } = protocol._offer
  const direction = (of: Direction<List>): Direction<readonly string[]> => ({
    cipher: of.cipher.array,
    mac: of.mac.array,
    compress: of.compress.array,
    lang: of.lang.array,
  })
  protocol._offer = new protocol._offer.constructor({
    kex: lists.kex.array,
    serverHostKey: [...algorithms, ...lists.serverHostKey.array],
    cs: direction(lists.cs),
    sc: direction(lists.sc),
  })
  let current = protocol._kex
  Object.defineProperty(protocol, '_kex', {
    get: () => current,
    set: (exchange: KeyExchange) => {
      current = exchange
      if (isCertificateType(exchange.negotiated.serverHostKey)) adaptExchange(exchange)
    },
  })
}

/**
 * One exchange of keys with a host that shows a certificate. ssh2 compares the negotiated algorithm first with the type of
 * what is shown (RSA's has several algorithms), then, in `finish`, with that of the signature, which is the plain one.
 * `finish` hashes what was shown, then asks for our own public key to hash that, and then verifies with the plain key.
 */
function adaptExchange(exchange: KeyExchange): void {
  const { negotiated } = exchange
  const algorithm = plainType(negotiated.serverHostKey)
  if (algorithm.startsWith('rsa-'))
    negotiated.serverHostKey = negotiated.serverHostKey.replace(/^rsa-sha2-\d+/, 'ssh-rsa')
  const finish = exchange.finish
  exchange.finish = (...args) => {
    negotiated.serverHostKey = algorithm
    const getPublicKey = exchange.getPublicKey
    exchange.getPublicKey = () => {
      const shown = exchange._hostKey
      exchange._hostKey = (shown && parseCertificate(shown)?.key) ?? shown
      return getPublicKey.call(exchange)
    }
    return finish.apply(exchange, args)
  }
}

/** Keys whose signatures go to the server just as they are. */
const borrowed = new WeakSet<ParsedKey>()

/** What ssh2 is to offer to a server, of a kind that it does not know. */
export interface BorrowedKey {
  /** The algorithm to log in with, as in `rsa-sha2-512-cert-v01@openssh.com`. */
  readonly algorithm: string
  /** Wire format. */
  readonly publicKey: Buffer
  readonly comment: string
  /** Signs at once, in wire format. Without it, the key is an agent's. */
  readonly sign?: (data: Buffer) => Buffer
}

/** A key that ssh2 takes for one that it has parsed. */
export function borrowKey(ssh2: Ssh2, key: BorrowedKey): ParsedKey {
  const standIn = ssh2.utils.parseKey(
    `ssh-ed25519 ${Buffer.concat([wireString('ssh-ed25519'), wireString(Buffer.alloc(32))]).toString('base64')}`,
  )
  if (standIn instanceof Error) throw standIn
  const parsed: ParsedKey = Object.create(standIn, {
    type: { value: key.algorithm },
    comment: { value: key.comment },
    getPublicSSH: { value: () => key.publicKey },
    isPrivateKey: { value: () => key.sign !== undefined },
    sign: { value: key.sign },
  })
  borrowed.add(parsed)
  return parsed
}

/** An agent with one key: ssh2 would offer all keys of one in a row, and run into MaxAuthTries. */
export function oneKeyAgent(
  ssh2: Ssh2,
  key: ParsedKey,
  sign: (data: Buffer, hash: string | undefined) => Promise<Buffer>,
): BaseAgent {
  class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      done(undefined, [key])
    }
    override sign(_key: ParsedKey, data: Buffer, options: unknown, done?: unknown): void {
      const { hash } = options as { readonly hash?: string }
      const finish = done as (error: Error | undefined, signature?: Buffer) => void
      sign(data, hash).then(
        signature => finish(undefined, signature),
        error => finish(error),
      )
    }
  }
  return new OneKeyAgent() as BaseAgent
}

/**
 * Saves a round trip: ssh2 first asks whether a key would do, and signs only then. With a private key at hand the
 * signature is sent at once (RFC 4252 §7 allows it). Signatures of borrowed keys are sent as they are.
 */
function extendAuth(internals: Internals, protocol: Protocol): void {
  const ask = protocol.authPK.bind(protocol)
  protocol.authPK = (username, key, algorithm, sign) => {
    if (borrowed.has(key)) {
      const signer: Sign | undefined = key.isPrivateKey() ? (data, done) => done(key.sign(data)) : sign
      if (signer === undefined) ask(username, key, algorithm)
      else {
        if (key.type.startsWith('sk-')) waitForTouch(internals)
        ask(username, key, algorithm, data =>
          signer(data, signature => sendSigned(protocol, data, signature)),
        )
      }
    } else if (sign !== undefined || !key.isPrivateKey()) ask(username, key, algorithm, sign)
    else {
      const hash = algorithm?.startsWith('rsa-sha2-') ? algorithm.replace('rsa-sha2-', 'sha') : undefined
      ask(username, key, algorithm ?? key.type, (data, done) => {
        const signature = key.sign(data, hash) as Buffer | Error
        if (!(signature instanceof Error)) done(signature)
        else ask(username, key, algorithm)
      })
    }
  }
}

/** Sends a request to log in: what was signed, without the session's id before it, and the signature. RFC 4252 §7. */
function sendSigned(protocol: Protocol, signedData: Buffer, signature: Buffer): void {
  const message = Buffer.concat([signedData.subarray(4 + signedData.readUInt32BE(0)), wireString(signature)])
  const { write } = protocol._packetRW
  const start = write.allocStart
  const packet = write.alloc(message.length)
  packet.set(message, start)
  protocol._authsQueue.push('publickey')
  const finished = write.finalize(packet)
  if (protocol._kexinit === undefined) protocol._cipher.encrypt(finished)
  else protocol._queue = [...(protocol._queue ?? []), finished]
}

/** Finding one's security key and touching it takes longer than a connection may. */
function waitForTouch(internals: Internals): void {
  clearTimeout(internals._readyTimeout)
  internals._readyTimeout = setTimeout(() => {
    const error = new Error('Timed out while waiting for the security key')
    ;(internals as unknown as Client).emit('error', Object.assign(error, { level: 'client-timeout' }))
  }, TOUCH_MS)
}
