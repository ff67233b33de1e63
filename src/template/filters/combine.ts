import { itemOf } from '../compile/access.ts'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { dictOf, hasKey, member, setMember } from '../python/equality.ts'
import {
  isDict,
  isList,
  isText,
  type Py,
  type PyDict,
  tupleOf,
  typeName,
  Undefined,
} from '../python/kinds.ts'
import { contains, isTrue } from '../python/order.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { toRepr, toText } from '../python/text.ts'

const listMerges: Readonly<Record<string, (old: readonly Py[], by: readonly Py[]) => readonly Py[]>> = {
  replace: (_old, by) => by,
  keep: old => old,
  append: (old, by) => [...old, ...by],
  prepend: (old, by) => [...by, ...old],
  append_rp: (old, by) => [...old.filter(item => !contains(by, item)), ...by],
  prepend_rp: (old, by) => [...by, ...old.filter(item => !contains(by, item))],
}
interface MergeStyle {
  readonly isRecursive: boolean
  readonly mergeLists: (old: readonly Py[], by: readonly Py[]) => readonly Py[]
}
function merge(old: PyDict, by: PyDict, style: MergeStyle): Map<Py, Py> {
  const result = dictOf(old)
  for (const [key, value] of by) {
    const before = member(result, key)
    setMember(result, key, before === undefined ? value : mergeValues(before, value, style))
  }
  return result
}
function mergeValues(old: Py, by: Py, style: MergeStyle): Py {
  if (style.isRecursive && isDict(old) && isDict(by)) return merge(old, by, style)
  return isList(old) && isList(by) ? style.mergeLists(old, by) : by
}
function combine(value: Py, args: Args): Py {
  for (const name of args.named.keys())
    if (name !== 'recursive' && name !== 'list_merge')
      throw runtimeFault(`'recursive' and 'list_merge' are the only valid keyword arguments`)
  const listMerge = toText(args.named.get('list_merge') ?? 'replace')
  if (!Object.hasOwn(listMerges, listMerge))
    throw runtimeFault(`list_merge is one of ${Object.keys(listMerges).join(', ')}, not '${listMerge}'`)
  const style = {
    isRecursive: isTrue(args.named.get('recursive') ?? false),
    mergeLists: listMerges[listMerge]!,
  }
  return [value, ...args.rest]
    .flatMap(term => (isList(term) ? term : [term]))
    .filter(term => term !== null)
    .reduce<Map<Py, Py>>((merged, next) => {
      if (next instanceof Undefined) next.fail()
      if (!isDict(next))
        throw runtimeFault(`failed to combine variables, expected dicts but got a '${typeName(next)}'`)
      return merge(merged, next, style)
    }, new Map())
}

