// A Templar as the product wires it, with small YAML adapters, and the case format of the oracle.
import { parseAllDocuments, parseDocument, stringify, visit } from 'yaml'
import { Float, type Scope, Template, toValue, type Value } from '../../src/core/value.ts'
import { createTemplar, type TemplarOptions } from '../../src/template/templar.ts'

// The oracle ran in UTC.
process.env['TZ'] = 'UTC'

const hasTags = (text: string): boolean => /\{\{|\{%|\{#/.test(text)
export const here = { file: 'play.yml', line: 1, col: 1 }

/** Data of a test to variables: strings with tags become Templates, as a loader does. */
export function variables(data: unknown): Value {
  if (typeof data === 'string') return hasTags(data) ? new Template(data, here) : data
  if (Array.isArray(data)) return data.map(variables)
  if (typeof data === 'object' && data !== null && Object.getPrototypeOf(data) === Object.prototype)
    return new Map(Object.entries(data).map(([key, value]) => [key, variables(value)]))
  return toValue(data)
}
export function scopeOf(vars: Readonly<Record<string, unknown>>): Scope {
  const values = new Map(Object.entries(vars).map(([name, value]) => [name, variables(value)]))
  return { get: name => values.get(name), names: () => values.keys() }
}

/** JSON where 3.0 stays a float. */
export function parseJsonKeepingFloats(text: string): any {
  return JSON.parse(
    text.replace(
      /("(?:[^"\\]|\\.)*")|(-?\d+\.0+|-0\.0)(?=[,\]}\s])/g,
      (_all, string, float) => string ?? `{"\\u0000float":${float === '-0.0' ? '"-0"' : `"${float}"`}}`,
    ),
    (_key, value) =>
      value && typeof value === 'object' && '\0float' in value ? new Float(Number(value['\0float'])) : value,
  )
}

function fromYaml(doc: ReturnType<typeof parseDocument>): Value {
  if (doc.errors[0]) throw doc.errors[0]
  visit(doc, {
    Scalar(_key, node) {
      if (typeof node.value === 'number' && Number.isInteger(node.value) && /[.eE]/.test(node.source ?? ''))
        node.value = new Float(node.value)
    },
  })
  return toValue(doc.toJS({ mapAsMap: true }))
}
function toYaml(value: Value): unknown {
  if (value instanceof Float) return value.value
  if (Array.isArray(value)) return Array.from(value, toYaml)
  return value instanceof Map ? new Map([...value].map(([k, v]) => [k, toYaml(v)])) : value
}

export const options: TemplarOptions = {
  now: () => new Date('2026-03-04T05:06:07Z'),
  random: () => 0.5,
  env: name => ({ ROTA_T: 'envval' })[name],
  parseYaml: text => fromYaml(parseDocument(text)),
  parseYamlAll: text => (parseAllDocuments(text) as any[]).map(fromYaml),
  dumpYaml: (value, style) =>
    stringify(toYaml(value), {
      indent: style.indent,
      indentSeq: false,
      sortMapEntries: style.sortKeys,
      lineWidth: 0,
    }),
}
export const templar = createTemplar(options)

export interface Encoded {
  readonly t: string
  readonly v?: any
}
/** A result in the oracle's notation: types, dict order and exact numbers show. */
export function encode(value: any): Encoded {
  if (value === null) return { t: 'none' }
  if (typeof value === 'boolean') return { t: 'bool', v: value }
  if (typeof value === 'bigint') return { t: 'int', v: String(value) }
  if (typeof value === 'number') return { t: Number.isInteger(value) ? 'int' : 'float', v: String(value) }
  if (value instanceof Float)
    return { t: 'float', v: Object.is(value.value, -0) ? '-0.0' : String(value.value) }
  if (typeof value === 'string') return { t: 'str', v: value }
  if (Array.isArray(value)) return { t: 'list', v: Array.from(value, encode) }
  if (value instanceof Map) return { t: 'dict', v: [...value].map(([k, v]) => [encode(k), encode(v)]) }
  return { t: 'other', v: String(value) }
}
/** The oracle's notation, without what both sides write differently (repr of floats, tuples). */
export function normalize(value: Encoded): Encoded {
  if (value.t === 'float') return { t: 'float', v: Number(value.v) }
  if (value.t === 'list' || value.t === 'set') return { t: 'list', v: value.v.map(normalize) }
  if (value.t === 'dict') return { t: 'dict', v: value.v.map((pair: Encoded[]) => pair.map(normalize)) }
  return value
}
