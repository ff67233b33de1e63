import { runtimeFault } from '../fault.ts'
import { member } from './equality.ts'
import { isDict, isText, type Py, Tuple, toInteger, toNumber, Undefined } from './kinds.ts'
import { numberText } from './number-format.ts'
import { characters } from './sequence.ts'
import { toRepr, toText } from './text.ts'

const conversion = /%(?:\(([^)]*)\))?([#0\- +]*)(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([\s\S])?/g

/** The values of a `%`: taken one after the other from a tuple, or by name from a dict. */
class Operands {
  private readonly values: readonly Py[]
  private readonly whole: Py
  private next = 0
  private isByName = false
  constructor(whole: Py) {
    this.whole = whole
    this.values = whole instanceof Tuple ? whole : [whole]
  }
  take(): Py {
    const value = this.values[this.next++]
    if (value === undefined) throw runtimeFault('not enough arguments for format string')
    return value
  }
  named(name: string): Py {
    this.isByName = true
    if (!isDict(this.whole)) throw runtimeFault('format requires a mapping')
    const value = member(this.whole, name)
    if (value === undefined) throw runtimeFault(`the format names a key that is missing: '${name}'`)
    return value
  }
  size(text: string | undefined): number | undefined {
    if (text === undefined) return undefined
    return text === '*' ? toInteger(this.take()) : Number(text)
  }
  refuseLeftovers(): void {
    if (!this.isByName && this.next < this.values.length && !isDict(this.whole))
      throw runtimeFault('not all arguments converted during string formatting')
  }
}

/** What Ansible shows of a variable that there is not. */
const reprOf = ({ variable }: Undefined): string =>
  `AnsibleUndefined(hint=None, obj=missing, name=${toRepr(variable ?? null)})`

/** Python's `format % values`. */
export function percentFormat(format: string, values: Py): string {
  if (values instanceof Undefined) values.fail()
  const operands = new Operands(values)
  const text = format.replace(
    conversion,
    (_all, name?: string, flags = '', width?: string, precision?: string, letter?: string) => {
      if (letter === undefined) throw runtimeFault('incomplete format')
      if (letter === '%') return '%'
      const wide = operands.size(width) ?? 0
      const precise = operands.size(precision)
      const value = name === undefined ? operands.take() : operands.named(name)
      if (value instanceof Undefined) return letter === 'r' ? reprOf(value) : value.fail()
      return pad(convert(value, letter, flags, precise), letter, flags, wide)
    },
  )
  operands.refuseLeftovers()
  return text
}
function convert(value: Py, letter: string, flags: string, precision: number | undefined): string {
  if (letter === 's' || letter === 'r' || letter === 'a') {
    const text = letter === 's' ? toText(value) : toRepr(value)
    return precision === undefined ? text : characters(text).slice(0, precision).join('')
  }
  if (letter === 'c') return isText(value) ? toText(value) : String.fromCodePoint(toNumber(value))
  const digits = numberText(value, letter, precision, flags.includes('#'))
  if (digits.startsWith('-')) return digits
  return (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + digits
}
function pad(text: string, letter: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (flags.includes('0') && !'sracl'.includes(letter) && text.length < width)
    return text.replace(/^[+\- ]?/, sign => sign + '0'.repeat(width - text.length))
  return text.padStart(width)
}
