import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import {
  floatOf,
  intOf,
  isFloat,
  isNumber,
  isNumeric,
  isText,
  type Py,
  toNumber,
  typeName,
  Undefined,
} from '../python/kinds.ts'
import { fixedText } from '../python/number-format.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/
const digitChars = '0123456789abcdefghijklmnopqrstuvwxyz'
const prefixes: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 16: '0x' }

/** Python's int(text, base); undefined: not a number. */
function parseWhole(text: string, base: number): Py | undefined {
  const clean = text
    .trim()
    .toLowerCase()
    .replace(/(?<=[\da-z])_(?=[\da-z])/g, '')
  const sign = /^[+-]?/.exec(clean)![0]
  const body = clean.slice(sign.length)
  const prefix = prefixes[base]
  const digits = prefix && body.startsWith(prefix) ? body.slice(prefix.length) : body
  const allowed = digitChars.slice(0, base)
  if (digits === '' || ![...digits].every(digit => allowed.includes(digit))) return undefined
  const size = [...digits].reduce((total, digit) => total * BigInt(base) + BigInt(allowed.indexOf(digit)), 0n)
  return intOf(sign === '-' ? -size : size)
}
const truncated = (value: number): Py => intOf(BigInt(Math.trunc(value)))

/** Jinja2's int filter: the default when it is no number. */
function toInt(value: Py, args: Args): Py {
  if (value instanceof Undefined) value.fail()
  if (typeof value === 'boolean') return Number(value)
  if (isFloat(value))
    return Number.isFinite(toNumber(value)) ? truncated(toNumber(value)) : args.value('default')
  if (isNumber(value)) return value
  if (!isText(value)) return args.value('default')
  const text = toText(value)
  const whole = parseWhole(text, args.integer('base'))
  if (whole !== undefined) return whole
  const real = text.trim().toLowerCase()
  return decimal.test(real) && Number.isFinite(Number(real)) ? truncated(Number(real)) : args.value('default')
}
function toFloat(value: Py, args: Args): Py {
  if (value instanceof Undefined) value.fail()
  if (isNumeric(value)) return floatOf(toNumber(value))
  const fallback = args.value('default')
  const otherwise = typeof fallback === 'number' ? floatOf(fallback) : fallback
  if (!isText(value)) return otherwise
  const text = toText(value).trim().toLowerCase().replaceAll('_', '')
  if (decimal.test(text)) return floatOf(Number(text))
  if (/^[+-]?nan$/.test(text)) return Number.NaN
  if (/^[+-]?inf(inity)?$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  return otherwise
}

/** Python's round(): ties to even, by the exact binary value. */
function roundEven(value: number, precision: number): number {
  if (!Number.isFinite(value)) return value
  if (precision >= 0) return Number(fixedText(value, Math.min(precision, 60)))
  const unit = 10 ** -precision
  return Number(fixedText(value / unit, 0)) * unit
}
function round(value: Py, args: Args): Py {
  if (value instanceof Undefined) value.fail()
  const number = toNumber(value)
  const precision = args.integer('precision')
  const scale = 10 ** precision
  switch (args.text('method')) {
    case 'ceil':
      return floatOf(Math.ceil(number * scale) / scale)
    case 'floor':
      return floatOf(Math.floor(number * scale) / scale)
    case 'common':
      if (isFloat(value)) return floatOf(roundEven(number, precision))
      return precision >= 0 ? value : roundEven(number, precision)
    default:
      throw runtimeFault('method must be common, ceil or floor')
  }
}
function absolute(value: Py): Py {
  if (value instanceof Undefined) value.fail()
  if (typeof value === 'bigint') return value < 0n ? intOf(-value) : value
  if (isFloat(value)) return floatOf(Math.abs(toNumber(value)))
  if (!isNumber(value) && typeof value !== 'boolean')
    throw runtimeFault(`bad operand type for abs(): '${typeName(value)}'`)
  return Math.abs(toNumber(value))
}

/** Jinja2's filters on numbers. */
export const numberFilters: FilterSet = {
  int: ['default=0, base=10', toInt],
  float: ['default=0.0', toFloat],
  abs: ['', absolute],
  round: ["precision=0, method='common'", round],
}
