import { itemOf } from '../compile/access.ts'
import type { FilterSet } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { add } from '../python/arithmetic.ts'
import { isEqual } from '../python/equality.ts'
import { isDict, isList, Markup, orElse, type Py, tupleOf, typeName, Undefined } from '../python/kinds.ts'
import { compare, isTrue } from '../python/order.ts'
import { iterate, length } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { escapeHtml, toText } from '../python/text.ts'
import { attributeGetter, caseFolder } from './attribute.ts'

/** Sorted without moving equal items; `reverse` keeps their order, too, as Python's. */
function sorted(items: readonly Py[], order: (a: Py, b: Py) => number, isReverse: boolean): Py[] {
  return [...items].sort((a, b) => (isReverse ? order(b, a) : order(a, b)))
}
function sort(value: Py, args: Args): Py {
  const fold = caseFolder(args.flag('case_sensitive'))
  const attribute = args.value('attribute')
  const paths =
    attribute === null || typeof attribute === 'number' ? [attribute] : toText(attribute).split(',')
  const getters = paths.map(path => attributeGetter(path))
  const order = (a: Py, b: Py): number => {
    for (const get of getters) {
      const difference = compare(fold(get(a)), fold(get(b)))
      if (difference !== 0) return difference
    }
    return 0
  }
  return sorted(iterate(value), order, args.flag('reverse'))
}
function sortDict(value: Py, args: Args): Py {
  if (value instanceof Undefined) value.fail()
  if (!isDict(value)) throw runtimeFault(`dictsort needs a dict, not ${typeName(value)}`)
  const by = { key: 0, value: 1 }[args.text('by')]
  if (by === undefined) throw runtimeFault('You can only sort by either "key" or "value"')
  const fold = caseFolder(args.flag('case_sensitive'))
  const order = (a: Py, b: Py): number => compare(fold(itemOf(a, by)), fold(itemOf(b, by)))
  return sorted([...value].map(tupleOf), order, args.flag('reverse'))
}
/** The items whose key was not seen before. Texts are found by hash, other keys by comparison. */
export function uniqueBy(items: readonly Py[], keyOf: (item: Py) => Py): Py[] {
  const texts = new Set<string>()
  const others: Py[] = []
  return items.filter(item => {
    const key = keyOf(item)
    if (typeof key === 'string') return !texts.has(key) && texts.add(key)
    if (others.some(other => isEqual(other, key))) return false
    others.push(key)
    return true
  })
}
function unique(value: Py, args: Args): Py {
  const fold = caseFolder(args.flag('case_sensitive'))
  const get = attributeGetter(args.value('attribute'))
  const hasOptions = args.has('case_sensitive') || args.has('attribute')
  return uniqueBy(iterate(value), item => {
    const key = hashable(fold(get(item)))
    if (hasOptions && (isDict(key) || isList(key)))
      throw runtimeFault(
        "Jinja2's unique filter failed and we cannot fall back to Ansible's version as it does not support the parameters supplied",
      )
    return key
  })
}
function hashable(key: Py): Py {
  if (key instanceof Undefined) key.fail()
  return key
}
function extreme(sign: 1 | -1): (value: Py, args: Args) => Py {
  return (value, args) => {
    const fold = caseFolder(args.flag('case_sensitive'))
    const get = attributeGetter(args.value('attribute'))
    const [first, ...rest] = iterate(value)
    if (first === undefined) return new Undefined('No aggregated item, sequence was empty.')
    return rest.reduce(
      (best, item) => (compare(fold(get(item)), fold(get(best))) * sign > 0 ? item : best),
      first,
    )
  }
}
function sum(value: Py, args: Args): Py {
  const get = attributeGetter(args.value('attribute'))
  return iterate(value).reduce<Py>((total, item) => add(total, get(item)), args.value('start'))
}
function join(value: Py, args: Args, runtime: Runtime): Py {
  const get = attributeGetter(args.value('attribute'))
  const items = iterate(value).map(get)
  if (!runtime.isEscaping) return items.map(toText).join(args.text('d'))
  const html = (item: Py): string => (item instanceof Markup ? item.html : escapeHtml(toText(item)))
  return new Markup(items.map(html).join(html(args.value('d'))))
}
function batch(value: Py, args: Args): Py {
  const size = args.integer('linecount')
  if (size < 1) throw runtimeFault('batch needs a linecount of at least 1')
  const items = iterate(value)
  const rows: Py[][] = []
  for (let start = 0; start < items.length; start += size) rows.push(items.slice(start, start + size))
  const last = rows.at(-1)
  if (last && args.has('fill_with')) while (last.length < size) last.push(args.raw('fill_with'))
  return rows
}
function sliceColumns(value: Py, args: Args): Py {
  const items = iterate(value)
  const count = args.integer('slices')
  if (count < 1) throw runtimeFault('slice needs at least 1 slice')
  const size = Math.floor(items.length / count)
  const longer = items.length % count
  let start = 0
  return Array.from({ length: count }, (_column, index) => {
    const column = items.slice(start, start + size + (index < longer ? 1 : 0))
    start += column.length
    return args.has('fill_with') && index >= longer ? [...column, args.raw('fill_with')] : column
  })
}
function groupBy(value: Py, args: Args): Py {
  const fold = caseFolder(args.flag('case_sensitive'))
  const get = attributeGetter(args.value('attribute'), args.raw('default'))
  const keyOf = (item: Py): Py => fold(get(item))
  const groups: { key: Py; folded: Py; items: Py[] }[] = []
  for (const item of sorted(iterate(value), (a, b) => compare(keyOf(a), keyOf(b)), false)) {
    const last = groups.at(-1)
    if (last && isEqual(last.folded, keyOf(item))) last.items.push(item)
    else groups.push({ key: get(item), folded: keyOf(item), items: [item] })
  }
  return groups.map(({ key, items }) => tupleOf([key, items]))
}
function dictItems(value: Py): Py {
  if (value instanceof Undefined) return []
  if (!isDict(value)) throw runtimeFault('Can only get item pairs from a mapping.')
  return [...value].map(tupleOf)
}
function end(which: 'first' | 'last'): (value: Py) => Py {
  return value => {
    const items = iterate(value)
    return orElse(
      items.at(which === 'first' ? 0 : -1),
      () => new Undefined(`No ${which} item, sequence was empty.`),
    )
  }
}
function fallback(value: Py, args: Args): Py {
  if (value instanceof Undefined) return args.raw('default_value')
  return args.flag('boolean') && !isTrue(value) ? args.raw('default_value') : value
}

/** Jinja2's filters on lists and dicts. */
export const listFilters: FilterSet = {
  'default d': ["default_value='', boolean=false", fallback],
  'length count': ['', length],
  list: ['', value => [...iterate(value)]],
  first: ['', end('first')],
  last: ['', end('last')],
  sort: ['reverse=false, case_sensitive=false, attribute=null', sort],
  dictsort: ["case_sensitive=false, by='key', reverse=false", sortDict],
  items: ['', dictItems],
  unique: ['case_sensitive=null, attribute=null', unique],
  min: ['case_sensitive=false, attribute=null', extreme(-1)],
  max: ['case_sensitive=false, attribute=null', extreme(1)],
  sum: ['attribute=null, start=0', sum],
  join: ["d='', attribute=null", join],
  batch: ['linecount, fill_with=null', batch],
  slice: ['slices, fill_with=null', sliceColumns],
  groupby: ['attribute, default=null, case_sensitive=false', groupBy],
}
