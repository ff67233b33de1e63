import { problem } from '../core/error.ts'

/** Bytes 128 to 159 of windows-1252: Node 20's TextDecoder has those of iso-8859-1. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

/** The character of each byte, where that is no question for TextDecoder: for it ascii and iso-8859-1 are windows-1252. */
function westernOf(encoding: string): readonly string[] | undefined {
  const characters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
  if (/^(?:us-?)?ascii$/i.test(encoding)) return characters.slice(0, 128)
  if (/^(?:latin-?1|iso-?8859-1)$/i.test(encoding)) return characters
  if (!/^(?:windows-?|cp-?)1252$/i.test(encoding)) return undefined
  return characters.map((own, byte) => WINDOWS_1252[byte - 128] ?? own)
}

/** The bytes of one-byte encodings by character. */
function tableOf(encoding: string): ReadonlyMap<string, number> | undefined {
  const western = westernOf(encoding)
  if (western) return new Map(western.map((character, byte) => [character, byte]))
  try {
    const decoder = new TextDecoder(encoding, { fatal: false })
    const bytes = Array.from({ length: 256 }, (_, byte) => byte)
    return new Map(bytes.map(byte => [decoder.decode(Uint8Array.of(byte)), byte]))
  } catch {
    return undefined
  }
}

/**
 * Text in an encoding of one byte a character, by its IANA name: `windows-1252`, `iso-8859-15`, `koi8-r`. Throws E_PARAMS for any
 * other encoding, and for a character that it has not.
 */
export function encodeText(text: string, encoding: string): Buffer {
  const table = tableOf(encoding)
  // Of an encoding with longer characters the first bytes have no character of their own.
  if (table === undefined || ![128, 256].includes(table.size))
    throw problem('E_PARAMS', `output_encoding ${encoding} is not known`, {
      hint: 'use utf-8, or one of a single byte, such as windows-1252 or iso-8859-15',
    })
  const bytes = Array.from(text, character => {
    const byte = table.get(character)
    if (byte !== undefined && character !== '\uFFFD') return byte
    throw problem('E_PARAMS', `${encoding} has no ${JSON.stringify(character)}`, { hint: 'use utf-8' })
  })
  return Buffer.from(bytes)
}
