import { createHash } from 'node:crypto'
import { keyFingerprint } from './known-hosts.ts'
import { isSignedBy, isVerifiable } from './signature.ts'
import { WireReader, wireString, wireUint32 } from './wire.ts'

/*
 * Signatures of files by SSH keys, as `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` checks them (OpenSSH's
 * PROTOCOL.sshsig, version 1).
 */

const MAGIC = Buffer.from('SSHSIG')
const VERSION = 1
const HASH = 'sha512'
const BEGIN = '-----BEGIN SSH SIGNATURE-----'
const END = '-----END SSH SIGNATURE-----'
/** Characters of base64 in a line, as ssh-keygen writes them. */
const LINE = 70

/** Whoever holds a private key. */
export interface Signer {
  /** In wire format. */
  readonly publicKey: Buffer
  /** `SHA256:…` */
  readonly fingerprint: string
  /** The signature in wire format. */
  sign(data: Buffer): Promise<Buffer>
}

/** What is signed instead of the message: it can be mistaken for nothing else that the key signs. */
function renderSigned(namespace: string, hash: string, message: Buffer): Buffer {
  const digest = createHash(hash).update(message).digest()
  return Buffer.concat([MAGIC, wireString(namespace), wireString(''), wireString(hash), wireString(digest)])
}

/** Signs a message for a namespace. Returns the armored text. Rejects with what the signer rejects with. */
export async function signMessage(signer: Signer, namespace: string, message: Buffer): Promise<string> {
  const signature = await signer.sign(renderSigned(namespace, HASH, message))
  const blob = Buffer.concat([
    MAGIC,
    wireUint32(VERSION),
    wireString(signer.publicKey),
    wireString(namespace),
    wireString(''),
    wireString(HASH),
    wireString(signature),
  ])
  const lines = blob.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []
  return `${[BEGIN, ...lines, END].join('\n')}\n`
}

/** Who signed a message, or why nobody can say so. */
export type SignedBy = { readonly publicKey: Buffer; readonly fingerprint: string } | { readonly why: string }

/** Checks an armored signature of a message in a namespace. Whether the key is anybody's is for the caller to know. Never throws. */
export function verifyMessage(armored: string, namespace: string, message: Buffer): SignedBy {
  try {
    return verifyBlob(parseArmor(armored), namespace, message)
  } catch (error) {
    if (error instanceof RangeError) return { why: `it is damaged: ${error.message}` }
    throw error
  }
}

function parseArmor(text: string): Buffer {
  const lines = text.trim().split(/\r?\n/)
  if (lines[0] !== BEGIN || lines.at(-1) !== END) throw new RangeError('it is no SSH signature')
  return Buffer.from(lines.slice(1, -1).join(''), 'base64')
}

function verifyBlob(blob: Buffer, namespace: string, message: Buffer): SignedBy {
  if (!blob.subarray(0, MAGIC.length).equals(MAGIC)) throw new RangeError('it is no SSH signature')
  const reader = new WireReader(blob.subarray(MAGIC.length))
  if (reader.uint32() !== VERSION) return { why: 'it has another version' }
  const publicKey = reader.string()
  const foundNamespace = reader.text()
  reader.string()
  const hash = reader.text()
  const signature = reader.string()
  if (foundNamespace !== namespace)
    return { why: `it is for ${JSON.stringify(foundNamespace)}, not ${namespace}` }
  if (hash !== 'sha512' && hash !== 'sha256')
    return { why: `the hash ${JSON.stringify(hash)} is not allowed` }
  const algorithm = new WireReader(signature).text()
  if (!isVerifiable(algorithm) && algorithm !== SECURITY_KEY)
    return { why: `signatures of ${JSON.stringify(algorithm)} cannot be checked here: sign with another key` }
  const isSigned = algorithm === SECURITY_KEY ? isSignedBySecurityKey : isSignedBy
  if (!isSigned(publicKey, renderSigned(namespace, hash, message), signature))
    return { why: 'the signature is not of this text' }
  return { publicKey, fingerprint: keyFingerprint(publicKey.toString('base64')) }
}

const SECURITY_KEY = 'sk-ssh-ed25519@openssh.com'
const USER_PRESENT = 1

/** A security key signs more than the data: what it is for, that it was touched, and a counter (OpenSSH's PROTOCOL.u2f). */
function isSignedBySecurityKey(publicKey: Buffer, data: Buffer, signature: Buffer): boolean {
  const key = new WireReader(publicKey)
  if (key.text() !== SECURITY_KEY) return false
  const point = key.string()
  const application = key.string()
  const reader = new WireReader(signature)
  reader.text()
  const raw = reader.string()
  const flags = reader.byte()
  const counter = reader.uint32()
  const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
  const signed = Buffer.concat([sha256(application), Buffer.from([flags]), wireUint32(counter), sha256(data)])
  const plain = wireString('ssh-ed25519')
  const isTouched = (flags & USER_PRESENT) !== 0
  return (
    isTouched &&
    isSignedBy(Buffer.concat([plain, wireString(point)]), signed, Buffer.concat([plain, wireString(raw)]))
  )
}
