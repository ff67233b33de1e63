import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { DateTime } from '../python/datetime.ts'
import { Callable, isNumber, isText, type Py, toNumber } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import { type Args, bindArguments, parseSignature } from '../python/signature.ts'
import { formatTime, momentOf, parseTime } from '../python/strftime.ts'
import { toText } from '../python/text.ts'

const nowSignature = parseSignature('utc=false, fmt=null')
/** Ansible's `now(utc=, fmt=)`. */
export function nowFunction(clock: () => Date): Callable {
  return new Callable('now', (args, named) => {
    const given = bindArguments('now', nowSignature, args, named)
    const moment = momentOf(clock(), isTrue(given.value('utc')))
    return given.has('fmt') ? formatTime(given.text('fmt'), moment) : new DateTime({ ...moment, zone: '' })
  })
}

/** `'%Y' | strftime(seconds, utc=false)`: seconds since the epoch, now if none. */
function strftime(format: Py, args: Args, clock: () => Date): Py {
  const second = args.value('second')
  if (second !== null && !isNumber(second) && !(isText(second) && /^[\d.]+$/.test(toText(second))))
    throw runtimeFault(`Invalid value for epoch value (${toText(second)})`)
  const at =
    second === null ? clock() : new Date((isText(second) ? Number(toText(second)) : toNumber(second)) * 1000)
  return formatTime(toText(format), momentOf(at, args.flag('utc')))
}

/** Filters on dates. */
export const timeFilters: FilterSet = {
  strftime: [
    'second=null, utc=false',
    (value, args, runtime) => strftime(value, args, runtime.session.world.now),
  ],
  to_datetime: [
    "format='%Y-%m-%d %H:%M:%S'",
    (value, args) => new DateTime(parseTime(toText(value), args.text('format'))),
  ],
}
