/** Reads SSH's binary format (RFC 4251 §5), one value after another. Throws RangeError past the end. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** How much has been read, in bytes. */
  get position(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    return this.#take(1)[0]!
  }

  uint32(): number {
    return this.#take(4).readUInt32BE(0)
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE(0)
  }

  string(): Buffer {
    return this.#take(this.uint32())
  }

  text(): string {
    return this.string().toString()
  }

  /** The strings up to the end. */
  strings(): Buffer[] {
    const found: Buffer[] = []
    while (!this.isAtEnd) found.push(this.string())
    return found
  }

  #take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new RangeError('the data ends too early')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }
}

/** A string of SSH's binary format: its length in four bytes, and its bytes. */
export function wireString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([wireUint32(bytes.length), bytes])
}

export function wireUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A positive integer of SSH's binary format (mpint): no leading zeros, but one where the first bit is set. */
export function wireInteger(bigEndian: Uint8Array): Buffer {
  const first = bigEndian.findIndex(byte => byte !== 0)
  const bytes = first < 0 ? Buffer.alloc(0) : bigEndian.subarray(first)
  return wireString(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes)
}