function needDict(value: Py, filter: string): PyDict {
  if (value instanceof Undefined) value.fail()
  if (isDict(value)) return value
  throw runtimeFault(`${filter} requires a dictionary, got <class '${typeName(value)}'> instead.`)
}
function needList(value: Py, filter: string): readonly Py[] {
  if (value instanceof Undefined) value.fail()
  if (isList(value)) return value
  throw runtimeFault(`${filter} requires a list, got <class '${typeName(value)}'> instead.`)
}
function dictToItems(value: Py, args: Args): Py {
  const [keyName, valueName] = [args.text('key_name'), args.text('value_name')]
  return [...needDict(value, 'dict2items')].map(([key, item]) =>
    dictOf([
      [keyName, key],
      [valueName, item],
    ]),
  )
}
function itemsToDict(value: Py, args: Args): Py {
  const [keyName, valueName] = [args.text('key_name'), args.text('value_name')]
  return dictOf(
    needList(value, 'items2dict').map(item => {
      if (!isDict(item))
        throw runtimeFault(`items2dict requires a list of dictionaries, got ${toRepr(value)} instead.`)
      const dict = item
      if (!hasKey(dict, keyName) || !hasKey(dict, valueName))
        throw runtimeFault(
          `items2dict requires each dictionary in the list to contain the keys '${keyName}' and '${valueName}', got ${toRepr(value)} instead.`,
        )
      return [member(dict, keyName)!, member(dict, valueName)!] as const
    }),
  )
}
/** Ansible's subelements, also as lookup: pairs of an element and one item of a list in it. */
export function subelementPairs(value: Py, path: Py, skipMissing: boolean): Py {
  if (value instanceof Undefined) value.fail()
  if (!isDict(value) && !isList(value)) throw runtimeFault('obj must be a list of dicts or a nested dict')
  if (!isList(path) && !isText(path)) throw runtimeFault('subelements must be a list or a string')
  const elements = isDict(value) ? [...value.values()] : value
  const keys = (isList(path) ? path : toText(path).split('.')).map(key => toText(key))
  return elements.flatMap(element => {
    const found = findSubelements(element, keys, skipMissing)
    if (found !== undefined) return found.map(item => tupleOf([element, item]))
    if (skipMissing) return []
    throw runtimeFault(`could not find '${keys.at(-1)}' key in iterated item ${toRepr(element)}`)
  })
}
/** The list at a path of keys; undefined: one of them is missing. */
function findSubelements(
  element: Py,
  keys: readonly string[],
  skipMissing: boolean,
): readonly Py[] | undefined {
  let inner: Py = element
  for (const [index, key] of keys.entries()) {
    if (!isDict(inner)) {
      if (skipMissing && index > 0) return undefined
      const what =
        index === 0
          ? 'subelements expects a dictionary'
          : `the key ${keys[index - 1]} should point to a dictionary`
      throw runtimeFault(`${what}, got '${toText(inner)}'`)
    }
    const next: Py = itemOf(inner, key)
    if (next instanceof Undefined) return undefined
    inner = next
  }
  if (!isList(inner))
    throw runtimeFault(`the key '${keys.at(-1)}' should point to a list, got '${toText(inner)}'`)
  return inner
}
function extract(value: Py, args: Args): Py {
  const more = args.raw('morekeys')
  const path = more === null ? [] : isList(more) ? more : [more]
  return path.reduce<Py>((inner, key) => itemOf(inner, key), itemOf(args.raw('container'), value))
}
function rekey(value: Py, args: Args): Py {
  const key = args.text('key')
  const mode = args.text('duplicates')
  if (mode !== 'error' && mode !== 'overwrite')
    throw runtimeFault(`duplicates parameter to rekey_on_member has unknown value: ${mode}`)
  if (value instanceof Undefined) value.fail()
  if (!isDict(value) && !isList(value)) throw runtimeFault('Type is not a valid list, set, or dict')
  const items = isDict(value) ? [...value.values()] : value
  const result = new Map<Py, Py>()
  for (const item of items) {
    if (!isDict(item)) throw runtimeFault('List item is not a valid dict')
    const found = member(item, key)
    if (found === undefined) throw runtimeFault(`Key ${key} was not found`)
    if (mode === 'error' && hasKey(result, found))
      throw runtimeFault(`Key ${toText(found)} is not unique, cannot correctly turn into dict`)
    setMember(result, found, item)
  }
  return result
}
function flatten(value: Py, args: Args): Py {
  const isSkipped = (item: Py): boolean =>
    args.flag('skip_nulls') && (item === null || (isText(item) && ['None', 'null'].includes(toText(item))))
  const go = (items: readonly Py[], levels: number): Py[] =>
    items.flatMap(item => {
      if (isSkipped(item)) return []
      return isList(item) && levels !== 0 ? go(item, levels - 1) : [item]
    })
  return go(iterate(value), args.has('levels') ? args.integer('levels') : -1)
}
/** Ansible's filters on dicts and nested lists. */
export const combineFilters: FilterSet = {
  combine: ['*terms, **named', combine],
  dict2items: ["key_name='key', value_name='value'", dictToItems],
  items2dict: ["key_name='key', value_name='value'", itemsToDict],
  subelements: [
    'subelements, skip_missing=false',
    (value, args) => subelementPairs(value, args.value('subelements'), args.flag('skip_missing')),
  ],
  extract: ['container, morekeys=null', extract],
  rekey_on_member: ["key, duplicates='error'", rekey],
  flatten: ['levels=null, skip_nulls=true', flatten],
}
