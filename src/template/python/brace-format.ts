import { runtimeFault } from '../fault.ts'
import { isFloat, isNumeric, type Named, type Py, toNumber, typeName, Undefined } from './kinds.ts'
import { fixedText, numberText } from './number-format.ts'
import { characters } from './sequence.ts'
import { toRepr, toText } from './text.ts'

const specification = /^(?:(.)?([<>=^]))?([+\- ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su

/** Python's format(value, spec): `>8`, `05.2f`, `,`. */
function formatValue(value: Py, spec: string): string {
  if (spec === '') return toText(value)
  const match = specification.exec(spec)
  if (!match) throw runtimeFault(`Invalid format specifier '${spec}'`)
  const [, fill, align, sign, alternate, zero, width, group, precision, type] = match
  const isSigned = isNumeric(value) && type !== 's'
  const decimals = precision === undefined ? undefined : Number(precision)
  const bare = isSigned
    ? numeric(value, type, decimals, alternate !== undefined, group)
    : textual(value, type, decimals)
  const signed = isSigned && sign !== undefined && sign !== '-' && !bare.startsWith('-') ? sign + bare : bare
  const isZeroFilled = zero !== undefined && align === undefined
  return justify(signed, {
    width: Number(width ?? 0),
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: isZeroFilled ? '=' : (align ?? (isSigned ? '>' : '<')),
  })
}
function textual(value: Py, type: string | undefined, precision: number | undefined): string {
  if (type !== undefined && type !== 's')
    throw runtimeFault(`Unknown format code '${type}' for object of type '${typeName(value)}'`)
  const text = toText(value)
  return precision === undefined ? text : characters(text).slice(0, precision).join('')
}
function numeric(
  value: Py,
  type: string | undefined,
  precision: number | undefined,
  isAlternate: boolean,
  group: string | undefined,
): string {
  const text = ungrouped(value, type, precision, isAlternate)
  if (group === undefined) return text
  const [whole, fraction] = text.split('.')
  const grouped = whole!.replace(/\B(?=(\d{3})+(?!\d))/g, group)
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
function ungrouped(
  value: Py,
  type: string | undefined,
  precision: number | undefined,
  isAlternate: boolean,
): string {
  if (type === '%') return `${fixedText(toNumber(value) * 100, precision ?? 6)}%`
  if (type === 'c') return String.fromCodePoint(toNumber(value))
  if (type !== undefined) return numberText(value, type, precision, isAlternate)
  if (isFloat(value) && precision !== undefined) return numberText(value, 'g', precision, isAlternate)
  return typeof value === 'boolean' ? String(Number(value)) : toText(value)
}
function justify(text: string, to: { width: number; fill: string; align: string }): string {
  const missing = to.width - characters(text).length
  if (missing <= 0) return text
  if (to.align === '<') return text + to.fill.repeat(missing)
  if (to.align === '>') return to.fill.repeat(missing) + text
  if (to.align === '=') return text.replace(/^[+\- ]?/, sign => sign + to.fill.repeat(missing))
  const left = Math.floor(missing / 2)
  return to.fill.repeat(left) + text + to.fill.repeat(missing - left)
}

/** How a replacement field reaches into a value: the sandbox's rules, passed in. */
export interface Reach {
  readonly attribute: (value: Py, name: string) => Py
  readonly item: (value: Py, key: Py) => Py
}

/** Python's `text.format(…)`. */
export function braceFormat(format: string, args: readonly Py[], named: Named, reach: Reach): string {
  let automatic = 0
  const argument = (name: string): Py => {
    const index = name === '' ? automatic++ : /^\d+$/.test(name) ? Number(name) : undefined
    const value = index === undefined ? named.get(name) : args[index]
    if (value !== undefined) return value
    if (index !== undefined) throw runtimeFault(`the format wants argument ${index}, and there is none`)
    throw runtimeFault(`the format names an argument that is missing: '${name}'`)
  }
  return splitFields(format)
    .map(part => (part.isField ? formatField(part.text, argument, reach) : part.text))
    .join('')
}

/** Literal text and replacement fields, in order. Doubled braces are literal ones. */
function splitFields(format: string): { readonly text: string; readonly isField: boolean }[] {
  const parts: { text: string; isField: boolean }[] = []
  for (let i = 0; i < format.length; i++) {
    const char = format[i]!
    if (char !== '{' && char !== '}') parts.push({ text: char, isField: false })
    else if (format[i + 1] === char) parts.push({ text: format[i++]!, isField: false })
    else if (char === '}') throw runtimeFault("Single '}' encountered in format string")
    else {
      const end = closingBrace(format, i)
      parts.push({ text: format.slice(i + 1, end), isField: true })
      i = end
    }
  }
  return parts
}
function closingBrace(format: string, open: number): number {
  let depth = 0
  for (let i = open; i < format.length; i++) {
    if (format[i] === '{') depth++
    else if (format[i] === '}' && --depth === 0) return i
  }
  throw runtimeFault("expected '}' before end of string")
}
function formatField(field: string, argument: (name: string) => Py, reach: Reach): string {
  const [, path = '', conversion, spec = ''] =
    /^([^!:[]*(?:\[[^\]]*\][^!:[]*)*)(?:!([rsa]))?(?::([\s\S]*))?$/.exec(field) ?? []
  const first = /^[^.[]*/.exec(path)![0]
  let value = argument(first)
  for (const [, name, key] of path.slice(first.length).matchAll(/\.([^.[]+)|\[([^\]]+)\]/g))
    value =
      name === undefined
        ? reach.item(value, /^\d+$/.test(key!) ? Number(key) : key!)
        : reach.attribute(value, name)
  if (value instanceof Undefined) value.fail()
  const converted = conversion === undefined ? value : conversion === 's' ? toText(value) : toRepr(value)
  return formatValue(
    converted,
    spec.replace(/\{([^}]*)\}/g, (_all, name: string) => toText(argument(name))),
  )
}
