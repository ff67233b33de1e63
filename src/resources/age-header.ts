import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'
import { parseBech32 } from '../core/bech32.ts'
import { problem } from '../core/error.ts'
import { reveal, Secret } from '../core/secret.ts'

/*
 * The header of an age file (age-encryption.org/v1, github.com/C2SP/C2SP/blob/main/age.md): the file's key, wrapped once for
 * each recipient. Whoever writes it anew for other recipients has re-wrapped the file without touching its data. The
 * age-encryption package writes no header of a key that is there already, and its functions are asynchronous; `want` has to be pure.
 */
const VERSION = 'age-encryption.org/v1\n'
const X25519_INFO = 'age-encryption.org/v1/X25519'
const FILE_KEY_BYTES = 16
const COLUMNS = 64
const TAG_BYTES = 16
const ZERO_NONCE = Buffer.alloc(12)
/** DER of an X25519 private key (PKCS #8) and public key (SPKI) up to its 32 bytes (RFC 8410). */
const PRIVATE_DER = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_DER = Buffer.from('302a300506032b656e032100', 'hex')

interface Stanza {
  readonly words: readonly string[]
  readonly body: Buffer
}
/** What stands before the data of an age file. */
export interface AgeHeader {
  /** The whole header with its last newline. */
  readonly text: string
  /** One for each recipient: `X25519`, `scrypt`, `ssh-ed25519`. */
  readonly stanzas: readonly Stanza[]
  readonly mac: Buffer
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
const hkdf = (key: Uint8Array, salt: Uint8Array, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, info, 32))

/** The header that the bytes begin with; undefined when they are no age file, or more of the header than this is needed. */
export function parseAgeHeader(bytes: Buffer): AgeHeader | undefined {
  const whole =
    /^age-encryption\.org\/v1\n(?:->[^\n]*\n(?:[A-Za-z0-9+/]*\n)+)+--- ([A-Za-z0-9+/]{43})\n/.exec(
      bytes.toString('latin1'),
    )
  if (!whole) return undefined
  const [text, mac = ''] = whole
  const stanzas = text
    .slice(VERSION.length, text.lastIndexOf('--- '))
    .split(/^-> /m)
    .slice(1)
    .map(part => {
      const [words = '', ...body] = part.split('\n')
      return { words: words.split(' '), body: Buffer.from(body.join(''), 'base64') }
    })
  return { text, stanzas, mac: Buffer.from(mac, 'base64') }
}

const privateKey = (raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_DER, raw]), format: 'der', type: 'pkcs8' })
const publicKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([PUBLIC_DER, raw]), format: 'der', type: 'spki' })
const rawOf = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_DER.length)

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function scalarOf(identity: Secret): Buffer {
  const raw = parseBech32('age-secret-key-', reveal(identity).trim())
  if (raw?.length === 32) return raw
  throw problem('E_PARAMS', `${identity.label} is no age identity (AGE-SECRET-KEY-1…)`, {
    hint: 'a passphrase cannot have a second key beside it: make an identity with `age-keygen`, or let the rotation make one with `format: age`',
  })
}

/** The public key, in bytes, of `age1…`. Throws E_PARAMS. */
export function parseRecipient(text: string): Buffer {
  const raw = parseBech32('age', text.trim())
  if (raw?.length === 32) return raw
  throw problem('E_PARAMS', `${JSON.stringify(text)} is no age recipient`, {
    hint: 'a recipient is the line after "public key:" in an identity file: age1…',
  })
}

/** The public key that belongs to an identity, in bytes. Throws E_PARAMS. */
export function recipientOf(identity: Secret): Buffer {
  return rawOf(privateKey(scalarOf(identity)))
}

function unwrap(stanza: Stanza, scalar: Buffer, own: Buffer): Buffer | undefined {
  const share = Buffer.from(stanza.words[1] ?? '', 'base64')
  if (
    stanza.words[0] !== 'X25519' ||
    share.length !== 32 ||
    stanza.body.length !== FILE_KEY_BYTES + TAG_BYTES
  )
    return undefined
  try {
    const shared = diffieHellman({ privateKey: privateKey(scalar), publicKey: publicKey(share) })
    const key = hkdf(shared, Buffer.concat([share, own]), X25519_INFO)
    const cipher = createDecipheriv('chacha20-poly1305', key, ZERO_NONCE, { authTagLength: TAG_BYTES })
    cipher.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES))
    return Buffer.concat([cipher.update(stanza.body.subarray(0, FILE_KEY_BYTES)), cipher.final()])
  } catch {
    return undefined
  }
}

function wrap(fileKey: Buffer, recipient: Buffer, ephemeral: Buffer): Stanza {
  const own = privateKey(ephemeral)
  const share = rawOf(own)
  const shared = diffieHellman({ privateKey: own, publicKey: publicKey(recipient) })
  const key = hkdf(shared, Buffer.concat([share, recipient]), X25519_INFO)
  const cipher = createCipheriv('chacha20-poly1305', key, ZERO_NONCE, { authTagLength: TAG_BYTES })
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
  return { words: ['X25519', base64(share)], body }
}

function macOf(fileKey: Buffer, text: string): Buffer {
  return createHmac('sha256', hkdf(fileKey, Buffer.alloc(0), 'header'))
    .update(text)
    .digest()
}

/**
 * The file's key, when the identity opens the header; undefined when it is not for this identity. Throws E_PARAMS when that is no
 * identity, E_TASK when the header was changed after it was written.
 */
export function openAgeHeader(header: AgeHeader, identity: Secret, path: string): Secret | undefined {
  const scalar = scalarOf(identity)
  const own = rawOf(privateKey(scalar))
  for (const stanza of header.stanzas) {
    const fileKey = unwrap(stanza, scalar, own)
    if (fileKey === undefined) continue
    const signed = header.text.slice(0, header.text.lastIndexOf('---') + 3)
    if (isSame(macOf(fileKey, signed), header.mac))
      return new Secret(fileKey.toString('base64'), `file key of ${path}`)
    throw problem('E_TASK', `${path}: its header was changed after it was written`, {
      hint: 'restore the file from a copy',
    })
  }
  return undefined
}

/** A body in lines of 64 characters, the last of which is shorter, even if that makes it empty. */
function renderBody(body: Buffer): string {
  const text = base64(body)
  const lines = text.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? []
  return `${[...lines, ...(text.length % COLUMNS === 0 ? [''] : [])].join('\n')}\n`
}

/**
 * A header that gives the file's key to the recipients (public keys in bytes). Pure: `random` gives 32 bytes for each wrap, which
 * have to be unpredictable, and the same for the same name.
 */
export function renderAgeHeader(
  fileKey: Secret,
  recipients: readonly Buffer[],
  random: (name: string) => Buffer,
): string {
  const key = Buffer.from(reveal(fileKey), 'base64')
  const stanzas = recipients
    .map(recipient => wrap(key, recipient, random(`share for ${recipient.toString('hex')}`)))
    .map(({ words, body }) => `-> ${words.join(' ')}\n${renderBody(body)}`)
  const signed = `${VERSION}${stanzas.join('')}---`
  return `${signed} ${base64(macOf(key, signed))}\n`
}
