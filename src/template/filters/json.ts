import { Secret, SecretTouched } from '../../core/secret.ts'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import {
  floatOf,
  intOf,
  isDict,
  isFloat,
  isList,
  isText,
  Markup,
  type Py,
  Thing,
  toNumber,
  typeName,
  Undefined,
} from '../python/kinds.ts'
import { compare, isTrue } from '../python/order.ts'
import type { Args } from '../python/signature.ts'
import { floatText, toText } from '../python/text.ts'

/** How JSON is written; the defaults are Python's json.dumps(). */
export interface JsonStyle {
  /** Blanks a level; undefined: on one line. */
  readonly indent?: number | undefined
  readonly sortKeys?: boolean
  readonly isAscii?: boolean
  /** Escapes what could end a script element. */
  readonly isHtml?: boolean
  readonly separators?: readonly [string, string] | undefined
}
const DEEPEST = 200
const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

function jsonText(text: string, style: JsonStyle): string {
  const quoted = JSON.stringify(text)
  const ascii = style.isAscii === false ? quoted : quoted.replace(/[\u007f-\uffff]/g, escapeUnit)
  return style.isHtml ? ascii.replace(/[<>&']/g, escapeUnit) : ascii
}
function jsonNumber(value: Py): string {
  if (!isFloat(value)) return toText(value)
  const number = toNumber(value)
  if (Number.isNaN(number)) return 'NaN'
  return Number.isFinite(number) ? floatText(number) : number > 0 ? 'Infinity' : '-Infinity'
}
function jsonKey(key: Py): string {
  if (key instanceof Secret) throw new SecretTouched(key.label)
  if (key === null) return 'null'
  return typeof key === 'boolean' ? String(key) : toText(key)
}

/** A value as JSON text, as Python writes it. */
function renderJson(value: Py, style: JsonStyle = {}, depth = 0): string {
  if (depth > DEEPEST) throw runtimeFault('the value is nested too deeply for JSON')
  if (value === null || typeof value === 'boolean') return String(value)
  if (isText(value)) return jsonText(toText(value), style)
  if (typeof value === 'number' || typeof value === 'bigint' || isFloat(value)) return jsonNumber(value)
  if (value instanceof Undefined) value.fail()
  if (isList(value)) {
    const items = Array.from(value, item => renderJson(item, style, depth + 1))
    return enclose('[', ']', items, style, depth)
  }
  if (isDict(value)) {
    const entries = style.sortKeys ? [...value].sort((a, b) => compare(a[0], b[0])) : [...value]
    const colon = style.separators?.[1] ?? ': '
    const members = entries.map(
      ([key, member]) => jsonText(jsonKey(key), style) + colon + renderJson(member, style, depth + 1),
    )
    return enclose('{', '}', members, style, depth)
  }
  if (value instanceof Thing && value.type === 'datetime') return jsonText(toText(value), style)
  throw runtimeFault(`Object of type ${typeName(value)} is not JSON serializable`)
}
function enclose(
  open: string,
  close: string,
  items: readonly string[],
  style: JsonStyle,
  depth: number,
): string {
  if (items.length === 0) return open + close
  const comma = style.separators?.[0] ?? (style.indent === undefined ? ', ' : ',')
  if (style.indent === undefined) return open + items.join(comma) + close
  const newline = (level: number): string => `\n${' '.repeat(style.indent! * level)}`
  return open + newline(depth + 1) + items.join(comma + newline(depth + 1)) + newline(depth) + close
}

/** Reads JSON text; floats stay floats and dicts keep their order. Faults naming the position. */
function parseJson(text: string): Py {
  return new JsonReader(text).read()
}
class JsonReader {
  private readonly text: string
  private at = 0
  constructor(text: string) {
    this.text = text
  }
  read(): Py {
    const value = this.value(0)
    this.skipBlanks()
    if (this.at < this.text.length) this.fail()
    return value
  }
  private fail(): never {
    throw runtimeFault(`not valid JSON at character ${this.at}`)
  }
  private skipBlanks(): void {
    while (/[ \t\n\r]/.test(this.text[this.at] ?? '')) this.at++
  }
  private skip(char: string): boolean {
    this.skipBlanks()
    const isHere = this.text[this.at] === char
    if (isHere) this.at++
    return isHere
  }
  private value(depth: number): Py {
    if (depth > DEEPEST) this.fail()
    if (this.skip('[')) return this.elements(']', () => this.value(depth + 1))
    if (this.skip('{')) return new Map(this.elements('}', () => this.memberOf(depth + 1)))
    return this.scalar()
  }
  private elements<T>(close: string, element: () => T): T[] {
    const items: T[] = []
    if (this.skip(close)) return items
    do items.push(element())
    while (this.skip(','))
    if (!this.skip(close)) this.fail()
    return items
  }
  private memberOf(depth: number): [Py, Py] {
    const key = this.scalar()
    if (typeof key !== 'string' || !this.skip(':')) this.fail()
    return [key, this.value(depth)]
  }
  private scalar(): Py {
    this.skipBlanks()
    const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity/y
    token.lastIndex = this.at
    const found = token.exec(this.text)?.[0]
    if (found === undefined) return this.fail()
    const value = this.literal(found)
    this.at += found.length
    return value
  }
  private literal(token: string): Py {
    if (/^-?\d/.test(token)) return /[.eE]/.test(token) ? floatOf(Number(token)) : intOf(BigInt(token))
    if (/NaN|Infinity/.test(token)) return Number(token)
    try {
      return JSON.parse(token) as string | boolean | null
    } catch {
      return this.fail()
    }
  }
}

/** `indent=4` and the like: a number, or null for one line. */
function indentOf(args: Args): number | undefined {
  return args.has('indent') ? args.integer('indent') : undefined
}
function ansibleStyle(args: Args): JsonStyle {
  const option = (name: string, otherwise: boolean): boolean =>
    args.named.has(name) ? isTrue(args.named.get(name)!) : otherwise
  const separators = args.named.get('separators')
  return {
    indent: indentOf(args),
    sortKeys: args.has('sort_keys') && args.flag('sort_keys'),
    isAscii: option('ensure_ascii', true),
    separators:
      separators !== undefined && isList(separators)
        ? [toText(separators[0]!), toText(separators[1]!)]
        : undefined,
  }
}

/** JSON filters of Jinja2 and Ansible. */
export const jsonFilters: FilterSet = {
  tojson: [
    'indent=null',
    (value, args) => new Markup(renderJson(value, { indent: indentOf(args), sortKeys: true, isHtml: true })),
  ],
  to_json: ['indent=null, sort_keys=false, **named', (value, args) => renderJson(value, ansibleStyle(args))],
  to_nice_json: ['indent=4, sort_keys=true, **named', (value, args) => renderJson(value, ansibleStyle(args))],
  from_json: ['', value => parseJson(toText(value))],
}
