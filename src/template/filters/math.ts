import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { power } from '../python/arithmetic.ts'
import { floatOf, intOf, isNumber, type Py, toNumber, typeName } from '../python/kinds.ts'
import { fixedText } from '../python/number-format.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** Playbooks compare the sentence with Ansible's. */
function needNumber(value: Py, what: string): void {
  if (!isNumber(value)) throw runtimeFault(`${what}() can only be used on numbers: ${typeName(value)}`)
}
function logarithm(value: Py, args: Args): Py {
  needNumber(value, 'log')
  const [number, base] = [toNumber(value), args.number('base')]
  if (number <= 0 || base <= 0 || base === 1) throw runtimeFault('math domain error')
  if (base === 10) return floatOf(Math.log10(number))
  return floatOf(base === Math.E ? Math.log(number) : Math.log(number) / Math.log(base))
}
function raise(value: Py, args: Args): Py {
  needNumber(value, 'pow')
  return floatOf(toNumber(power(floatOf(toNumber(value)), args.value('y'))))
}
function root(value: Py, args: Args): Py {
  needNumber(value, 'root')
  const base = args.number('base')
  const number = toNumber(value)
  if (base === 0) throw runtimeFault('math domain error')
  if (number < 0) throw runtimeFault('math domain error')
  return floatOf(base === 2 ? Math.sqrt(number) : number ** (1 / base))
}

const units = ['Y', 'Z', 'E', 'P', 'T', 'G', 'M', 'K', 'B']
/** Bytes or bits of a unit: a step is 1024. */
const unitSize = (unit: string): number => 1024 ** (units.length - 1 - units.indexOf(unit))

/** `1024 | human_readable`: `1.00 KB`. */
function humanReadable(value: Py, args: Args): Py {
  if (!isNumber(value)) throw runtimeFault(`human_readable() failed on bad input: ${typeName(value)}`)
  const size = toNumber(value)
  const base = args.flag('isbits') ? 'bits' : 'Bytes'
  const wanted = args.has('unit') ? args.text('unit').toUpperCase() : undefined
  const unit = units.find(one => (wanted === undefined ? size >= unitSize(one) : wanted === one)) ?? 'B'
  const suffix = unit === 'B' ? base : unit + base.charAt(0)
  return `${fixedText(size / unitSize(unit), 2)} ${suffix}`
}
/** `'10M' | human_to_bytes`: 10485760. */
function humanToBytes(value: Py, args: Args): Py {
  const text = toText(value)
  const match = /^\s*(\d*\.?\d*)\s*([A-Za-z]+)?/.exec(text)!
  if (match[1] === '' || match[1] === '.')
    throw runtimeFault(`human_to_bytes() can't interpret following string: ${text}`)
  const name = match[2] ?? (args.has('default_unit') ? args.text('default_unit') : '')
  const unit = name === '' ? 'B' : name.charAt(0).toUpperCase()
  const isBits = args.flag('isbits')
  const endings = isBits ? ['b', 'bit', 'bits'] : ['B', 'byte', 'bytes', 'Byte', 'Bytes']
  const rest = name.slice(1)
  const isWhole = name === '' || rest === '' || endings.includes(rest) || endings.includes(name)
  if (!units.includes(unit) || !isWhole)
    throw runtimeFault(`human_to_bytes() failed to convert ${text}: the unit is one of ${units.join(', ')}`)
  return intOf(BigInt(Math.round(Number(match[1]) * unitSize(unit))))
}

/** Ansible's mathematical filters. */
export const mathFilters: FilterSet = {
  log: [`base=${Math.E}`, logarithm],
  pow: ['y', raise],
  root: ['base=2', root],
  human_readable: ['isbits=false, unit=null', humanReadable],
  human_to_bytes: ['default_unit=null, isbits=false', humanToBytes],
}
