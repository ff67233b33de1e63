// An ssh agent inside this process with a security key made of software: what it signs, a real sshd verifies.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { WireReader, wireString, wireUint32 } from '../../src/remote/wire.ts'

export interface SoftwareAgent {
  readonly socket: string
  /** The key's line for authorized_keys, and its wire format. */
  readonly publicLine: string
  readonly publicKey: Buffer
  /** How often it was asked to sign. */
  readonly signed: number
  /** What it offers instead of its key: a certificate for it. */
  certificate: Buffer | undefined
  /** Refuses to sign, as when nobody touches the key. */
  isUntouched: boolean
  close(): Promise<void>
}

const TYPE = 'sk-ssh-ed25519@openssh.com'
const APPLICATION = 'ssh:'
const USER_PRESENT = 1

/** Listens on a unix socket. Formats: draft-miller-ssh-agent, and OpenSSH's PROTOCOL.u2f for the signature. */
export async function startSoftwareAgent(socket: string): Promise<SoftwareAgent> {
  const pair = generateKeyPairSync('ed25519')
  const point = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
  const publicKey = Buffer.concat([wireString(TYPE), wireString(point), wireString(APPLICATION)])
  const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest()
  const signSk = (data: Buffer): Buffer => {
    const tail = Buffer.concat([Buffer.from([USER_PRESENT]), wireUint32(7)])
    const raw = sign(null, Buffer.concat([sha256(APPLICATION), tail, sha256(data)]), pair.privateKey)
    return Buffer.concat([wireString(TYPE), wireString(raw), tail])
  }
  const agent = {
    socket,
    publicLine: `${TYPE} ${publicKey.toString('base64')} soft`,
    publicKey,
    signed: 0,
    certificate: undefined as Buffer | undefined,
    isUntouched: false,
    close: () => new Promise<void>(resolve => server.close(() => resolve())),
  }
  const answer = (reader: WireReader): Buffer => {
    const kind = reader.byte()
    const offered = agent.certificate ?? publicKey
    if (kind === 11)
      return Buffer.concat([Buffer.from([12]), wireUint32(1), wireString(offered), wireString('soft key')])
    if (kind !== 13 || !reader.string().equals(offered) || agent.isUntouched) return Buffer.from([5])
    agent.signed++
    return Buffer.concat([Buffer.from([14]), wireString(signSk(reader.string()))])
  }
  const server: Server = createServer(connection => {
    let read = Buffer.alloc(0)
    connection.on('error', () => {})
    connection.on('data', chunk => {
      read = Buffer.concat([read, chunk])
      if (read.length < 4 || read.length < 4 + read.readUInt32BE(0)) return
      const message = read.subarray(4, 4 + read.readUInt32BE(0))
      read = read.subarray(4 + message.length)
      connection.write(wireString(answer(new WireReader(message))))
    })
  })
  await new Promise<void>(resolve => server.listen(socket, resolve))
  return agent
}
