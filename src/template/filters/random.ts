import type { FilterSet } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, isInt, isList, isText, type Py, toInteger, typeName } from '../python/kinds.ts'
import { floatSource, type RandomSource, seededSource, shuffled } from '../python/random.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'

function sourceOf(args: Args, runtime: Runtime): RandomSource {
  return args.has('seed') ? seededSource(args.value('seed')) : floatSource(runtime.session.world.random)
}
/** A number below an int, or an item of a list. */
function random(value: Py, args: Args, runtime: Runtime): Py {
  const source = sourceOf(args, runtime)
  if (isInt(value) || typeof value === 'boolean') {
    const start = args.has('start') ? args.integer('start') : 0
    const step = args.has('step') ? args.integer('step') : 1
    const count = Math.ceil((toInteger(value) - start) / step)
    if (!(count > 0)) throw runtimeFault(`there is no number from ${start} to ${toInteger(value)}`)
    return start + step * source.below(count)
  }
  if (!isList(value) && !isText(value))
    throw runtimeFault(`random can only be used on sequences and integers, got ${typeName(value)}`)
  if (args.has('start') || args.has('step'))
    throw runtimeFault('start and step can only be used with integer values')
  const items = iterate(value)
  if (items.length === 0) throw runtimeFault('cannot choose from an empty sequence')
  return items[source.below(items.length)]!
}

/** Ansible's random filters. With a seed they choose as Ansible does. */
export const randomFilters: FilterSet = {
  random: ['start=null, step=null, seed=null', random],
  // As in Ansible, what is no list is given back.
  shuffle: [
    'seed=null',
    (value, args, runtime) =>
      isList(value) || isText(value) || isDict(value)
        ? shuffled(iterate(value), sourceOf(args, runtime))
        : value,
  ],
}
