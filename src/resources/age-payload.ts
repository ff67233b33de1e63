import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import { problem } from '../core/error.ts'
import { reveal, type Secret } from '../core/secret.ts'

/** The data of an age file: chunks of 64 KiB, each sealed with ChaCha20-Poly1305 (STREAM; github.com/C2SP/C2SP/blob/main/age.md). */
const CHUNK_BYTES = 64 * 1024
const TAG_BYTES = 16
/** What stands between the header and the data. */
export const AGE_NONCE_BYTES = 16

/** What the data of a file is sealed with: the nonce is base64, and no secret. */
export interface AgeSeal {
  readonly fileKey: Secret
  readonly nonce: string
}

function keyOf({ fileKey, nonce }: AgeSeal): Buffer {
  const key = Buffer.from(reveal(fileKey), 'base64')
  return Buffer.from(hkdfSync('sha256', key, Buffer.from(nonce, 'base64'), 'payload', 32))
}

/** Eleven bytes that count the chunks, and one that is 1 in the last. */
function nonceOf(count: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(count, 5, 6)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/** Passes on chunks of one size, the last one with `isLast`: which one that is shows only when nothing follows. */
class Chunks extends Transform {
  #held: Buffer[] = []
  #sizeBytes = 0
  #count = 0
  readonly #chunkBytes: number
  readonly #make: (chunk: Buffer, count: number, isLast: boolean) => Buffer

  constructor(chunkBytes: number, make: (chunk: Buffer, count: number, isLast: boolean) => Buffer) {
    super()
    this.#chunkBytes = chunkBytes
    this.#make = make
  }
  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#held.push(bytes)
    this.#sizeBytes += bytes.length
    if (this.#sizeBytes <= this.#chunkBytes) {
      done()
      return
    }
    let rest = Buffer.concat(this.#held)
    this.#attempt(done, () => {
      while (rest.length > this.#chunkBytes) {
        this.push(this.#make(rest.subarray(0, this.#chunkBytes), this.#count++, false))
        rest = rest.subarray(this.#chunkBytes)
      }
      this.#held = [rest]
      this.#sizeBytes = rest.length
    })
  }
  override _flush(done: TransformCallback): void {
    this.#attempt(done, () => {
      this.push(this.#make(Buffer.concat(this.#held), this.#count, true))
    })
  }
  #attempt(done: TransformCallback, work: () => void): void {
    try {
      work()
      done()
    } catch (error) {
      done(error as Error)
    }
  }
}

/** Seals what flows through it. The same seal and text make the same bytes. */
export function sealAgePayload(seal: AgeSeal): Transform {
  const key = keyOf(seal)
  return new Chunks(CHUNK_BYTES, (chunk, count, isLast) => {
    const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(count, isLast), {
      authTagLength: TAG_BYTES,
    })
    return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()])
  })
}

/** Opens what flows through it; every chunk is authenticated before it is passed on. Fails with E_TASK naming the file. */
export function openAgePayload(seal: AgeSeal, path: string): Transform {
  const key = keyOf(seal)
  return new Chunks(CHUNK_BYTES + TAG_BYTES, (chunk, count, isLast) => {
    try {
      const body = chunk.subarray(0, -TAG_BYTES)
      const cipher = createDecipheriv('chacha20-poly1305', key, nonceOf(count, isLast), {
        authTagLength: TAG_BYTES,
      })
      cipher.setAuthTag(chunk.subarray(-TAG_BYTES))
      return Buffer.concat([cipher.update(body), cipher.final()])
    } catch (cause) {
      throw problem('E_TASK', `${path} is truncated or was changed after it was written`, {
        hint: 'restore the file from a copy',
        cause,
      })
    }
  })
}

/** Passes bytes on unchanged and knows their sha256 (hex) when they have ended. */
export function measureSha256(): { readonly stream: Transform; readonly sha256: () => string } {
  const hash = createHash('sha256')
  let hex = ''
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      hex = hash.digest('hex')
      done()
    },
  })
  return { stream, sha256: () => hex }
}
