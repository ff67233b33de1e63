import { createHash } from 'node:crypto'
import { fingerprint, reveal, Secret } from '../core/secret.ts'

/** Text that may be secret: what files hold. */
export type Text = string | Secret

/** The wider of the labels, for a Secret made of several texts; undefined when none of them is secret. */
function labelOf(texts: readonly Text[]): string | undefined {
  return texts.find(text => text instanceof Secret)?.label
}
const plain = (text: Text): string => (text instanceof Secret ? reveal(text) : text)

/**
 * Applies a pure function to texts: when one of them is secret, so is the text that comes out. What `make` throws
 * must not quote its inputs.
 */
export function mapText(texts: readonly Text[], make: (...plain: string[]) => string): Text {
  const label = labelOf(texts)
  const made = make(...texts.map(plain))
  return label === undefined ? made : new Secret(made, label)
}

/** The same for a function that gives some other value along with the text; that value stays plain. */
export function editText<T>(
  texts: readonly Text[],
  make: (...plain: string[]) => { readonly text: string; readonly value: T },
): { readonly text: Text; readonly value: T } {
  const label = labelOf(texts)
  const made = make(...texts.map(plain))
  return { text: label === undefined ? made.text : new Secret(made.text, label), value: made.value }
}

/** The bytes of a file's content as UTF-8 or, with `encoding: 'base64'`, decoded. */
function bytesOf(text: Text, encoding: 'base64' | undefined): Buffer {
  return Buffer.from(plain(text), encoding ?? 'utf8')
}

/** Lower-case hex sha256 of content. That of a secret is itself a Secret: a short one could be guessed from it. */
export function sha256Of(text: Text, encoding?: 'base64'): Text {
  const hex = createHash('sha256').update(bytesOf(text, encoding)).digest('hex')
  return text instanceof Secret ? new Secret(hex, `${text.label} sha256`) : hex
}

/** Ansible's `checksum` of a file: sha1. undefined for a secret. */
export function checksumOf(
  text: Text | undefined,
  encoding?: 'base64',
  algorithm: 'sha1' | 'md5' = 'sha1',
): string | undefined {
  if (text === undefined || text instanceof Secret) return undefined
  return createHash(algorithm).update(bytesOf(text, encoding)).digest('hex')
}

export function sizeBytesOf(text: Text, encoding?: 'base64'): number {
  return bytesOf(text, encoding).length
}

export function isSameText(a: Text, b: Text): boolean {
  return plain(a) === plain(b)
}

/** What stands for a secret in a diff: the same four digits for the same value within one task, and nothing to guess from. */
export function renderSecret(secret: Secret, key: string): string {
  return `[secret ${fingerprint(secret, Buffer.from(key)).slice(0, 4)}]`
}
