import { Secret } from '../../core/secret.ts'
import { Float } from '../../core/value.ts'
import { runtimeFault } from '../fault.ts'
import { compareDisclosed, isTrueSecret } from '../taint.ts'
import { hashable, hasKey, isEqual } from './equality.ts'
import {
  isDict,
  isFloat,
  isList,
  isNumeric,
  isText,
  Markup,
  type Py,
  Thing,
  Tuple,
  toNumber,
  typeName,
  Undefined,
} from './kinds.ts'
import { toText } from './text.ts'

/** Python's bool(). An Undefined faults. */
export function isTrue(value: Py): boolean {
  if (typeof value !== 'object') return Boolean(value)
  if (value === null) return false
  if (value instanceof Secret) return isTrueSecret(value)
  if (isList(value)) return value.length > 0
  if (isDict(value)) return value.size > 0
  if (value instanceof Undefined) value.fail()
  if (value instanceof Float) return value.value !== 0
  if (value instanceof Markup) return value.html !== ''
  return value instanceof Thing ? value.isTrue() : true
}

/** Negative, 0 or positive as a is before, at or after b. Faults on what Python does not order. */
export function compare(a: Py, b: Py, operator = '<'): number {
  if (a instanceof Secret || b instanceof Secret)
    return compareDisclosed(a, b, (x, y) => compare(x, y, operator))
  if (a instanceof Undefined) a.fail()
  if (b instanceof Undefined) b.fail()
  if (isText(a) && isText(b)) return compareText(toText(a), toText(b))
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b)
  if (isList(a) && isList(b) && a instanceof Tuple === b instanceof Tuple) return compareLists(a, b, operator)
  if (a instanceof Thing && b instanceof Thing && a.type === b.type) {
    const difference = a.compare(b)
    if (difference !== undefined) return difference
  }
  throw runtimeFault(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`)
}
function compareNumbers(a: Py, b: Py): number {
  if ((typeof a === 'bigint' || typeof b === 'bigint') && !isFloat(a) && !isFloat(b)) {
    const [x, y] = [BigInt(a as bigint), BigInt(b as bigint)]
    return x < y ? -1 : x > y ? 1 : 0
  }
  return toNumber(a) - toNumber(b)
}
function compareLists(a: readonly Py[], b: readonly Py[], operator: string): number {
  const differs = a.findIndex((item, index) => index < b.length && !isEqual(item, b[index]!))
  if (differs < 0) return a.length - b.length
  return compare(a[differs]!, b[differs]!, operator)
}
/** By code point, as Python; JS compares UTF-16 units, which puts emoji before U+FFxx. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  const shortest = Math.min(a.length, b.length)
  for (let i = 0; i < shortest; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000
    if (isSurrogate(x) !== isSurrogate(y)) return isSurrogate(x) ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

/** Python's `item in container`. */
export function contains(container: Py, item: Py): boolean {
  if (container instanceof Secret) return compareDisclosed(container, item, contains)
  if (container instanceof Undefined) container.fail()
  if (isList(container)) return container.some(other => isEqual(other, item))
  if (item instanceof Undefined) item.fail()
  if (item instanceof Secret) return compareDisclosed(container, item, contains)
  if (isDict(container)) return hasKey(container, hashable(item))
  if (!isText(container)) throw runtimeFault(`argument of type '${typeName(container)}' is not iterable`)
  if (!isText(item))
    throw runtimeFault(`'in <string>' requires string as left operand, not ${typeName(item)}`)
  return toText(container).includes(toText(item))
}
