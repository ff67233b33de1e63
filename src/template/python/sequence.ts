import { Secret, SecretTouched } from '../../core/secret.ts'
import { runtimeFault } from '../fault.ts'
import {
  isDict,
  isList,
  isText,
  Markup,
  type Py,
  Tuple,
  toInteger,
  tupleOf,
  typeName,
  Undefined,
} from './kinds.ts'
import { toText } from './text.ts'

const surrogate = /[\ud800-\udfff]/

/** The characters (code points) of a text: what Python counts and indexes. */
export function characters(text: string): readonly string[] {
  return surrogate.test(text) ? [...text] : text.split('')
}

/** What a `for` goes through: items of a list, characters of a text, keys of a dict. */
export function iterate(value: Py): readonly Py[] {
  if (isList(value)) return value
  if (value instanceof Undefined) value.fail()
  if (isDict(value)) return [...value.keys()]
  if (isText(value)) return characters(toText(value))
  throw runtimeFault(`'${typeName(value)}' object is not iterable`)
}

/** Python's len(). */
export function length(value: Py): number {
  if (isList(value)) return value.length
  if (value instanceof Undefined) value.fail()
  if (isDict(value)) return value.size
  if (isText(value)) return characters(toText(value)).length
  throw runtimeFault(`object of type '${typeName(value)}' has no len()`)
}

/** `sequence[start:end:step]`; null leaves a bound out. */
export function slice(value: Py, start: Py, end: Py, step: Py): Py {
  if (value instanceof Undefined) value.fail()
  if (value instanceof Secret) throw new SecretTouched(value.label)
  if (!isList(value) && !isText(value)) throw runtimeFault(`'${typeName(value)}' object is not subscriptable`)
  const sequence = isList(value) ? value : characters(toText(value))
  const indexes = sliceIndexes(sequence.length, start, end, step === null ? 1 : toInteger(step))
  const items = indexes.map(index => sequence[index]!)
  if (!isList(value)) return value instanceof Markup ? new Markup(items.join('')) : items.join('')
  return value instanceof Tuple ? tupleOf(items) : items
}

/** Python's slice.indices(), enumerated. */
function sliceIndexes(size: number, start: Py, end: Py, step: number): number[] {
  if (step === 0) throw runtimeFault('slice step cannot be zero')
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
  const bound = (value: Py, missing: number): number => {
    if (value === null) return missing
    const index = toInteger(value)
    return Math.max(low, Math.min(high, index < 0 ? index + size : index))
  }
  const first = bound(start, step > 0 ? low : high)
  const last = bound(end, step > 0 ? high : low)
  const indexes: number[] = []
  for (let i = first; step > 0 ? i < last : i > last; i += step) indexes.push(i)
  return indexes
}

/** The item at an index, from the end when negative; undefined when there is none. */
export function itemAt<T>(items: readonly T[], index: number): T | undefined {
  return Number.isInteger(index) ? items.at(index) : undefined
}
