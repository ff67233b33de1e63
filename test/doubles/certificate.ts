// A self-signed certificate, written by hand in DER (X.690, RFC 5280), so that no test needs openssl for one.
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'

export interface Certificate {
  /** PEM. */
  readonly key: string
  /** PEM; its own authority. */
  readonly cert: string
  /** SHA-256, in capital hex pairs with colons. */
  readonly fingerprint: string
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const utcTime = (time: Date): Buffer =>
  der(
    0x17,
    Buffer.from(
      `${time
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  )

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
const commonName = (name: string): Buffer =>
  sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))))
const extension = (id: string, value: Buffer): Buffer => sequence(oid(id), der(0x04, value))

const DAY_MS = 86_400_000

/** For a server on these IPv4 addresses, good from yesterday to tomorrow. */
export function makeCertificate(name: string, addresses: readonly string[]): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const now = Date.now()
  const names = addresses.map(address => der(0x87, Buffer.from(address.split('.').map(Number))))
  const extensions = sequence(
    extension('551d11', sequence(...names)),
    extension('551d13', sequence(der(0x01, Buffer.from([0xff])))),
  )
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    ecdsaWithSha256,
    commonName(name),
    sequence(utcTime(new Date(now - DAY_MS)), utcTime(new Date(now + DAY_MS))),
    commonName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, privateKey))
  const cert = new X509Certificate(sequence(body, ecdsaWithSha256, signature))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: cert.toString(),
    fingerprint: cert.fingerprint256,
  }
}
