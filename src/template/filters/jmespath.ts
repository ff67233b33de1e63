import { search } from 'jmespath'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, isFloat, isList, isText, type Py, toNumber, Undefined } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

const DEEPEST = 200

/** Plain data as the package wants it. Objects without a prototype: a query reaches members of the data and nothing else. */
function plainOf(value: Py, depth = 0): unknown {
  if (depth > DEEPEST) throw runtimeFault('the value is nested too deeply for json_query')
  if (value instanceof Undefined) value.fail()
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (isText(value)) return toText(value)
  if (typeof value === 'bigint' || isFloat(value)) return toNumber(value)
  if (isList(value)) return value.map(item => plainOf(item, depth + 1))
  if (!isDict(value)) return toText(value)
  const object = Object.create(null) as Record<string, unknown>
  for (const [key, member] of value) object[toText(key)] = plainOf(member, depth + 1)
  return object
}

function valueOfPlain(found: unknown): Py {
  if (found === null || found === undefined) return null
  if (Array.isArray(found)) return found.map(valueOfPlain)
  if (typeof found !== 'object') return found as string | number | boolean
  return new Map(Object.entries(found).map(([name, member]) => [name, valueOfPlain(member)]))
}

/** `data | json_query('a[?b == `1`].c')` of community.general: a JMESPath query (jmespath.org). */
function jsonQuery(value: Py, args: Args): Py {
  const expression = args.text('expr')
  const data = plainOf(value)
  let found: unknown
  try {
    found = search(data, expression)
  } catch (error) {
    throw runtimeFault(`json_query cannot evaluate '${expression}': ${(error as Error).message}`)
  }
  return valueOfPlain(found)
}

export const jmespathFilters: FilterSet = { json_query: ['expr', jsonQuery] }
