import type { FilterSet } from '../compile/language.ts'
import { Fault } from '../fault.ts'
import { isDict, isList, isText, type Py, Tuple, tupleOf } from '../python/kinds.ts'
import { compare } from '../python/order.ts'
import { toRepr, toText } from '../python/text.ts'

/** Columns of Python's pprint. */
const WIDTH = 80

/** A value whose dicts are in the order of their keys; keys that Python does not order stay as they are. */
function sortedDeep(value: Py): Py {
  if (value instanceof Tuple) return tupleOf(value.map(sortedDeep))
  if (isList(value)) return value.map(sortedDeep)
  if (!isDict(value)) return value
  const pairs = [...value].map(([key, member]) => [key, sortedDeep(member)] as const)
  try {
    return new Map(pairs.toSorted(([a], [b]) => compare(a, b)))
  } catch (error) {
    if (error instanceof Fault) return new Map(pairs)
    throw error
  }
}

/** One value as CPython's pprint.pformat() lays it out: `indent` columns are used before it, `allowance` are needed after it. */
function layOut(value: Py, indent: number, allowance: number, level: number): string {
  const text = toRepr(value)
  if (text.length <= WIDTH - indent - allowance) return text
  if (isDict(value)) return `{${layOutMembers(value, indent, allowance + 1, level)}}`
  if (isText(value)) return layOutText(toText(value), indent, allowance, level)
  if (!isList(value)) return text
  const [open, close] = value instanceof Tuple ? ['(', value.length === 1 ? ',)' : ')'] : ['[', ']']
  return open + layOutItems(value, indent, allowance + close.length, level) + close
}
function layOutItems(items: readonly Py[], indent: number, allowance: number, level: number): string {
  const inner = indent + 1
  return items
    .map((item, index) => layOut(item, inner, index === items.length - 1 ? allowance : 1, level + 1))
    .join(`,\n${' '.repeat(inner)}`)
}
function layOutMembers(dict: ReadonlyMap<Py, Py>, indent: number, allowance: number, level: number): string {
  const inner = indent + 1
  return [...dict]
    .map(([key, value], index) => {
      const name = toRepr(key)
      const after = index === dict.size - 1 ? allowance : 1
      return `${name}: ${layOut(value, inner + name.length + 2, after, level + 1)}`
    })
    .join(`,\n${' '.repeat(inner)}`)
}

/** A long text in pieces that Python puts together again: lines, and words of lines that are too long. */
function layOutText(text: string, given: number, givenAllowance: number, level: number): string {
  const isOuter = level === 1
  const [indent, allowance] = isOuter ? [given + 1, givenAllowance + 1] : [given, givenAllowance]
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const chunks = lines.flatMap((line, index) => {
    const width = WIDTH - indent
    const last = index === lines.length - 1 ? allowance : 0
    return toRepr(line).length <= width - last ? [toRepr(line)] : splitWords(line, width, last)
  })
  if (chunks.length <= 1) return toRepr(text)
  const joined = chunks.join(`\n${' '.repeat(indent)}`)
  return isOuter ? `(${joined})` : joined
}
function splitWords(line: string, width: number, allowance: number): string[] {
  const words = line.match(/\S*\s*/g)!.filter(word => word !== '')
  const chunks: string[] = []
  let current = ''
  for (const [index, word] of words.entries()) {
    const most = index === words.length - 1 ? width - allowance : width
    if (toRepr(current + word).length <= most) current += word
    else {
      if (current !== '') chunks.push(toRepr(current))
      current = word
    }
  }
  return current === '' ? chunks : [...chunks, toRepr(current)]
}

/** Jinja's pprint: the value for people, as Python's pprint prints it. */
export const pprintFilters: FilterSet = { pprint: ['', value => layOut(sortedDeep(value), 0, 0, 1)] }
