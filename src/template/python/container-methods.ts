import { runtimeFault } from '../fault.ts'
import { deleteMember, dictOf, hasKey, isEqual, member, setMember } from './equality.ts'
import { isDict, orElse, type Py, type PyDict, tupleOf, typeName } from './kinds.ts'
import { methodTable } from './method-table.ts'
import { compare } from './order.ts'
import { itemAt, iterate } from './sequence.ts'
import type { Args } from './signature.ts'
import { toRepr } from './text.ts'

type MutableList = Py[]
type MutableDict = Map<Py, Py>

function indexIn(list: readonly Py[], item: Py): number {
  const index = list.findIndex(other => isEqual(other, item))
  if (index < 0) throw runtimeFault(`${toRepr(item)} is not in the ${typeName(list)}`)
  return index
}
const countIn = (list: readonly Py[], args: Args): number =>
  list.filter(other => isEqual(other, args.raw('item'))).length

export const tupleMethods = methodTable<readonly Py[]>({
  index: ['item', (list, args) => indexIn(list, args.raw('item'))],
  count: ['item', countIn],
})

function pop(list: MutableList, index: number): Py {
  const item = itemAt(list, index)
  if (item === undefined)
    throw runtimeFault(list.length === 0 ? 'pop from empty list' : 'pop index out of range')
  list.splice(index, 1)
  return item
}
function sortInPlace(list: MutableList, isReverse: boolean): null {
  list.sort((a, b) => (isReverse ? compare(b, a) : compare(a, b)))
  return null
}

export const listMethods = methodTable<MutableList>(
  {
    index: ['item', (list, args) => indexIn(list, args.raw('item'))],
    count: ['item', countIn],
    copy: ['', list => [...list]],
    append: [
      'item',
      (list, args) => {
        list.push(args.raw('item'))
        return null
      },
    ],
    extend: [
      'items',
      (list, args) => {
        list.push(...iterate(args.value('items')))
        return null
      },
    ],
    insert: [
      'index, item',
      (list, args) => {
        list.splice(args.integer('index'), 0, args.raw('item'))
        return null
      },
    ],
    pop: ['index=-1', (list, args) => pop(list, args.integer('index'))],
    remove: [
      'item',
      (list, args) => {
        list.splice(indexIn(list, args.raw('item')), 1)
        return null
      },
    ],
    reverse: [
      '',
      list => {
        list.reverse()
        return null
      },
    ],
    clear: [
      '',
      list => {
        list.length = 0
        return null
      },
    ],
    sort: ['key=null, reverse=false', (list, args) => sortInPlace(list, args.flag('reverse'))],
  },
  ['append', 'extend', 'insert', 'pop', 'remove', 'reverse', 'clear', 'sort'],
)

/** The key and value of a pair that is a list of two. */
function pairOf(value: Py): readonly [Py, Py] {
  const items = iterate(value)
  if (items.length !== 2) throw runtimeFault(`a pair has 2 items, not ${items.length}`)
  return [items[0]!, items[1]!]
}
/** The members of a dict, or of a list of pairs. */
export function pairsOf(value: Py): (readonly [Py, Py])[] {
  return isDict(value) ? [...value] : iterate(value).map(pairOf)
}

function get(dict: PyDict, args: Args): Py {
  const key = args.value('key')
  return orElse(member(dict, key), () => args.raw('default'))
}
function popMember(dict: MutableDict, args: Args): Py {
  const [key = null, fallback] = args.rest
  const value = member(dict, key)
  if (value !== undefined) deleteMember(dict, key)
  else if (fallback === undefined) throw runtimeFault(`there is no key ${toRepr(key)}`)
  return orElse(value, () => fallback!)
}
function update(dict: MutableDict, args: Args): null {
  const other = args.value('other')
  if (other !== null) for (const [key, value] of pairsOf(other)) setMember(dict, key, value)
  for (const [key, value] of args.named) setMember(dict, key, value)
  return null
}
function setDefault(dict: MutableDict, args: Args): Py {
  const key = args.value('key')
  if (!hasKey(dict, key)) setMember(dict, key, args.raw('default'))
  return member(dict, key)!
}
function popLast(dict: MutableDict): Py {
  const last = [...dict].at(-1)
  if (last === undefined) throw runtimeFault('popitem(): dictionary is empty')
  dict.delete(last[0])
  return tupleOf(last)
}

export const dictMethods = methodTable<MutableDict>(
  {
    items: ['', dict => [...dict].map(tupleOf)],
    keys: ['', dict => [...dict.keys()]],
    values: ['', dict => [...dict.values()]],
    get: ['key, default=null', get],
    copy: ['', dict => dictOf(dict)],
    fromkeys: [
      'keys, value=null',
      (_dict, args) => dictOf(iterate(args.value('keys')).map(key => [key, args.raw('value')])),
    ],
    update: ['other=null, **named', update],
    setdefault: ['key, default=null', setDefault],
    pop: ['*key', popMember],
    popitem: ['', popLast],
    clear: [
      '',
      dict => {
        dict.clear()
        return null
      },
    ],
  },
  ['update', 'setdefault', 'pop', 'popitem', 'clear'],
)
