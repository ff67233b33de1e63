import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { problem } from '../core/error.ts'
import { reveal, Secret } from '../core/secret.ts'

/** PostgreSQL's SCRAM_SHA_256_DEFAULT_ITERATIONS and SCRAM_DEFAULT_SALT_LEN (src/include/common/scram-common.h). */
const ITERATIONS = 4096
export const SALT_BYTES = 16

/** RFC 3454 tables C.1.2 (become a space) and B.1 (become nothing). */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200c\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu
/** Tables C.2.1 to C.9: what may not come out. Code points unassigned in Unicode 3.2 are left to the server. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\uffff\u{1d173}-\u{1d17a}\u200e\u200f\u202a-\u202e\u2ff0-\u2ffb\u{e0001}\u{e0020}-\u{e007f}]|[\ufdd0-\ufdef]|\u0340|\u0341/u

/**
 * The password as SCRAM takes it: SASLprep (RFC 4013) for text that is not plain ASCII. Text that SASLprep refuses
 * is used as it is, which is what PostgreSQL's server and libpq do.
 */
function prepare(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password
  const prepared = password.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) ? password : prepared
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** StoredKey and ServerKey of RFC 5802 section 3, with SHA-256 (RFC 7677). */
function keysOf(password: string, salt: Buffer, iterations: number): { stored: Buffer; server: Buffer } {
  const salted = pbkdf2Sync(prepare(password), salt, iterations, 32, 'sha256')
  const stored = createHash('sha256').update(hmac(salted, 'Client Key')).digest()
  return { stored, server: hmac(salted, 'Server Key') }
}

/**
 * What PostgreSQL stores for a password: `SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY`. Whoever sends this instead of the
 * password keeps the password off the server, its logs and its statistics. It is still a Secret: it can be guessed at offline.
 * Throws E_PARAMS for the empty password, which PostgreSQL never lets in.
 */
export function createVerifier(password: Secret, salt: Buffer): Secret {
  if (reveal(password) === '')
    throw problem('E_PARAMS', `${password.label}: the password is empty`, {
      hint: 'PostgreSQL refuses empty passwords',
    })
  const { stored, server } = keysOf(reveal(password), salt, ITERATIONS)
  const text = `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored.toString('base64')}:${server.toString('base64')}`
  return new Secret(text, `verifier of ${password.label}`)
}

const VERIFIER = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})$/

/** True for text that PostgreSQL stores as it is instead of hashing it: a SCRAM verifier or an md5 hash. */
export function isVerifier(secret: Secret): boolean {
  const text = reveal(secret)
  return VERIFIER.test(text) || /^md5[0-9a-f]{32}$/.test(text)
}

const isSame = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)

/** Does this stored verifier let this password in? `role` is the salt of the old md5 form. Never throws. */
export function isPasswordOf(verifier: Secret, password: Secret, role: string): boolean {
  const stored = reveal(verifier)
  const plain = reveal(password)
  if (stored.startsWith('md5')) {
    const hash = createHash('md5')
      .update(plain + role)
      .digest('hex')
    return isSame(Buffer.from(stored), Buffer.from(`md5${hash}`))
  }
  const match = VERIFIER.exec(stored)
  if (!match) return false
  const keys = keysOf(plain, Buffer.from(match[2]!, 'base64'), Number(match[1]))
  return isSame(keys.stored, Buffer.from(match[3]!, 'base64'))
}
