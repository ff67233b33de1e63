import { createHmac, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

const values = new WeakMap<Secret, string>()

/**
 * A value that must never be printed by accident. Formatting paths (JSON, inspect, console) show
 * `[secret NAME]`; stringifying paths throw, because writing the text "[secret]" into a remote file
 * is as bad as leaking the value. The text lives in a WeakMap: spreading or cloning cannot reach it.
 */
export class Secret {
  declare private readonly brand: 'Secret'
  readonly label: string
  constructor(value: string, label: string) {
    this.label = label
    values.set(this, value)
    Object.freeze(this)
  }
  toJSON(): string {
    return `[secret ${this.label}]`
  }
  [inspect.custom](): string {
    return `[secret ${this.label}]`
  }
  toString(): never {
    throw new SecretTouched(this.label)
  }
  [Symbol.toPrimitive](): never {
    throw new SecretTouched(this.label)
  }
}

/** Thrown when a Secret is used as text. The template engine catches it to taint the result; elsewhere it is a bug. */
export class SecretTouched extends TypeError {
  constructor(label: string) {
    super(`secret ${label} used as text; pass it on as a Secret`)
  }
}

/** The only way to the plain text. The architecture test lists the files that may import it. */
export function reveal(secret: Secret): string {
  const value = values.get(secret)
  if (value === undefined) throw new TypeError('not a secret made here')
  return value
}

/** True when both hold the same text; constant time for equal lengths. Never throws. */
export function isSameSecret(a: Secret, b: Secret): boolean {
  const x = Buffer.from(reveal(a))
  const y = Buffer.from(reveal(b))
  return x.length === y.length && timingSafeEqual(x, y)
}

/**
 * A keyed fingerprint, 64 bits in hex: HMAC-SHA-256(key, value). Evidence says "the value changed" with it
 * without holding the value; never an unkeyed hash, since a short password could be guessed from that.
 */
export function fingerprint(secret: Secret, key: Uint8Array): string {
  return createHmac('sha256', key).update(reveal(secret)).digest('hex').slice(0, 16)
}

/** Whether the name of a variable says that nobody should read it. */
export function isSecretName(name: string): boolean {
  return /pass|secret|token|key/i.test(name)
}
