import type { Condition } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, Template, type Value } from '../core/value.ts'
import { parseBool } from './coerce.ts'
import { parseCondition } from './expression.ts'
import { type ShapeName, shapes } from './keyword-types.ts'
import { type Keyword, keywords, type Level } from './keywords.ts'
import type { Reader } from './reader.ts'

/** Keywords whose member is not simply their name in camel case. */
const members: Readonly<Record<string, string>> = { user: 'remoteUser' }

/**
 * The plain keywords of a dict as members of core's types: `become_user` is becomeUser, words are lists, conditions are
 * bare expressions. Lists of tasks are left out. What is of a wrong kind has been said by checkKeywords and is left out.
 */
export function readFields(reader: Reader, dict: Dict, level: Level): Record<string, unknown> {
  const table: Readonly<Record<string, Keyword>> = keywords[level]
  const fields: Record<string, unknown> = {}
  for (const [key, value] of dict) {
    if (typeof key !== 'string' || value === null || !Object.hasOwn(table, key)) continue
    const { shape } = table[key]!
    if (shape === 'tasks' || !shapes[shape].accepts(value)) continue
    fields[members[key] ?? camelCase(key)] = readField(reader, shape, dict, key, value)
  }
  return fields
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function listOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value]
}

function readField(reader: Reader, shape: ShapeName, dict: Dict, key: string, value: Value): unknown {
  switch (shape) {
    case 'bool':
      return value instanceof Template ? value : parseBool(value)
    case 'int':
    case 'number':
      return typeof value === 'string' && !value.endsWith('%') ? Number(value) : value
    case 'words':
      return listOf(value).flatMap((item): readonly Value[] =>
        typeof item === 'string' ? item.split(',').map(word => word.trim()) : [item],
      )
    case 'names':
    case 'files':
    case 'dicts':
      return listOf(value)
    case 'conditions':
      return readConditions(reader, dict, key, value)
    case 'vars':
      return readVars(reader, listOf(value) as readonly Dict[])
    default:
      return value
  }
}

function readVars(reader: Reader, dicts: readonly Dict[]): Dict {
  for (const dict of dicts) checkNames(reader, dict)
  return dicts.length === 1 ? dicts[0]! : new Map(dicts.flatMap(dict => [...dict]))
}

/** Ansible wants identifiers: a variable that no template could name is a mistake. */
function checkNames(reader: Reader, vars: Dict): void {
  for (const name of vars.keys())
    if (typeof name !== 'string' || !isIdentifier(name))
      reader.say(
        `Invalid variable name in vars specified: '${String(name)}' is not a valid variable name`,
        reader.doc.keyAt(vars, name),
        `use letters, digits and _: ${String(name).replace(/\W/g, '_')}`,
      )
}

/** Whether a template can name such a variable. */
export function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

function readConditions(reader: Reader, dict: Dict, key: string, value: Value): Condition[] {
  const list = readExpressions(reader, value, reader.doc.valueAt(dict, key))
  return (Array.isArray(list) ? list : [list]).filter(
    item => item instanceof Template || typeof item === 'boolean',
  )
}

/**
 * A bare expression, or a list of them, as Templates that wait to be evaluated. Only what stands in a file of the
 * operator's comes here: text that comes from anywhere else must never be evaluated.
 */
export function readExpressions(reader: Reader, value: Value, at: Source): Value {
  if (!Array.isArray(value)) return readCondition(reader, value, at)[0] ?? null
  return (value as readonly Value[]).flatMap((item, index) =>
    readCondition(reader, item, reader.doc.valueAt(value, index)),
  )
}

function readCondition(reader: Reader, value: Value, at: Source): Condition[] {
  if (typeof value === 'boolean') return [value]
  if (value === null || value === '' || isDict(value)) return []
  if (!(value instanceof Template)) return [new Template(String(value), at)]
  const bare = parseCondition(value.text)
  if (bare !== undefined) return [new Template(bare, value.at)]
  reader.say(
    'a condition is an expression, and this one holds template syntax',
    value.at,
    'write names without braces: status == wanted',
  )
  return []
}
