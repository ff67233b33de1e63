import { Secret, SecretTouched } from '../../core/secret.ts'
import { Float, OMIT, Template } from '../../core/value.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, isList, Markup, type Py, Thing, Tuple, Undefined } from './kinds.ts'

const DEEPEST = 100

/** Python's str(). Touches a Secret; an Undefined faults. */
export function toText(value: Py): string {
  if (typeof value === 'string') return value
  if (value instanceof Thing) return thingText(value)
  return toRepr(value)
}
function thingText(thing: Thing): string {
  return thing instanceof Undefined ? thing.fail() : thing.text()
}

/** Python's repr(): how a value looks inside a list. */
export function toRepr(value: Py, depth = 0): string {
  if (depth > DEEPEST) throw runtimeFault('the value is nested too deeply to be printed')
  if (value === null) return 'None'
  switch (typeof value) {
    case 'string':
      return quoteText(value)
    case 'boolean':
      return value ? 'True' : 'False'
    case 'number':
      return Number.isInteger(value) ? BigInt(value).toString() : floatText(value)
    case 'bigint':
      return value.toString()
    default:
      return objectRepr(value, depth + 1)
  }
}
function objectRepr(value: Py, depth: number): string {
  if (value instanceof Secret) throw new SecretTouched(value.label)
  if (value instanceof Float) return floatText(value.value)
  if (isList(value)) {
    const items = Array.from(value, item => toRepr(item, depth)).join(', ')
    if (value instanceof Tuple) return value.length === 1 ? `(${items},)` : `(${items})`
    return `[${items}]`
  }
  if (isDict(value))
    return `{${[...value].map(([key, member]) => `${toRepr(key, depth)}: ${toRepr(member, depth)}`).join(', ')}}`
  if (value instanceof Markup) return `Markup(${quoteText(value.html)})`
  if (value instanceof Thing) return thingText(value)
  // As part of a text it omits nothing; Ansible's mark, by which a reader can tell what it came from.
  if (value === OMIT) return '__omit_place_holder__'
  if (value instanceof Template) throw runtimeFault('a template is not evaluated here')
  return String(value)
}

/** Python's repr of a float: shortest digits, exponent from 1e16 on and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.0'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e16 || size < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  const digits = String(value)
  return /[.e]/.test(digits) ? digits : `${digits}.0`
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
// What Python's isprintable() refuses below U+0100: control characters, the hard blank and the soft hyphen.
const unprintable = /[\\\p{Cc}\u00a0\u00ad]/gu

/** Python's repr of a str: single quotes unless only double ones need no backslash. */
export function quoteText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const body = text.replace(
    unprintable,
    char => escapes[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    "'": '&#39;',
    '"': '&#34;',
  }
  return text.replace(/[&<>'"]/g, char => entities[char]!)
}
