import { Secret, SecretTouched } from '../../core/secret.ts'
import { runtimeFault } from '../fault.ts'
import { compareDisclosed, isSecretKeyed, markSecretKeyed } from '../taint.ts'
import {
  Bytes,
  isDict,
  isFloat,
  isList,
  isNumeric,
  Markup,
  type Py,
  type PyDict,
  Thing,
  Tuple,
  toNumber,
  typeName,
  Undefined,
} from './kinds.ts'
import { isPlainDict } from './lazy.ts'

/** Python's ==. Secrets are compared by their text; an Undefined faults. */
export function isEqual(a: Py, b: Py): boolean {
  if (a === b && !(a instanceof Undefined)) return true
  if (a instanceof Secret || b instanceof Secret) return compareDisclosed(a, b, isEqual)
  if (a instanceof Undefined) a.fail()
  if (b instanceof Undefined) b.fail()
  if (a instanceof Markup) return isEqual(a.html, b)
  if (b instanceof Markup) return isEqual(a, b.html)
  if (isNumeric(a) && isNumeric(b)) return isSameNumber(a, b)
  if (isList(a) && isList(b)) return isSameList(a, b)
  if (isDict(a) && isDict(b)) return isSameDict(a, b)
  if (a instanceof Thing && b instanceof Thing) return isSameThing(a, b)
  return false
}
function isSameNumber(a: Py, b: Py): boolean {
  if ((typeof a === 'bigint' || typeof b === 'bigint') && !isFloat(a) && !isFloat(b))
    return BigInt(a as bigint) === BigInt(b as bigint)
  return toNumber(a) === toNumber(b)
}
function isSameList(a: readonly Py[], b: readonly Py[]): boolean {
  if (a.length !== b.length || a instanceof Tuple !== b instanceof Tuple) return false
  return a.every((item, index) => isEqual(item, b[index]!))
}
function isSameDict(a: PyDict, b: PyDict): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) {
    const other = member(b, key)
    if (other === undefined || !isEqual(value, other)) return false
  }
  return true
}
function isSameThing(a: Thing, b: Thing): boolean {
  if (a instanceof Bytes && b instanceof Bytes) return a.bytes.equals(b.bytes)
  return a.type === b.type && (a.type === 'datetime' || a.type === 'timedelta') && a.text() === b.text()
}

/** The key of the dict that Python holds equal: 1, 1.0 and True are one key. undefined: no such key. */
function keyIn(dict: PyDict, wanted: Py): Py | undefined {
  const key = wanted instanceof Markup ? wanted.html : wanted
  if (dict.has(key)) return key
  if (key instanceof Secret || isSecretKeyed(dict)) throw new SecretTouched('in a key')
  if (typeof key === 'string' || key === null || !isPlainDict(dict)) return undefined
  for (const other of dict.keys()) if (typeof other !== 'string' && isEqual(other, key)) return other
  return undefined
}
/** The value, if it may be a key: Python refuses what can change. */
export function hashable(key: Py): Py {
  if ((isList(key) && !(key instanceof Tuple)) || isDict(key))
    throw runtimeFault(`unhashable type: '${typeName(key)}'`)
  return key
}
export function hasKey(dict: PyDict, key: Py): boolean {
  return keyIn(dict, key) !== undefined
}
/** undefined: there is no such key. */
export function member(dict: PyDict, key: Py): Py | undefined {
  const found = keyIn(dict, key)
  return found === undefined ? undefined : dict.get(found)
}
/** Sets a member of a dict that a template owns. */
export function setMember(dict: Map<Py, Py>, key: Py, value: Py): void {
  if (key instanceof Secret) markSecretKeyed(dict)
  const place = key instanceof Secret || isSecretKeyed(dict) ? key : (keyIn(dict, key) ?? key)
  dict.set(place instanceof Markup ? place.html : place, value)
}
export function deleteMember(dict: Map<Py, Py>, key: Py): void {
  const found = keyIn(dict, key)
  if (found !== undefined) dict.delete(found)
}
/** A dict of pairs; of equal keys the last wins, at the first one's place, as in Python. */
export function dictOf(pairs: Iterable<readonly [Py, Py]>): Map<Py, Py> {
  const dict = new Map<Py, Py>()
  for (const [key, value] of pairs) setMember(dict, key, value)
  return dict
}
