import { createHash } from 'node:crypto'
import { runtimeFault } from '../fault.ts'

/** Base64 of crypt(3): its own alphabet, low bits first. */
const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const saltAlphabet = alphabet

function encode24(high: number, middle: number, low: number, chars: number): string {
  let bits = (high << 16) | (middle << 8) | low
  let text = ''
  for (let i = 0; i < chars; i++) {
    text += alphabet[bits & 0x3f]
    bits >>>= 6
  }
  return text
}
/** Bytes repeated to a length. */
function stretch(bytes: Buffer, length: number): Buffer {
  const whole = Buffer.alloc(length)
  for (let i = 0; i < length; i++) whole[i] = bytes[i % bytes.length]!
  return whole
}
type Hash = (...parts: readonly Buffer[]) => Buffer
function hashOf(name: string): Hash {
  return (...parts) => {
    const hash = createHash(name)
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
}

/** Which bytes of the digest make one group of four characters: a rotation of three thirds. */
function groups(size: number): readonly (readonly [number, number, number])[] {
  const third = Math.floor(size / 3)
  return Array.from({ length: third }, (_group, index) => {
    const row = [index, index + third, index + 2 * third] as const
    const turn = size === 64 ? index % 3 : (3 - (index % 3)) % 3
    return [row[turn]!, row[(turn + 1) % 3]!, row[(turn + 2) % 3]!] as const
  })
}
function encodeDigest(digest: Buffer): string {
  const body = groups(digest.length)
    .map(([a, b, c]) => encode24(digest[a]!, digest[b]!, digest[c]!, 4))
    .join('')
  return (
    body + (digest.length === 64 ? encode24(0, 0, digest[63]!, 2) : encode24(0, digest[31]!, digest[30]!, 3))
  )
}

/** SHA-crypt (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", 2007), as crypt(3) knows it. */
function shaCrypt(key: Buffer, salt: Buffer, rounds: number, hash: Hash, size: number): string {
  const alternate = hash(key, salt, key)
  const first: Buffer[] = [key, salt, stretch(alternate, key.length)]
  for (let bits = key.length; bits > 0; bits >>= 1) first.push(bits & 1 ? alternate : key)
  let digest = hash(...first)
  const keyBlock = stretch(hash(...Array.from({ length: key.length }, () => key)), key.length)
  const saltTimes = 16 + digest[0]!
  const saltBlock = stretch(hash(...Array.from({ length: saltTimes }, () => salt)), salt.length)
  for (let round = 0; round < rounds; round++) {
    const isOdd = (round & 1) === 1
    const parts = [isOdd ? keyBlock : digest]
    if (round % 3 !== 0) parts.push(saltBlock)
    if (round % 7 !== 0) parts.push(keyBlock)
    parts.push(isOdd ? digest : keyBlock)
    digest = hash(...parts)
  }
  return encodeDigest(digest.subarray(0, size))
}

interface Scheme {
  readonly id: string
  readonly hash: string
  readonly size: number
  /** What passlib, and so Ansible, takes when no rounds are asked for. */
  readonly rounds: number
}
const schemes: Readonly<Record<string, Scheme>> = {
  sha512: { id: '6', hash: 'sha512', size: 64, rounds: 656_000 },
  sha256: { id: '5', hash: 'sha256', size: 32, rounds: 535_000 },
}
/** crypt(3)'s default, which is left out of the result. */
const UNWRITTEN_ROUNDS = 5_000
const [FEWEST_ROUNDS, MOST_ROUNDS] = [1_000, 1_000_000]

/** A password as /etc/shadow holds it: `$6$salt$…`. Faults on schemes that are not built in. */
export function cryptPassword(password: string, scheme: string, salt: string, wanted?: number): string {
  const name = scheme.replace(/_crypt$/, '')
  const known = Object.hasOwn(schemes, name) ? schemes[name] : undefined
  if (!known)
    throw runtimeFault(
      `password_hash does not support '${scheme}'; it has ${Object.keys(schemes).join(' and ')}`,
    )
  const rounds = wanted ?? known.rounds
  if (!/^[./\dA-Za-z]{1,16}$/.test(salt))
    throw runtimeFault('a salt is 1 to 16 letters, digits, dots and slashes')
  if (rounds < FEWEST_ROUNDS || rounds > MOST_ROUNDS)
    throw runtimeFault(`rounds must be from ${FEWEST_ROUNDS} to ${MOST_ROUNDS}`)
  const prefix = rounds === UNWRITTEN_ROUNDS ? '' : `rounds=${rounds}$`
  const text = shaCrypt(Buffer.from(password), Buffer.from(salt), rounds, hashOf(known.hash), known.size)
  return `$${known.id}$${prefix}${salt}$${text}`
}
