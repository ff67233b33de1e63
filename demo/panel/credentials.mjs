// Password hashes (scrypt) and tokens (JWT, HS256: RFC 7519, RFC 7515), with Node's own crypto.
import { createHash, createHmac, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

/** `scrypt$SALT$HASH`, base64url. */
export function hashPassword(password) {
  const salt = randomBytes(16)
  return `scrypt$${salt.toString('base64url')}$${scryptSync(password, salt, 32).toString('base64url')}`
}
export function isPassword(password, stored) {
  const [kind, salt, hash] = stored.split('$')
  if (kind !== 'scrypt') return false
  return timingSafeEqual(
    scryptSync(password, Buffer.from(salt, 'base64url'), 32),
    Buffer.from(hash, 'base64url'),
  )
}

const encode = data => Buffer.from(JSON.stringify(data)).toString('base64url')
const signatureOf = (text, key) => createHmac('sha256', key).update(text).digest()

export function signToken(claims, key, lifetimeS) {
  const issuedAt = Math.floor(Date.now() / 1000)
  const head = encode({ alg: 'HS256', typ: 'JWT' })
  const text = `${head}.${encode({ ...claims, iat: issuedAt, exp: issuedAt + lifetimeS })}`
  return `${text}.${signatureOf(text, key).toString('base64url')}`
}

/** The claims, or undefined for a token that is malformed, signed by another key, of another kind, or too old. */
export function readToken(token, key, kind) {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  const expected = signatureOf(`${parts[0]}.${parts[1]}`, key)
  const given = Buffer.from(parts[2], 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const claims = JSON.parse(Buffer.from(parts[1], 'base64url').toString())
  return claims.kind === kind && claims.exp > Date.now() / 1000 ? claims : undefined
}

/** Refresh tokens are stored like passwords of full entropy: a plain digest is enough. */
export const digestOf = token => createHash('sha256').update(token).digest('base64url')
