import { runtimeFault } from '../fault.ts'
import { isFloat, isNumeric, type Py, toNumber, typeName } from './kinds.ts'
import { floatText } from './text.ts'

/** Python writes at least two digits of an exponent. */
const padExponent = (text: string): string => text.replace(/e([+-])(\d)$/, 'e$10$2')

/** An int as text in base 2, 8, 10 or 16. */
function wholeText(value: Py, conversion: string, isAlternate: boolean): string {
  if (!isNumeric(value) || isFloat(value))
    throw runtimeFault(`%${conversion} format: an integer is required, not ${typeName(value)}`)
  const base = { o: 8, b: 2 }[conversion] ?? 16
  const digits = BigInt(value as bigint).toString(base)
  const marked = isAlternate ? digits.replace(/^-?/, sign => `${sign}0${conversion.toLowerCase()}`) : digits
  return conversion === 'X' ? marked.toUpperCase() : marked
}
function decimalText(value: Py): string {
  if (!isNumeric(value)) throw runtimeFault(`%d format: a real number is required, not ${typeName(value)}`)
  return BigInt(isFloat(value) ? Math.trunc(toNumber(value)) : (value as bigint)).toString()
}

/** A float with a fixed number of decimals: the exact binary value, ties to even, as C's printf. */
export function fixedText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return floatText(value)
  if (Math.abs(value) >= 1e21)
    return BigInt(value).toString() + (decimals > 0 ? `.${'0'.repeat(decimals)}` : '')
  if (decimals > 60) return value.toFixed(Math.min(decimals, 100))
  // toFixed is exact but rounds exact ties up. A tie shows as a 5 and nothing after it in the exact expansion.
  const exact = Math.abs(value).toFixed(Math.min(100, decimals + 40))
  const cut = exact.indexOf('.') + 1 + decimals
  const kept = exact.slice(0, cut).replace(/\.$/, '')
  if (/^50*$/.test(exact.slice(cut)) && Number(kept.at(-1)) % 2 === 0) return (value < 0 ? '-' : '') + kept
  return value.toFixed(decimals)
}

/** Significant digits, without trailing zeros unless alternate: C's %g. */
function generalText(value: number, precision: number, isAlternate: boolean): string {
  if (!Number.isFinite(value)) return floatText(value)
  if (value === 0) return '0'
  const digits = Math.max(1, precision)
  const exponent = Number(/e(.+)$/.exec(value.toExponential(digits - 1))![1])
  const isLong = exponent < -4 || exponent >= digits
  const text = isLong ? value.toExponential(digits - 1) : fixedText(value, Math.max(0, digits - 1 - exponent))
  const short = isAlternate || !text.includes('.') ? text : text.replace(/\.?0+(?=e|$)/, '')
  return padExponent(short)
}

/** One number by a conversion letter of `%` or of a format specification. Sign and padding are the caller's. */
export function numberText(
  value: Py,
  conversion: string,
  precision: number | undefined,
  isAlternate: boolean,
): string {
  switch (conversion) {
    case 'd':
    case 'i':
    case 'u':
      return decimalText(value)
    case 'x':
    case 'X':
    case 'o':
    case 'b':
      return wholeText(value, conversion, isAlternate)
    case 'f':
    case 'F':
      return fixedText(toNumber(value), precision ?? 6)
    case 'e':
    case 'E': {
      const text = padExponent(toNumber(value).toExponential(precision ?? 6))
      return conversion === 'E' ? text.toUpperCase() : text
    }
    case 'g':
    case 'G':
    case 'n':
      return generalText(toNumber(value), precision ?? 6, isAlternate)
    default:
      throw runtimeFault(`unsupported format character '${conversion}'`)
  }
}
