import { isSignedBy, isVerifiable } from './signature.ts'
import { WireReader, wireString } from './wire.ts'

/** An OpenSSH certificate: a public key and what an authority says of it. The format is OpenSSH's PROTOCOL.certkeys. */
export interface Certificate {
  /** As in its first field: `ssh-ed25519-cert-v01@openssh.com`. */
  readonly type: string
  readonly bytes: Buffer
  /** The public key in it, in wire format. */
  readonly key: Buffer
  readonly serial: bigint
  readonly kind: 'user' | 'host' | undefined
  /** The name that the authority has given it. */
  readonly id: string
  /** None: it is for everyone. */
  readonly principals: readonly string[]
  /** Seconds since 1970: valid from here on. */
  readonly validAfterS: bigint
  /** Seconds since 1970: valid before this. */
  readonly validBeforeS: bigint
  readonly criticalOptions: readonly string[]
  /** The authority's public key in wire format. */
  readonly authority: Buffer
  readonly signed: Buffer
  readonly signature: Buffer
  /** What the signature is made with: `rsa-sha2-512`. */
  readonly signatureAlgorithm: string
}

const SUFFIX = '-cert-v01@openssh.com'

/** Types of plain keys that have certificates, and how many fields their key has. */
const keyFields: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
}

/** True for the name of a certificate's type or algorithm. */
export function isCertificateType(type: string): boolean {
  return type.endsWith(SUFFIX)
}

/** The name without the certificate: `rsa-sha2-512` of `rsa-sha2-512-cert-v01@openssh.com`. */
export function plainType(type: string): string {
  const plain = type.slice(0, -SUFFIX.length)
  return plain.startsWith('sk-') ? `${plain}@openssh.com` : plain
}

/** The algorithm that offers a key's certificate: `plainType` the other way round. */
export function certificateAlgorithm(algorithm: string): string {
  return `${algorithm.replace(/@openssh\.com$/, '')}${SUFFIX}`
}

/** Reads a certificate in wire format. Undefined when it is none, or is damaged. */
export function parseCertificate(bytes: Buffer): Certificate | undefined {
  try {
    return readCertificate(bytes)
  } catch {
    return undefined
  }
}

function readCertificate(bytes: Buffer): Certificate | undefined {
  const reader = new WireReader(bytes)
  const type = reader.text()
  const fields = isCertificateType(type) ? keyFields[plainType(type)] : undefined
  if (fields === undefined) return undefined
  reader.string() // The nonce.
  const keyStart = reader.position
  for (let field = 0; field < fields; field++) reader.string()
  const key = Buffer.concat([wireString(plainType(type)), bytes.subarray(keyStart, reader.position)])
  const about = {
    serial: reader.uint64(),
    kind: kinds[reader.uint32()],
    id: reader.text(),
    principals: new WireReader(reader.string()).strings().map(String),
    validAfterS: reader.uint64(),
    validBeforeS: reader.uint64(),
    criticalOptions: optionNames(reader.string()),
  }
  optionNames(reader.string()) // Extensions.
  reader.string() // Reserved.
  const authority = reader.string()
  const signed = bytes.subarray(0, reader.position)
  const signature = reader.string()
  const signatureAlgorithm = new WireReader(signature).text()
  if (!reader.isAtEnd) return undefined
  return { type, bytes, key, ...about, authority, signed, signature, signatureAlgorithm }
}

const kinds: Readonly<Record<number, 'user' | 'host'>> = { 1: 'user', 2: 'host' }

/** Options come in pairs of a name and a value. */
const optionNames = (bytes: Buffer): string[] =>
  new WireReader(bytes)
    .strings()
    .filter((_, index) => index % 2 === 0)
    .map(String)

/** Text out of a certificate, for a message: whoever made it may have put control characters in. */
export function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 200)
}

/** Why a certificate does not hold, and what to do about it. */
export interface Flaw {
  readonly why: string
  readonly hint: string
}

/**
 * What is wrong with a host's certificate, or undefined. The checks are those of ssh(1); whether the authority may speak
 * for the host is not among them.
 */
export function findHostFlaw(certificate: Certificate, host: string, nowS: number): Flaw | undefined {
  const { kind, principals } = certificate
  const sign = `ssh-keygen -s CA_KEY -h -I ${host} -n ${host} HOST_KEY.pub`
  const anew = { hint: `sign the host’s key anew: ${sign}` }
  const algorithm = certificate.signatureAlgorithm
  if (!isVerifiable(algorithm))
    return {
      why: `its signature is of type ${printable(algorithm)}, which this transport does not accept`,
      hint: `set ansible_connection: openssh for the host, or ${anew.hint}`,
    }
  if (!isSignedBy(certificate.authority, certificate.signed, certificate.signature))
    return { why: 'its signature is wrong', ...anew }
  if (kind !== 'host')
    return {
      why: `it is a certificate for ${kind === 'user' ? 'users' : 'nobody known'}, not for hosts`,
      ...anew,
    }
  const time = findTimeFlaw(certificate, nowS)
  if (time !== undefined) return { why: time, ...anew }
  if (principals.length > 0 && !principals.includes(host))
    return {
      why: `it is for ${printable(principals.join(', '))}, not for ${host}`,
      hint: `set HostKeyAlias in ssh_config to the name meant, or ${anew.hint}`,
    }
  if (certificate.criticalOptions.length > 0)
    return { why: `it has a critical option: ${printable(certificate.criticalOptions.join(', '))}`, ...anew }
  return undefined
}

/** "it has expired on 2026-11-01T00:00:00Z", "it is not valid before …", or undefined. */
export function findTimeFlaw(certificate: Certificate, nowS: number): string | undefined {
  const now = BigInt(Math.floor(nowS))
  if (now < certificate.validAfterS) return `it is not valid before ${timeText(certificate.validAfterS)}`
  if (now >= certificate.validBeforeS) return `it has expired on ${timeText(certificate.validBeforeS)}`
  return undefined
}

/** The latest time that a Date can hold, in seconds. */
const LATEST_S = 8_640_000_000_000n

function timeText(atS: bigint): string {
  const seconds = atS < LATEST_S ? atS : LATEST_S
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
