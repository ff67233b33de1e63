import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { armor, Decrypter, Encrypter } from 'age-encryption'
import { problem, RotaError } from '../core/error.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { RunKey, Sealer } from '../core/transaction.ts'
import type { State } from '../core/value.ts'

/** What a sealed stream came to: of the sealed bytes, so that `sha256sum` of the file agrees. */
export interface Sealed {
  readonly sha256: string
  readonly sizeBytes: number
}

function encrypterFor(recipients: readonly string[]): Encrypter {
  if (recipients.length === 0)
    throw problem('E_SEAL', 'there is no recipient to seal to', { hint: 'name at least one age1… key' })
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  return encrypter
}

function decrypterFor(identity: Secret): Decrypter {
  const decrypter = new Decrypter()
  decrypter.addIdentity(reveal(identity))
  return decrypter
}

/** typage tells a wrong recipient from damage only by its message. */
function explain(cause: unknown, what: string): RotaError {
  if (cause instanceof RotaError) return cause
  const isForeign = cause instanceof Error && cause.message.startsWith('no identity matched')
  return isForeign
    ? problem('E_SEAL', `${what} is not sealed to this identity`, {
        hint: 'open it on the machine of a recipient, or with an identity that is one',
        cause,
      })
    : problem('E_SEAL', `${what} is truncated or was changed after it was sealed`, {
        hint: 'fetch it again from where it was first written, or use another copy',
        cause,
      })
}

/**
 * Encrypts a stream to every recipient in the age format (age-encryption.org/v1), without holding it in memory, and ends `to`.
 * Rejects when either stream fails, E_SEAL without recipients.
 */
export async function sealStream(
  recipients: readonly string[],
  plain: Readable,
  to: Writable,
): Promise<Sealed> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      done(null, chunk)
    },
  })
  const bytes = Readable.toWeb(plain) as globalThis.ReadableStream<Uint8Array>
  const sealed = await encrypterFor(recipients).encrypt(bytes)
  await pipeline(Readable.fromWeb(sealed as ReadableStream), measure, to)
  return { sha256: hash.digest('hex'), sizeBytes }
}

/**
 * Opens what `sealStream` wrote. Each 64 KiB chunk is authenticated before it is passed on, but only a return without
 * an error says that the end was there too. Rejects with E_SEAL for a foreign, truncated or changed stream.
 */
export async function unsealStream(identity: Secret, sealed: Readable, to: Writable): Promise<void> {
  const outer: { error?: unknown } = {}
  sealed.once('error', error => {
    outer.error = error
  })
  to.once('error', error => {
    outer.error ??= error
  })
  try {
    const bytes = Readable.toWeb(sealed) as globalThis.ReadableStream<Uint8Array>
    const plain = await decrypterFor(identity).decrypt(bytes)
    await pipeline(Readable.fromWeb(plain as ReadableStream), to)
  } catch (error) {
    const isLocal = outer.error !== undefined && (outer.error as { code?: unknown }).code !== undefined
    to.destroy()
    sealed.destroy()
    throw isLocal ? outer.error : explain(error, 'the backup')
  }
}

/** A small text to every recipient, as age's ASCII armor: readable by `age -d`. */
export async function sealText(recipients: readonly string[], text: Secret): Promise<string> {
  return armor.encode(await encrypterFor(recipients).encrypt(reveal(text)))
}

/** Opens what `sealText` made. Throws E_SEAL. */
export async function unsealText(identity: Secret, sealed: string, label: string): Promise<Secret> {
  try {
    return new Secret(await decrypterFor(identity).decrypt(armor.decode(sealed), 'text'), label)
  } catch (error) {
    throw explain(error, label)
  }
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
const SECRET = '$secret'
const NUMBER = '$number'

/**
 * State to JSON: a Secret becomes `{"$secret": [label, text]}`, a number that JSON lacks `{"$number": "NaN"}`, and a member
 * that begins with `$` gets one more.
 */
function encode(state: State): Json {
  if (state instanceof Secret) return { [SECRET]: [state.label, reveal(state)] }
  if (typeof state === 'number' && !Number.isFinite(state)) return { [NUMBER]: String(state) }
  if (state === null || typeof state !== 'object') return state
  if (Array.isArray(state)) return (state as readonly State[]).map(encode)
  const members = Object.entries(state as { readonly [key: string]: State | undefined })
  return Object.fromEntries(
    members.flatMap(([key, member]) =>
      member === undefined ? [] : [[key.startsWith('$') ? `$${key}` : key, encode(member)]],
    ),
  )
}

function decode(json: Json): State {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return (json as readonly Json[]).map(decode)
  const members = Object.entries(json)
  const [first] = members
  if (first?.[0] === SECRET) {
    const [label, text] = first[1] as readonly string[]
    return new Secret(text!, label!)
  }
  if (first?.[0] === NUMBER) return Number(first[1])
  return Object.fromEntries(members.map(([key, member]) => [key.replace(/^\$/, ''), decode(member)]))
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce: base64 of nonce, ciphertext, tag. Symmetric, so that a journal
 * record costs microseconds.
 */
function keyOf(bytes: Uint8Array): RunKey {
  return {
    seal(payload, context) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(context))
      const text = cipher.update(JSON.stringify(encode(payload)), 'utf8')
      return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]).toString('base64')
    },
    unseal(sealed, context) {
      try {
        const all = Buffer.from(sealed, 'base64')
        const nonce = all.subarray(0, NONCE_BYTES)
        const decipher = createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(context))
          .setAuthTag(all.subarray(all.length - TAG_BYTES))
        const text = decipher.update(all.subarray(NONCE_BYTES, all.length - TAG_BYTES))
        return decode(JSON.parse(Buffer.concat([text, decipher.final()]).toString('utf8')))
      } catch (error) {
        throw explain(error, 'a sealed record')
      }
    },
  }
}

/** A Sealer of the operator: keys are sealed to `recipients` and opened with the operator's identity. */
export function createSealer(identity: Secret, recipients: readonly string[]): Sealer {
  return {
    async createKey() {
      const bytes = randomBytes(32)
      const sealed = await sealText(recipients, new Secret(bytes.toString('base64'), 'run key'))
      return { key: keyOf(bytes), sealed }
    },
    async openKey(sealed) {
      const text = await unsealText(identity, sealed, 'the run key')
      return keyOf(Buffer.from(reveal(text), 'base64'))
    },
  }
}
