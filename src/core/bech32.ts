/** BIP-173's alphabet and checksum, which age writes its keys in: https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki */
const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_DIGITS = 6

function checksumOf(digits: readonly number[]): number {
  let sum = 1
  for (const digit of digits) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ digit
    for (const [bit, mask] of generator.entries()) if ((top >>> bit) & 1) sum ^= mask
  }
  return sum >>> 0
}

function expandPrefix(prefix: string): readonly number[] {
  const codes = [...prefix].map(character => character.charCodeAt(0))
  return [...codes.map(code => code >>> 5), 0, ...codes.map(code => code & 31)]
}

/** Groups of `from` bits to groups of `to` bits; undefined when what is left over is more than padding. */
function regroup(groups: Iterable<number>, from: number, to: number, pad: boolean): number[] | undefined {
  const out: number[] = []
  let held = 0
  let bits = 0
  for (const group of groups) {
    held = (held << from) | group
    bits += from
    while (bits >= to) {
      bits -= to
      out.push((held >>> bits) & ((1 << to) - 1))
    }
    held &= (1 << bits) - 1
  }
  if (pad) return bits > 0 ? [...out, (held << (to - bits)) & ((1 << to) - 1)] : out
  return bits >= from || held !== 0 ? undefined : out
}

/** Bytes as Bech32 in small letters: `age1…`. */
export function renderBech32(prefix: string, bytes: Uint8Array): string {
  const digits = regroup(bytes, 8, 5, true)!
  const zeros = new Array<number>(CHECKSUM_DIGITS).fill(0)
  const sum = checksumOf([...expandPrefix(prefix), ...digits, ...zeros]) ^ 1
  const check = zeros.map((_, index) => (sum >>> (5 * (CHECKSUM_DIGITS - 1 - index))) & 31)
  return `${prefix}1${[...digits, ...check].map(digit => alphabet[digit]).join('')}`
}

/** The bytes of a Bech32 text with this prefix, all in small or all in capital letters; undefined when it is none. */
export function parseBech32(prefix: string, text: string): Buffer | undefined {
  if (text !== text.toLowerCase() && text !== text.toUpperCase()) return undefined
  const small = text.toLowerCase()
  if (!small.startsWith(`${prefix}1`)) return undefined
  const digits = [...small.slice(prefix.length + 1)].map(character => alphabet.indexOf(character))
  if (digits.length < CHECKSUM_DIGITS || digits.includes(-1)) return undefined
  if (checksumOf([...expandPrefix(prefix), ...digits]) !== 1) return undefined
  const bytes = regroup(digits.slice(0, -CHECKSUM_DIGITS), 5, 8, false)
  return bytes && Buffer.from(bytes)
}
