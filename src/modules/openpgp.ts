import { createHash } from 'node:crypto'

/** A public key in a keyring: its packets from one primary key to the next, and the ids it is known by. */
export interface PublicKey {
  /** Fingerprint of the primary key first, then those of its subkeys; upper-case hex. */
  readonly fingerprints: readonly string[]
  readonly bytes: Buffer
}

const ARMOR = /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g

export const isArmored = (text: string): boolean => text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')

/** The packets inside ASCII armor (RFC 9580, 6.2), or the bytes themselves when they are not armored. */
export function parseArmor(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  if (!isArmored(text)) return bytes
  const blocks = [...text.matchAll(ARMOR)].map(([, block = '']) => {
    // Headers end with an empty line; the line that begins with = is a checksum.
    const lines = block.split(/\r?\n/)
    const body = lines.slice(lines.findIndex(line => line.trim() === '') + 1)
    return Buffer.from(body.filter(line => !line.startsWith('=')).join(''), 'base64')
  })
  return Buffer.concat(blocks)
}

interface Packet {
  readonly tag: number
  readonly body: Buffer
  readonly bytes: Buffer
}

/** Header length and body length of the packet that begins here (RFC 9580, 4.2); undefined when it is none that is whole. */
function parseHeader(
  bytes: Buffer,
): { readonly tag: number; readonly head: number; readonly size: number } | undefined {
  const first = bytes[0] ?? 0
  if ((first & 0x80) === 0 || bytes.length < 2) return undefined
  const one = bytes[1]!
  if ((first & 0x40) !== 0) {
    const tag = first & 0x3f
    if (one < 192) return { tag, head: 2, size: one }
    if (one < 224 && bytes.length > 2) return { tag, head: 3, size: ((one - 192) << 8) + bytes[2]! + 192 }
    return one === 255 && bytes.length > 5 ? { tag, head: 6, size: bytes.readUInt32BE(2) } : undefined
  }
  const tag = (first >> 2) & 0x0f
  const octets = [1, 2, 4][first & 3]
  if (octets === undefined || bytes.length < 1 + octets) return undefined
  return { tag, head: 1 + octets, size: bytes.readUIntBE(1, octets) }
}

function parsePackets(bytes: Buffer): readonly Packet[] | undefined {
  const packets: Packet[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const header = parseHeader(rest)
    if (header === undefined || header.head + header.size > rest.length) return undefined
    const end = header.head + header.size
    packets.push({ tag: header.tag, body: rest.subarray(header.head, end), bytes: rest.subarray(0, end) })
    rest = rest.subarray(end)
  }
  return packets
}

/** RFC 9580, 5.5.4; version 3 keys are not supported by apt any more. */
function fingerprintOf(body: Buffer): string {
  const isOld = body[0] === 4
  const head = Buffer.alloc(isOld ? 3 : 5)
  if (isOld) {
    head[0] = 0x99
    head.writeUInt16BE(body.length, 1)
  } else {
    head[0] = body[0] === 5 ? 0x9a : 0x9b
    head.writeUInt32BE(body.length, 1)
  }
  const hash = createHash(isOld ? 'sha1' : 'sha256')
  return hash.update(head).update(body).digest('hex').toUpperCase()
}

const PUBLIC_KEY = 6
const PUBLIC_SUBKEY = 14

/** The keys of a keyring, armored or not. undefined: it is none (a keybox, a text, a file that was cut short). */
export function parseKeyring(keyring: Buffer): readonly PublicKey[] | undefined {
  const packets = parsePackets(parseArmor(keyring))
  if (packets === undefined || (packets.length > 0 && packets[0]!.tag !== PUBLIC_KEY)) return undefined
  const keys: { fingerprints: string[]; parts: Buffer[] }[] = []
  for (const { tag, body, bytes } of packets) {
    if (tag === PUBLIC_KEY) keys.push({ fingerprints: [], parts: [] })
    const key = keys.at(-1)!
    key.parts.push(bytes)
    if (tag === PUBLIC_KEY || tag === PUBLIC_SUBKEY) key.fingerprints.push(fingerprintOf(body))
  }
  return keys.map(({ fingerprints, parts }) => ({ fingerprints, bytes: Buffer.concat(parts) }))
}

/** Whether a key is meant by an id: 8, 16 or 40 hex digits, the end of a fingerprint. */
export const hasId = (key: PublicKey, id: string): boolean =>
  key.fingerprints.some(fingerprint => fingerprint.endsWith(id))

/** An id as apt-key takes it, in upper case without `0x`; undefined when it is none. */
export function parseKeyId(text: string): string | undefined {
  const id = text.replaceAll(' ', '').replace(/^0x/i, '').toUpperCase()
  return /^[0-9A-F]+$/.test(id) && [8, 16, 40, 64].includes(id.length) ? id : undefined
}
