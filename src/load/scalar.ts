import { isUtf8 } from 'node:buffer'
import { type Float, floatOf, type Value } from '../core/value.ts'

// The implicit types of PyYAML 6 (yaml/resolver.py, MIT), which is what Ansible reads: YAML 1.1 without `y`/`n` and
// with floats that need a dot and a signed exponent. Timestamps are left out on purpose: Ansible makes them dates,
// which no module takes; here `2026-11-23` stays text, as it prints in Ansible too.
const BOOL = /^(?:(yes|Yes|YES|true|True|TRUE|on|On|ON)|no|No|NO|false|False|FALSE|off|Off|OFF)$/
const NULL = /^(?:~|null|Null|NULL|)$/
const INT =
  /^[-+]?(?:0b[01_]*[01][01_]*|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]*[0-9a-fA-F][0-9a-fA-F_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** Types of YAML 1.1 that a plain scalar or an explicit tag (`!!int "5"`) can have. */
export type ScalarType = 'bool' | 'null' | 'int' | 'float' | 'str'

/** The type PyYAML gives a plain (unquoted, untagged) scalar. */
export function typeOfPlain(text: string): ScalarType {
  // Every typed form begins with a digit, a sign, a dot, `~` or one of the letters of true/false/yes/no/on/off/null.
  if (text !== '' && !/^[-+.0-9~yYnNtTfFoO]/.test(text)) return 'str'
  if (BOOL.test(text)) return 'bool'
  if (INT.test(text)) return 'int'
  if (FLOAT.test(text)) return 'float'
  return NULL.test(text) ? 'null' : 'str'
}

/** A plain scalar's value: `0644` is 420, `yes` is true, `12:30` is 750, `1e3`, `08` and `2026-11-23` are text. */
export function parsePlain(text: string): Value {
  return parseAs(typeOfPlain(text), text)!
}

/** The value of a scalar with an explicit tag; undefined when the text is not of that type. */
export function parseTagged(type: ScalarType, text: string): Value | undefined {
  if (type === 'str') return text
  if (type === 'float' && INT.test(text)) return floatOf(Number(parseInteger(text)))
  return typeOfPlain(text) === type ? parseAs(type, text) : undefined
}

function parseAs(type: ScalarType, text: string): Value | undefined {
  switch (type) {
    case 'bool':
      return BOOL.exec(text)?.[1] !== undefined
    case 'null':
      return null
    case 'int':
      return parseInteger(text)
    case 'float':
      return parseFloating(text)
    case 'str':
      return text
  }
}

function parseInteger(text: string): number | bigint {
  const digits = text.replaceAll('_', '').replace(/^[-+]/, '')
  const size = digits.includes(':') ? sexagesimal(digits) : BigInt(octalPrefixed(digits))
  const value = text.startsWith('-') ? -size : size
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** BigInt reads `0b`, `0x` and decimals; YAML 1.1's octals are `0644`. */
function octalPrefixed(digits: string): string {
  return /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits
}

function sexagesimal(digits: string): bigint {
  return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
}

function parseFloating(text: string): number | Float {
  const digits = text.replaceAll('_', '').replace(/^[-+]/, '').toLowerCase()
  const sign = text.startsWith('-') ? -1 : 1
  if (digits === '.inf') return sign * Number.POSITIVE_INFINITY
  if (digits === '.nan') return Number.NaN
  const size = digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return floatOf(sign * size)
}
/**
 * Bytes of `!!binary` as text. One that is no UTF-8 becomes a lone surrogate, as Python's surrogateescape makes it: it can be looked
 * at and compared, and is refused where it would be sent to a host.
 */
export function decodeBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  let at = 0
  while (at < bytes.length) {
    const size = [1, 2, 3, 4].find(each => at + each <= bytes.length && isUtf8(bytes.subarray(at, at + each)))
    text += size ? bytes.toString('utf8', at, at + size) : String.fromCharCode(0xdc00 + bytes[at]!)
    at += size ?? 1
  }
  return text
}
