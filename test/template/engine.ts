// A Templar as the product wires it, and the case format of the oracle.
import { Float, type Scope, Template, toValue, type Value } from '../../src/core/value.ts'
import { parseAll, parseYaml } from '../../src/load/yaml.ts'
import { dumpYaml } from '../../src/load/yaml-dump.ts'
import { createTemplar, type TemplarOptions } from '../../src/template/templar.ts'

// The oracle ran in UTC.
process.env['TZ'] = 'UTC'

const hasTags = (text: string): boolean => /\{\{|\{%|\{#/.test(text)
export const here = { file: 'play.yml', line: 1, col: 1 }

/** Data of a test to variables: strings with tags become Templates, as a loader does. */
function variables(data: unknown): Value {
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

export const options: TemplarOptions = {
  now: () => new Date('2026-03-04T05:06:07Z'),
  random: () => 0.5,
  env: name => ({ ROTA_T: 'envval' })[name],
  parseYaml: (text, file) => parseYaml(text, file).value,
  parseYamlAll: (text, file) => parseAll(text, file).map(document => document.value),
  dumpYaml,
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
