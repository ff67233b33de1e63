import { Secret, SecretTouched } from '../../core/secret.ts'
import { limitFault, runtimeFault } from '../fault.ts'
import {
  floatOf,
  intOf,
  isFloat,
  isInt,
  isList,
  isNumeric,
  isText,
  Markup,
  type Py,
  Thing,
  Tuple,
  toNumber,
  tupleOf,
  typeName,
  Undefined,
} from './kinds.ts'
import { percentFormat } from './percent-format.ts'
import { escapeHtml, toText } from './text.ts'

/** Longest text or list that `*` may make, in characters or items. */
const LONGEST = 50_000_000
/** Most bits that `**` may make. */
const WIDEST = 1_000_000

function unsupported(operator: string, a: Py, b: Py): never {
  if (a instanceof Undefined) a.fail()
  if (b instanceof Undefined) b.fail()
  throw runtimeFault(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`)
}

/** Ints exactly (by way of bigint when needed), floats as doubles. */
function calculate(
  operator: string,
  a: Py,
  b: Py,
  whole: (x: bigint, y: bigint) => bigint,
  real: (x: number, y: number) => number,
): Py {
  if (!isNumeric(a) || !isNumeric(b)) unsupported(operator, a, b)
  if (isFloat(a) || isFloat(b)) return floatOf(real(toNumber(a), toNumber(b)))
  if (typeof a !== 'bigint' && typeof b !== 'bigint') {
    const result = real(toNumber(a), toNumber(b))
    // Adding 0 turns -0, which no int is, into 0.
    if (Number.isSafeInteger(result)) return result + 0
  }
  return intOf(whole(BigInt(a as bigint), BigInt(b as bigint)))
}

/** Python's +. */
export function add(a: Py, b: Py): Py {
  if (isList(a)) return concatenateLists(a, b)
  if (isText(a)) return concatenateTexts(a, b)
  if (a instanceof Thing && !(a instanceof Undefined)) return a.add(b) ?? unsupported('+', a, b)
  return calculate(
    '+',
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  )
}
function concatenateLists(a: readonly Py[], b: Py): Py {
  if (isList(b) && a instanceof Tuple === b instanceof Tuple)
    return a instanceof Tuple ? tupleOf([...a, ...b]) : [...a, ...b]
  if (b instanceof Undefined) b.fail()
  throw runtimeFault(`can only concatenate ${typeName(a)} (not "${typeName(b)}") to ${typeName(a)}`)
}
function concatenateTexts(a: string | Markup, b: Py): Py {
  if (b instanceof Undefined) b.fail()
  if (!isText(b)) throw runtimeFault(`can only concatenate str (not "${typeName(b)}") to str`)
  if (typeof a === 'string' && typeof b === 'string') return a + b
  const html = (text: string | Markup): string => (text instanceof Markup ? text.html : escapeHtml(text))
  return new Markup(html(a) + html(b))
}
/** Python's -. */
export function subtract(a: Py, b: Py): Py {
  if (a instanceof Thing && !(a instanceof Undefined)) return a.subtract(b) ?? unsupported('-', a, b)
  return calculate(
    '-',
    a,
    b,
    (x, y) => x - y,
    (x, y) => x - y,
  )
}
/** Python's *, which also repeats texts and lists. */
export function multiply(a: Py, b: Py): Py {
  if (isRepeatable(a) && isCount(b)) return repeat(a, Number(b))
  if (isRepeatable(b) && isCount(a)) return repeat(b, Number(a))
  return calculate(
    '*',
    a,
    b,
    (x, y) => x * y,
    (x, y) => x * y,
  )
}
const isRepeatable = (value: Py): boolean => isList(value) || isText(value)
function isCount(value: Py): boolean {
  if (value instanceof Secret) throw new SecretTouched(value.label)
  return isInt(value) || typeof value === 'boolean'
}
function repeat(value: Py, times: number): Py {
  const count = Math.max(0, times)
  const unit = isList(value) ? value : toText(value)
  if (unit.length * count > LONGEST)
    throw limitFault(`the result of * is too long (${unit.length} × ${count})`)
  if (typeof unit === 'string')
    return value instanceof Markup ? new Markup(unit.repeat(count)) : unit.repeat(count)
  const items = Array.from({ length: count }, () => unit).flat()
  return value instanceof Tuple ? tupleOf(items) : items
}

function refuseZero(b: Py, message: string): void {
  if (isNumeric(b) && toNumber(b) === 0) throw runtimeFault(message)
}
/** Python's /: always a float. */
export function divide(a: Py, b: Py): Py {
  if (!isNumeric(a) || !isNumeric(b)) unsupported('/', a, b)
  refuseZero(b, 'division by zero')
  return floatOf(toNumber(a) / toNumber(b))
}
/** Python's //: rounds down. */
export function floorDivide(a: Py, b: Py): Py {
  refuseZero(b, 'integer division or modulo by zero')
  return calculate('//', a, b, floorBig, (x, y) => Math.floor(x / y))
}
function floorBig(x: bigint, y: bigint): bigint {
  const quotient = x / y
  return x % y !== 0n && x < 0n !== y < 0n ? quotient - 1n : quotient
}
/** Python's %: the remainder with the divisor's sign; on texts the printf-like format. */
export function modulo(a: Py, b: Py): Py {
  if (isText(a)) return percentFormat(toText(a), b)
  refuseZero(b, 'integer division or modulo by zero')
  return calculate(
    '%',
    a,
    b,
    (x, y) => x - y * floorBig(x, y),
    (x, y) => {
      const rest = x % y
      // A zero has the divisor's sign, as Python's.
      if (rest === 0) return y < 0 ? -0 : 0
      return rest < 0 !== y < 0 ? rest + y : rest
    },
  )
}
/** Python's **. */
export function power(a: Py, b: Py): Py {
  if (!isNumeric(a) || !isNumeric(b)) unsupported('** or pow()', a, b)
  const [base, exponent] = [toNumber(a), toNumber(b)]
  if (base === 0 && exponent < 0) throw runtimeFault('0.0 cannot be raised to a negative power')
  if (isFloat(a) || isFloat(b) || exponent < 0) return floatOf(base ** exponent)
  if (exponent * Math.log2(Math.abs(base) + 1) > WIDEST) throw limitFault('the result of ** is too big')
  const result = base ** exponent
  return Number.isSafeInteger(result) ? result : intOf(BigInt(a as bigint) ** BigInt(b as bigint))
}
export function negate(value: Py): Py {
  if (!isNumeric(value)) badUnary('-', value)
  if (isFloat(value)) return floatOf(-toNumber(value))
  return typeof value === 'bigint' ? intOf(-value) : 0 - toNumber(value)
}
export function positive(value: Py): Py {
  if (!isNumeric(value)) badUnary('+', value)
  return typeof value === 'boolean' ? Number(value) : value
}
function badUnary(operator: string, value: Py): never {
  if (value instanceof Undefined) value.fail()
  throw runtimeFault(`bad operand type for unary ${operator}: '${typeName(value)}'`)
}
