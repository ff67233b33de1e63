import { Secret, SecretTouched } from '../../core/secret.ts'
import type { Source } from '../../core/source.ts'
import { Float, isDict as isCoreDict, OMIT, type Omit, Template } from '../../core/value.ts'
import { Fault, runtimeFault } from '../fault.ts'

/**
 * Everything an expression can yield: the values of core/value.ts plus what lives only while a template is evaluated.
 * Python's int is a number or bigint, float is a number with a fraction or a Float, tuple is a Tuple.
 */
export type Py =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | Secret
  | Template
  | Omit
  | Thing
  | readonly Py[]
  | ReadonlyMap<Py, Py>
export type PyDict = ReadonlyMap<Py, Py>
/** Keyword arguments. */
export type Named = ReadonlyMap<string, Py>
export const noNamed: Named = new Map()

/** A Python object that is no plain data. What `attribute` gives is all that a template can reach of it. */
export abstract class Thing {
  abstract readonly type: string
  attribute(_name: string): Py | undefined {
    return undefined
  }
  /** Python's str(). */
  text(): string {
    return `<${this.type}>`
  }
  isTrue(): boolean {
    return true
  }
  /** Python's + and -. undefined: not supported. */
  add(_other: Py): Py | undefined {
    return undefined
  }
  subtract(_other: Py): Py | undefined {
    return undefined
  }
  /** Order among things of the same type. undefined: they have none. */
  compare(_other: Thing): number | undefined {
    return undefined
  }
}

/** A name or member that does not exist: it may be tested and defaulted; any other use is a fault naming it. */
export class Undefined extends Thing {
  readonly type = 'Undefined'
  readonly message: string
  readonly variable: string | undefined
  readonly at: Source | undefined
  readonly known: (() => Iterable<string>) | undefined
  constructor(message: string, more: Pick<Undefined, 'variable' | 'at' | 'known'> | object = {}) {
    super()
    const { variable, at, known }: Partial<Undefined> = more
    this.message = message
    this.variable = variable
    this.at = at
    this.known = known
  }
  fail(): never {
    throw new Fault('undefined', this.message, this)
  }
}
/** What an inline `if` without `else` yields: prints as nothing, and like an Undefined in every other use. */
export class Nothing extends Undefined {}

export class Callable extends Thing {
  readonly type = 'function'
  readonly name: string
  readonly call: (args: readonly Py[], named: Named) => Py
  constructor(name: string, call: (args: readonly Py[], named: Named) => Py) {
    super()
    this.name = name
    this.call = call
  }
  override text(): string {
    return `<function ${this.name}>`
  }
}

/** Python's tuple: a list that prints with parentheses and equals only tuples. */
export class Tuple extends Array<Py> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}
/** Makes a tuple. (`new Tuple(3)` would be three holes.) */
export function tupleOf(items: Iterable<Py>): Tuple {
  const tuple = new Tuple()
  for (const item of items) tuple.push(item)
  return tuple
}

/** Text that is safe HTML already: the result of `escape` and `safe`. */
export class Markup extends Thing {
  readonly type = 'Markup'
  readonly html: string
  constructor(html: string) {
    super()
    this.html = html
  }
  override text(): string {
    return this.html
  }
}

export class Bytes extends Thing {
  readonly type = 'bytes'
  readonly bytes: Buffer
  constructor(bytes: Buffer) {
    super()
    this.bytes = bytes
  }
  override text(): string {
    return `b'${this.bytes.toString('latin1').replace(/[^ -~]|['\\]/g, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`
  }
  override attribute(name: string): Py | undefined {
    if (name !== 'decode') return undefined
    return new Callable('decode', args =>
      this.bytes.toString(bufferEncoding(typeof args[0] === 'string' ? args[0] : 'utf-8')),
    )
  }
}

/** Python's name of an encoding to Node's. Faults on one that Node does not have. */
export function bufferEncoding(name: string): BufferEncoding {
  const plain = name.toLowerCase().replaceAll('_', '-')
  if (plain === 'utf-8' || plain === 'utf8') return 'utf8'
  if (plain === 'latin-1' || plain === 'latin1' || plain === 'iso-8859-1') return 'latin1'
  if (plain === 'ascii' || plain === 'us-ascii') return 'ascii'
  if (plain === 'utf-16-le' || plain === 'utf-16le') return 'utf16le'
  throw runtimeFault(`unknown encoding: ${name}`)
}

/** The object of `namespace()`: the one thing whose attributes `{% set ns.x %}` may assign. */
export class Namespace extends Thing {
  readonly type = 'Namespace'
  readonly vars = new Map<string, Py>()
  override attribute(name: string): Py | undefined {
    return this.vars.get(name)
  }
}

export const isFloat = (value: Py): value is number | Float =>
  value instanceof Float || (typeof value === 'number' && !Number.isInteger(value))
export const isInt = (value: Py): value is number | bigint =>
  typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
export const isList = (value: Py): value is readonly Py[] => Array.isArray(value)
export const isDict = (value: Py): value is PyDict => isCoreDict(value)

/** int or float, not bool. Touches a Secret. */
export function isNumber(value: Py): value is number | bigint | Float {
  if (value instanceof Secret) throw new SecretTouched(value.label)
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Float
}
/** str, marked as HTML or not. Touches a Secret. */
export function isText(value: Py): value is string | Markup {
  if (value instanceof Secret) throw new SecretTouched(value.label)
  return typeof value === 'string' || value instanceof Markup
}

/** The value if there is one. (`??` would take None for missing.) */
export function orElse(value: Py | undefined, otherwise: () => Py): Py {
  return value === undefined ? otherwise() : value
}

/** Python's name of the type, as error messages and `type_debug` say it. Touches a Secret. */
export function typeName(value: Py): string {
  if (value instanceof Secret) throw new SecretTouched(value.label)
  if (value === null || value === undefined) return 'NoneType'
  if (typeof value === 'boolean') return 'bool'
  if (isFloat(value)) return 'float'
  if (typeof value === 'number' || typeof value === 'bigint') return 'int'
  if (typeof value === 'string' || value instanceof Template) return 'str'
  if (value instanceof Tuple) return 'tuple'
  if (isList(value)) return 'list'
  if (isDict(value)) return 'dict'
  return value instanceof Thing ? value.type : value === OMIT ? 'Omit' : 'object'
}

/** What Python calculates with: numbers, and bool, which is an int there. Touches a Secret. */
export function isNumeric(value: Py): value is boolean | number | bigint | Float {
  return typeof value === 'boolean' || isNumber(value)
}

export { floatOf } from '../../core/value.ts'
/** An int of Python's: a number as long as it is exact. */
export function intOf(value: bigint): number | bigint {
  const asNumber = Number(value)
  return Number.isSafeInteger(asNumber) ? asNumber : value
}

/** The value as a JS number. Faults unless it is a number or bool. */
export function toNumber(value: Py): number {
  if (typeof value === 'number') return value
  if (value instanceof Float) return value.value
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value)
  if (value instanceof Undefined) value.fail()
  throw runtimeFault(`must be real number, not ${typeName(value)}`)
}

/** The value as a whole JS number, for counts and indexes. Faults on anything but int and bool. */
export function toInteger(value: Py): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value)
  if (value instanceof Undefined) value.fail()
  throw runtimeFault(`'${typeName(value)}' object cannot be interpreted as an integer`)
}
