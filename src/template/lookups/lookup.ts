import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { isText, type Named, type Py, Undefined } from '../python/kinds.ts'
import { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** A lookup: terms and options in, a list of results out. */
export interface Lookup {
  /** The options it takes, in the form of `parseSignature`. */
  readonly takes: string
  readonly run: (terms: readonly Py[], options: Args, runtime: Runtime) => readonly Py[]
}
export type LookupSet = Readonly<Record<string, Lookup>>

/** A term as text; an Undefined faults. */
export function termText(term: Py): string {
  if (term instanceof Undefined) term.fail()
  if (!isText(term)) throw runtimeFault(`Invalid setting identifier, "${toText(term)}" is not a string`)
  return toText(term)
}

/**
 * A term of the old form `name key=value key='a b'`: what stands before the options, and the options with those of the call. What only
 * looks like an option belongs to the name, unless `isStrict`.
 */
export function splitTerm(
  term: string,
  options: Args,
  known: readonly string[],
  isStrict = false,
): { readonly name: string; readonly options: Args } {
  const values = new Map<string, Py>()
  const name = term.replace(
    /(^|\s+)(\w+)=("[^"]*"|'[^']*'|\S*)/g,
    (all, _blank: string, key: string, value: string) => {
      if (!known.includes(key) && isStrict) throw runtimeFault(`${key} is not a valid option`)
      if (!known.includes(key)) return all
      values.set(key, value.replace(/^(['"])(.*)\1$/s, '$2'))
      return ''
    },
  )
  const named: Named = new Map([...options.entries(), ...values])
  return { name: name.trim(), options: new Args(named, [], new Map()) }
}
