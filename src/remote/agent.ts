import { connect } from 'node:net'
import { WireReader, wireString, wireUint32 } from './wire.ts'

/** A key in an agent; `publicKey` is in wire format and may be a certificate. */
export interface AgentKey {
  readonly publicKey: Buffer
  readonly comment: string
}

/** Message numbers of draft-miller-ssh-agent, §6.1. */
const REQUEST_IDENTITIES = 11
const IDENTITIES_ANSWER = 12
const SIGN_REQUEST = 13
const SIGN_RESPONSE = 14

/** Flags of a request to sign with an RSA key, §6.5: which SHA-2 is meant. */
const rsaFlags: Readonly<Record<string, number>> = { 'rsa-sha2-256': 2, 'rsa-sha2-512': 4 }

/** How long an agent may take that has no one to ask. */
const LIST_MS = 5_000
/** How long a person may take to confirm, or to touch a security key. */
export const TOUCH_MS = 120_000

/** The keys in the agent that listens on a unix socket. Throws Error when it does not answer. */
export async function listAgentKeys(socket: string): Promise<AgentKey[]> {
  const answer = await ask(socket, Buffer.from([REQUEST_IDENTITIES]), IDENTITIES_ANSWER, LIST_MS)
  return Array.from({ length: answer.uint32() }, () => ({
    publicKey: answer.string(),
    comment: answer.text(),
  }))
}

/**
 * Has the agent sign with one of its keys. Returns the signature in wire format just as the agent has made it: those of
 * security keys have fields that others lack. `algorithm` matters for RSA only. Throws Error when the agent refuses.
 */
export async function signWithAgent(
  socket: string,
  publicKey: Buffer,
  data: Buffer,
  algorithm: string,
): Promise<Buffer> {
  const flags = wireUint32(rsaFlags[algorithm] ?? 0)
  const request = Buffer.concat([Buffer.from([SIGN_REQUEST]), wireString(publicKey), wireString(data), flags])
  return (await ask(socket, request, SIGN_RESPONSE, TOUCH_MS)).string()
}

/** One question on a connection of its own. Returns the answer behind its message number. */
async function ask(path: string, request: Buffer, expected: number, timeoutMs: number): Promise<WireReader> {
  const answer = await exchange(path, wireString(request), timeoutMs)
  const reader = new WireReader(answer)
  if (reader.byte() !== expected) throw new Error('the ssh agent refused')
  return reader
}

function exchange(path: string, request: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const timer = setTimeout(() => socket.destroy(new Error('the ssh agent does not answer')), timeoutMs)
    let read = Buffer.alloc(0)
    socket.on('data', chunk => {
      read = Buffer.concat([read, chunk])
      if (read.length < 4 || read.length < 4 + read.readUInt32BE(0)) return
      resolve(read.subarray(4, 4 + read.readUInt32BE(0)))
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      reject(new Error('the ssh agent closed the connection'))
    })
    socket.write(request)
  })
}
