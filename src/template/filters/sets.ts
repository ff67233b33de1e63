import type { FilterSet } from '../compile/language.ts'
import { limitFault, runtimeFault } from '../fault.ts'
import { type Py, tupleOf } from '../python/kinds.ts'
import { contains } from '../python/order.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { uniqueBy } from './list.ts'

const distinct = (items: readonly Py[]): Py[] => uniqueBy(items, item => item)
type ListPair = (a: readonly Py[], b: readonly Py[]) => Py
function onLists(run: ListPair): (value: Py, args: Args) => Py {
  return (value, args) => run(iterate(value), iterate(args.value('other')))
}
const difference = (a: readonly Py[], b: readonly Py[]): Py[] =>
  distinct(a.filter(item => !contains(b, item)))

function zip(value: Py, args: Args): Py {
  const lists = [value, ...args.rest].map(iterate)
  const size = Math.min(...lists.map(list => list.length))
  return Array.from({ length: size }, (_row, index) => tupleOf(lists.map(list => list[index]!)))
}
function zipLongest(value: Py, args: Args): Py {
  const lists = [value, ...args.rest].map(iterate)
  const size = Math.max(...lists.map(list => list.length))
  const fill = args.named.get('fillvalue') ?? null
  return Array.from({ length: size }, (_row, index) =>
    tupleOf(lists.map(list => (index < list.length ? list[index]! : fill))),
  )
}

/** Most rows that product, permutations and combinations may make. */
const MOST_ROWS = 100_000
function checkRows(rows: number): void {
  if (rows > MOST_ROWS) throw limitFault(`more than ${MOST_ROWS} combinations`)
}
/** Every choice of one item of each list, the last list's changing fastest. */
export function productOf(lists: readonly (readonly Py[])[]): Py[][] {
  return lists.reduce<Py[][]>(
    (rows, list) => {
      checkRows(rows.length * list.length)
      return rows.flatMap(row => list.map(item => [...row, item]))
    },
    [[]],
  )
}
function product(value: Py, args: Args): Py {
  const repeat = args.named.get('repeat') ?? 1
  if (typeof repeat !== 'number') throw runtimeFault('repeat must be a number')
  const lists = [value, ...args.rest].map(iterate)
  return productOf(Array.from({ length: repeat }, () => lists).flat()).map(tupleOf)
}
/** Choices of `size` indexes, in lexical order; each index is taken from what `next` leaves. */
function choices(count: number, size: number, isOrdered: boolean): number[][] {
  let rows: number[][] = [[]]
  for (let taken = 0; taken < size; taken++) {
    rows = rows.flatMap(row =>
      Array.from({ length: count }, (_item, index) => index)
        .filter(index => (isOrdered ? !row.includes(index) : index > (row.at(-1) ?? -1)))
        .map(index => [...row, index]),
    )
    checkRows(rows.length)
  }
  return rows
}
function choose(isOrdered: boolean): (value: Py, args: Args) => Py {
  return (value, args) => {
    const items = iterate(value)
    const size = args.has('size') ? args.integer('size') : items.length
    return choices(items.length, size, isOrdered).map(row => tupleOf(row.map(index => items[index]!)))
  }
}

/** Ansible's filters that treat lists as sets or combine them. */
export const setFilters: FilterSet = {
  union: ['other', onLists((a, b) => distinct([...a, ...b]))],
  intersect: ['other', onLists((a, b) => distinct(a.filter(item => contains(b, item))))],
  difference: ['other', onLists(difference)],
  symmetric_difference: ['other', onLists((a, b) => [...difference(a, b), ...difference(b, a)])],
  zip: ['*others', zip],
  zip_longest: ['*others, **named', zipLongest],
  product: ['*others, **named', product],
  permutations: ['size=null', choose(true)],
  combinations: ['size', choose(false)],
}
