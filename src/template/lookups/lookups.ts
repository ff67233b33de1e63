import { SecretTouched } from '../../core/secret.ts'
import { plainName } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { Fault, runtimeFault } from '../fault.ts'
import { isList, type Named, type Py, Undefined } from '../python/kinds.ts'
import { type Args, bindArguments, parseSignature } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** A lookup: terms and options in, a list of results out. */
export interface Lookup {
  /** The options it takes, in the form of `parseSignature`. */
  readonly takes: string
  readonly run: (terms: readonly Py[], options: Args, runtime: Runtime) => readonly Py[]
}

export const lookups: ReadonlyMap<string, Lookup> = new Map<string, Lookup>([
  ['items', { takes: '', run: terms => terms.flatMap(term => (isList(term) ? term : [term])) }],
  [
    'vars',
    {
      takes: 'default=null',
      run: (terms, options, runtime) => terms.map(term => variable(term, options, runtime)),
    },
  ],
  [
    'env',
    {
      takes: 'default=null',
      run: (terms, _options, runtime) => terms.map(term => runtime.session.world.env(toText(term)) ?? ''),
    },
  ],
])
function variable(term: Py, options: Args, runtime: Runtime): Py {
  const value = runtime.session.variable(toText(term))
  if (value !== undefined) return value
  if (options.has('default')) return options.raw('default')
  return new Undefined(`'${toText(term)}' is undefined`, { variable: toText(term) }).fail()
}

/** Runs a lookup; `errors=` says what a failure is. A Secret among the terms that is needed as text is refused. */
export function runLookupFunction(
  known: ReadonlyMap<string, Lookup>,
  name: string,
  terms: readonly Py[],
  named: Named,
  runtime: Runtime,
): readonly Py[] {
  const lookup = known.get(plainName(name))
  if (!lookup) throw runtimeFault(`there is no lookup '${name}'`)
  const options = bindArguments(name, parseSignature(lookup.takes), [], named)
  try {
    return lookup.run(terms, options, runtime)
  } catch (error) {
    if (error instanceof SecretTouched) throw new Fault('runtime', `lookup '${name}' does not take a secret`)
    throw error
  }
}
