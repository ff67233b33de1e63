import { problem } from '../core/error.ts'
import { Secret } from '../core/secret.ts'

/** The alphabet that no env-file dialect, URL, shell, SQL, YAML or CSV reader treats specially. */
const defaultAlphabet = 'A-Za-z0-9'

/** How a secret's value is made: length in characters, alphabet as characters and ranges (`A-Za-z0-9_-`). */
export interface SecretShape {
  readonly length: number
  readonly alphabet: string
}

const SHORTEST = 16
const LONGEST = 4096
const LEAST_BITS = 64

function refuse(label: string, message: string, hint: string): never {
  throw problem('E_PLAYBOOK', `secret ${label}: ${message}`, { hint })
}

/**
 * Characters and ranges to the distinct characters: `a-f0-9` to `abcdef0123456789`; a `-` at either end is itself.
 * Throws E_PLAYBOOK for anything but RFC 3986's unreserved characters: env-file dialects disagree about the others.
 */
export function parseAlphabet(alphabet: string, label: string): string {
  const found = new Set<string>()
  const text = alphabet === '' ? defaultAlphabet : alphabet
  for (let i = 0; i < text.length; i++) {
    const from = text.charCodeAt(i)
    const isRange = text[i + 1] === '-' && i + 2 < text.length
    const to = isRange ? text.charCodeAt(i + 2) : from
    if (to < from)
      refuse(label, `the range ${text.slice(i, i + 3)} runs backwards`, 'write it upwards, as in A-Z')
    for (let code = from; code <= to; code++) found.add(String.fromCharCode(code))
    if (isRange) i += 2
  }
  const characters = [...found].join('')
  const odd = characters.replace(/[A-Za-z0-9._~-]/g, '')
  if (odd !== '')
    refuse(
      label,
      `the alphabet has ${JSON.stringify(odd)}, which env files, shells or URLs read in different ways`,
      `leave the alphabet out (${defaultAlphabet}), or use only A-Z a-z 0-9 . _ ~ -`,
    )
  return characters
}

function checkShape(shape: SecretShape, characters: string, label: string): void {
  const { length } = shape
  if (!Number.isInteger(length) || length < SHORTEST || length > LONGEST)
    refuse(label, `length is ${length}`, `give a whole number from ${SHORTEST} to ${LONGEST}`)
  if (length * Math.log2(characters.length) < LEAST_BITS)
    refuse(label, `${length} of ${characters.length} characters can be guessed`, 'make it longer')
  if (!/[A-Za-z0-9]/.test(characters))
    refuse(label, 'the alphabet has no letter or digit to begin with', 'add a-z')
}

/** Draws one character uniformly: bytes in the uneven rest above the last whole multiple are thrown away. */
function* drawEvenly(characters: string, random: (sizeBytes: number) => Buffer): Generator<string, never> {
  const limit = 256 - (256 % characters.length)
  for (;;) for (const byte of random(64)) if (byte < limit) yield characters[byte % characters.length]!
}

/**
 * A new value: uniform over the alphabet, the first character a letter or digit (never a `-` that looks like an option).
 * `random` gives that many unpredictable bytes. Throws E_PLAYBOOK for a shape that would make a weak or unsafe value.
 */
export function generateSecret(
  shape: SecretShape,
  label: string,
  random: (sizeBytes: number) => Buffer,
): Secret {
  const characters = parseAlphabet(shape.alphabet, label)
  checkShape(shape, characters, label)
  const first = drawEvenly(characters.replace(/[^A-Za-z0-9]/g, ''), random)
  const rest = drawEvenly(characters, random)
  let value = first.next().value
  while (value.length < shape.length) value += rest.next().value
  return new Secret(value, label)
}
