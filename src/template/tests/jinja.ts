import { Secret } from '../../core/secret.ts'
import type { TestSet } from '../compile/language.ts'
import { plainName } from '../compile/language.ts'
import { modulo } from '../python/arithmetic.ts'
import { isEqual } from '../python/equality.ts'
import {
  Callable,
  isDict,
  isFloat,
  isInt,
  isList,
  isNumeric,
  isText,
  Markup,
  type Py,
  toNumber,
  Undefined,
} from '../python/kinds.ts'
import { compare, contains } from '../python/order.ts'
import { toText } from '../python/text.ts'
import { touch } from './touch.ts'

const isCased = (text: string): boolean => text.toLowerCase() !== text.toUpperCase()
function isSame(a: Py, b: Py): boolean {
  if (a instanceof Secret || b instanceof Secret) return isEqual(a, b)
  return Object.is(a, b) || (typeof a !== 'object' && typeof a === typeof b && isEqual(a, b))
}

/** Jinja2's tests. */
export const jinjaTests: TestSet = {
  defined: ['', value => !(value instanceof Undefined)],
  undefined: ['', value => value instanceof Undefined],
  none: ['', value => value === null],
  true: ['', value => value === true],
  false: ['', value => value === false],
  boolean: ['', value => typeof value === 'boolean'],
  integer: ['', value => isInt(touch(value))],
  float: ['', value => isFloat(touch(value))],
  number: ['', isNumeric],
  string: ['', value => isText(value)],
  mapping: ['', value => isDict(value)],
  sequence: ['', value => isList(value) || isDict(value) || isText(value)],
  iterable: ['', value => isList(value) || isDict(value) || isText(value)],
  callable: ['', value => value instanceof Callable],
  odd: ['', value => isEqual(modulo(value, 2), 1)],
  even: ['', value => isEqual(modulo(value, 2), 0)],
  divisibleby: ['num', (value, args) => toNumber(modulo(value, args.value('num'))) === 0],
  upper: ['', value => isCased(toText(value)) && toText(value) === toText(value).toUpperCase()],
  lower: ['', value => isCased(toText(value)) && toText(value) === toText(value).toLowerCase()],
  escaped: ['', value => value instanceof Markup],
  sameas: ['other', (value, args) => isSame(value, args.raw('other'))],
  in: ['seq', (value, args) => contains(args.raw('seq'), value)],
  'eq equalto ==': ['other', (value, args) => isEqual(value, args.raw('other'))],
  'ne !=': ['other', (value, args) => !isEqual(value, args.raw('other'))],
  'lt lessthan <': ['other', (value, args) => compare(value, args.raw('other'), '<') < 0],
  'le <=': ['other', (value, args) => compare(value, args.raw('other'), '<=') <= 0],
  'gt greaterthan >': ['other', (value, args) => compare(value, args.raw('other'), '>') > 0],
  'ge >=': ['other', (value, args) => compare(value, args.raw('other'), '>=') >= 0],
  filter: ['', (value, _args, runtime) => runtime.session.language.filters.has(plainName(toText(value)))],
  test: ['', (value, _args, runtime) => runtime.session.language.tests.has(plainName(toText(value)))],
}
