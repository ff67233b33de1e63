import { runtimeFault } from '../fault.ts'
import { type Named, orElse, type Py, toInteger, toNumber, Undefined } from './kinds.ts'
import { isTrue } from './order.ts'
import { quoteText, toText } from './text.ts'

/** Which arguments a filter, test, method or function takes. */
export interface Signature {
  readonly parameters: readonly { readonly name: string; readonly fallback: Py | undefined }[]
  readonly hasRest: boolean
  readonly hasNamed: boolean
}

/** Reads `sep=null, count=-1, *args, **kw`; defaults are JSON with single quotes. */
export function parseSignature(text: string): Signature {
  const parts = text
    .split(/,\s*(?=[\w*])/)
    .map(part => part.trim())
    .filter(part => part !== '')
  return {
    parameters: parts.filter(part => !part.startsWith('*')).map(parseParameter),
    hasRest: parts.some(part => /^\*\w/.test(part)),
    hasNamed: parts.some(part => part.startsWith('**')),
  }
}
function parseParameter(part: string): { name: string; fallback: Py | undefined } {
  const equals = part.indexOf('=')
  if (equals < 0) return { name: part, fallback: undefined }
  return { name: part.slice(0, equals), fallback: JSON.parse(part.slice(equals + 1).replaceAll("'", '"')) }
}

/** The bound arguments of one call, read by name and type. */
export class Args {
  private readonly values: ReadonlyMap<string, Py>
  /** Positional arguments past the named ones. */
  readonly rest: readonly Py[]
  /** Keyword arguments that no parameter takes. */
  readonly named: Named
  constructor(values: ReadonlyMap<string, Py>, rest: readonly Py[], named: Named) {
    this.values = values
    this.rest = rest
    this.named = named
  }
  /** The argument as it is, Undefined too. */
  raw(name: string): Py {
    return orElse(this.values.get(name), () => orElse(this.named.get(name), () => null))
  }
  /** All arguments by name. */
  entries(): Iterable<[string, Py]> {
    return this.values
  }
  has(name: string): boolean {
    return this.raw(name) !== null
  }
  /** The argument; an Undefined faults. */
  value(name: string): Py {
    const value = this.raw(name)
    return value instanceof Undefined ? value.fail() : value
  }
  text(name: string): string {
    return toText(this.value(name))
  }
  integer(name: string): number {
    return toInteger(this.value(name))
  }
  number(name: string): number {
    return toNumber(this.value(name))
  }
  flag(name: string): boolean {
    return isTrue(this.value(name))
  }
}

/** Binds arguments as Python does. Faults on too many, missing, doubled and unknown ones. */
export function bindArguments(callee: string, signature: Signature, args: readonly Py[], named: Named): Args {
  const { parameters, hasRest, hasNamed } = signature
  if (args.length > parameters.length && !hasRest)
    throw runtimeFault(`${callee}() takes at most ${parameters.length} argument(s) (${args.length} given)`)
  const values = new Map<string, Py>()
  for (const [index, { name, fallback }] of parameters.entries()) {
    const given = args[index]
    if (given !== undefined && named.has(name))
      throw runtimeFault(`${callee}() got multiple values for argument ${quoteText(name)}`)
    const value = [given, named.get(name), fallback].find(one => one !== undefined)
    if (value === undefined)
      throw runtimeFault(`${callee}() missing 1 required positional argument: ${quoteText(name)}`)
    values.set(name, value)
  }
  const others = new Map([...named].filter(([name]) => !values.has(name)))
  const unknown = others.keys().next().value
  if (unknown !== undefined && !hasNamed)
    throw runtimeFault(`${callee}() got an unexpected keyword argument ${quoteText(unknown)}`)
  return new Args(values, args.slice(parameters.length), others)
}
