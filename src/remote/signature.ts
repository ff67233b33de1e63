import { createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto'
import { WireReader, wireInteger, wireString } from './wire.ts'

/** Signature algorithms by their SSH name: the key they belong to, and the hash (ed25519 has its own). RFC 5656, 8332, 8709. */
const algorithms: Readonly<Record<string, { readonly keyType: string; readonly hash: string | null }>> = {
  'ssh-ed25519': { keyType: 'ssh-ed25519', hash: null },
  'ecdsa-sha2-nistp256': { keyType: 'ecdsa-sha2-nistp256', hash: 'sha256' },
  'ecdsa-sha2-nistp384': { keyType: 'ecdsa-sha2-nistp384', hash: 'sha384' },
  'ecdsa-sha2-nistp521': { keyType: 'ecdsa-sha2-nistp521', hash: 'sha512' },
  'rsa-sha2-256': { keyType: 'ssh-rsa', hash: 'sha256' },
  'rsa-sha2-512': { keyType: 'ssh-rsa', hash: 'sha512' },
}

/** Names of elliptic curves in a JSON Web Key, and how long a coordinate is in bytes. */
const curves: Readonly<Record<string, { readonly crv: string; readonly size: number }>> = {
  'ecdsa-sha2-nistp256': { crv: 'P-256', size: 32 },
  'ecdsa-sha2-nistp384': { crv: 'P-384', size: 48 },
  'ecdsa-sha2-nistp521': { crv: 'P-521', size: 66 },
}

/** Whether a signature of this algorithm can be checked here. SHA-1 (`ssh-rsa`) and security keys (`sk-…`) cannot. */
export function isVerifiable(algorithm: string): boolean {
  return algorithm in algorithms
}

/** Whether the holder of a public key (wire format) has made this signature (wire format) of the data. Never throws. */
export function isSignedBy(publicKey: Buffer, data: Buffer, signature: Buffer): boolean {
  try {
    const reader = new WireReader(signature)
    const algorithm = algorithms[reader.text()]
    const keyType = new WireReader(publicKey).text()
    if (algorithm === undefined || algorithm.keyType !== keyType) return false
    const raw = reader.string()
    const curve = curves[keyType]
    return verify(
      algorithm.hash,
      data,
      { key: parsePublicKey(publicKey), dsaEncoding: 'ieee-p1363' },
      curve ? fixedSize(raw, curve.size) : raw,
    )
  } catch {
    return false
  }
}

/** Signs with a private key in PEM; `algorithm` is an SSH name of a signature. Returns the signature in wire format. */
export function signData(privateKeyPem: string, algorithm: string, data: Buffer): Buffer {
  const known = algorithms[algorithm]
  if (known === undefined) throw new RangeError(`no signature algorithm is called ${algorithm}`)
  const raw = sign(known.hash, data, { key: privateKeyPem, dsaEncoding: 'ieee-p1363' })
  const half = raw.length / 2
  const value =
    algorithm in curves
      ? Buffer.concat([wireInteger(raw.subarray(0, half)), wireInteger(raw.subarray(half))])
      : raw
  return Buffer.concat([wireString(algorithm), wireString(value)])
}

function parsePublicKey(wire: Buffer): KeyObject {
  return createPublicKey({ key: jsonWebKey(new WireReader(wire)), format: 'jwk' })
}

function jsonWebKey(reader: WireReader): JsonWebKey {
  const type = reader.text()
  const text = (bytes: Buffer): string => bytes.toString('base64url')
  if (type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: text(reader.string()) }
  if (type === 'ssh-rsa') return { kty: 'RSA', e: text(reader.string()), n: text(unsigned(reader.string())) }
  const curve = curves[type]
  if (curve === undefined) throw new RangeError(`no key type is called ${type}`)
  reader.string()
  const point = reader.string()
  if (point[0] !== 4 || point.length !== 1 + 2 * curve.size) throw new RangeError('not an uncompressed point')
  const [x, y] = [point.subarray(1, 1 + curve.size), point.subarray(1 + curve.size)]
  return { kty: 'EC', crv: curve.crv, x: text(x), y: text(y) }
}

const unsigned = (integer: Buffer): Buffer => (integer[0] === 0 ? integer.subarray(1) : integer)

/** ECDSA's two integers, each filled up to the size of a coordinate. */
function fixedSize(wire: Buffer, size: number): Buffer {
  const reader = new WireReader(wire)
  return Buffer.concat(
    [reader.string(), reader.string()].map(integer => {
      const bytes = unsigned(integer)
      return Buffer.concat([Buffer.alloc(size - bytes.length), bytes])
    }),
  )
}
