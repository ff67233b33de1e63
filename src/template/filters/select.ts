import { attributeOf, reach } from '../compile/access.ts'
import type { Filter, FilterSet } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, type Named, type Py, Undefined } from '../python/kinds.ts'
import { methodOf } from '../python/methods.ts'
import { isTrue } from '../python/order.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { attributeGetter } from './attribute.ts'

/** An empty or false value has no items, as in Jinja2. */
function itemsOf(value: Py): readonly Py[] {
  return isTrue(value) ? iterate(value) : []
}

function map(value: Py, args: Args, runtime: Runtime): Py {
  const [name, ...rest] = args.rest
  const items = itemsOf(value)
  if (name !== undefined) {
    const filter = runtime.filter(toText(name))
    return items.map(item => runtime.applyFilter(toText(name), filter, item, rest, args.named))
  }
  const attribute = args.named.get('attribute')
  if (attribute === undefined) throw runtimeFault('map requires a filter argument')
  for (const other of args.named.keys())
    if (other !== 'attribute' && other !== 'default')
      throw runtimeFault(`Unexpected keyword argument '${other}'`)
  return items.map(attributeGetter(attribute, args.named.get('default')))
}

/** select, reject, selectattr and rejectattr: which items a test, or truth, holds for. */
function selecting(byAttribute: boolean, wanted: boolean): Filter['run'] {
  return (value, args, runtime) => {
    const [attribute, ...others] = args.rest
    if (byAttribute && attribute === undefined) throw runtimeFault('Missing parameter for attribute name')
    const get = byAttribute ? attributeGetter(attribute!) : (item: Py) => item
    const holds = testOf(runtime, byAttribute ? others : args.rest, args.named)
    return itemsOf(value).filter(item => holds(get(item)) === wanted)
  }
}
function testOf(runtime: Runtime, [name, ...args]: readonly Py[], named: Named): (item: Py) => boolean {
  if (name === undefined) return isTrue
  const test = runtime.test(toText(name))
  return item => runtime.applyTest(toText(name), test, item, args, named)
}
/** Jinja2's attr: attributes only, never members of a dict. */
function attribute(value: Py, args: Args): Py {
  const name = args.text('name')
  if (!isDict(value)) return attributeOf(value, name)
  return (
    methodOf(value, name, reach) ??
    new Undefined(`'dict object' has no attribute '${name}'`, { variable: name })
  )
}

/** Filters that apply other filters and tests. */
export const selectFilters: FilterSet = {
  map: ['*args, **named', map],
  select: ['*args, **named', selecting(false, true)],
  reject: ['*args, **named', selecting(false, false)],
  selectattr: ['*args, **named', selecting(true, true)],
  rejectattr: ['*args, **named', selecting(true, false)],
  attr: ['name', attribute],
}
