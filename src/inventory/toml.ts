import { parse, stringify, type TomlError, type TomlValue } from 'smol-toml'
import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { type Dict, Float, isDict, Template, type Value } from '../core/value.ts'
import type { TreeDocument } from './tree.ts'

/**
 * A TOML inventory as the tree that a YAML one is: `[GROUP.hosts.NAME]`, `[GROUP.vars]`, `children = ["a", "b"]`. Problems in it
 * stand at the file's begin, since the parser keeps no places. Throws E_INVENTORY.
 */
export function parseToml(text: string, file: string): TreeDocument {
  const begin: Source = { file, line: 1, col: 1 }
  const groups = [...readToml(text, begin)].map(
    ([name, group]) => [name, isDict(group) ? keyChildren(group) : group] as const,
  )
  const at = (): Source => begin
  return { file, value: new Map(groups), at, keyAt: at, valueAt: at }
}

function readToml(text: string, begin: Source): Dict {
  try {
    return toOperators(parse(text, { integersAsBigInt: true }), begin) as Dict
  } catch (cause) {
    const { line, column: col, message } = cause as TomlError
    // The lines behind the first are an excerpt, and the file may be out of a vault.
    throw problem('E_INVENTORY', message.split('\n')[0]!, { at: { ...begin, line, col }, cause })
  }
}

/** A list of names as the mapping that it is in YAML. */
function keyChildren(group: Dict): Dict {
  const children = group.get('children')
  if (!Array.isArray(children)) return group
  const named = (children as readonly Value[]).map(name => [name, null] as const)
  return new Map([...group, ['children', new Map<Value, Value>(named)]])
}

/** What an operator wrote may hold templates; dates are texts, as everywhere. */
function toOperators(value: TomlValue, at: Source): Value {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value === 'number') return Number.isInteger(value) ? new Float(value) : value
  if (typeof value === 'string') return /\{[{%#]/.test(value) ? new Template(value, at) : value
  if (typeof value === 'boolean') return value
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(item => toOperators(item, at))
  return new Map(Object.entries(value).map(([key, member]) => [key, toOperators(member, at)]))
}

/** A tree of groups as TOML. Throws E_INVENTORY for what TOML has no form for. */
export function renderToml(tree: Dict): string {
  return stringify(toTables(tree), { numbersAsFloat: true })
}

function toTables(value: Value): unknown {
  // Python's toml writes it so too: TOML has no null.
  if (value === null) return 'None'
  if (value instanceof Float) return value.value
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return (value as readonly Value[]).map(toTables)
  if (!isDict(value)) return value
  const other = [...value.keys()].find(key => typeof key !== 'string')
  if (other !== undefined)
    throw problem(
      'E_INVENTORY',
      `The source inventory contains a name that is no text, and TOML has no other: ${String(other)}`,
      { hint: 'put it into quotes, or use --yaml' },
    )
  return Object.fromEntries([...value].map(([key, member]) => [key, toTables(member)]))
}
