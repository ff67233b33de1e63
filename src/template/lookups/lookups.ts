import { SecretTouched } from '../../core/secret.ts'
import { plainName } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { Fault, runtimeFault } from '../fault.ts'
import type { Named, Py } from '../python/kinds.ts'
import { bindArguments, parseSignature } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { fileLookups } from './files.ts'
import { listLookups } from './lists.ts'
import type { Lookup } from './lookup.ts'
import { passwordLookups } from './password.ts'
import { tableLookups } from './tables.ts'
import { urlLookups } from './url.ts'
import { variableLookups } from './variables.ts'

/** The built-in lookups by name. */
export const lookups: ReadonlyMap<string, Lookup> = new Map(
  [listLookups, variableLookups, fileLookups, tableLookups, passwordLookups, urlLookups].flatMap(set =>
    Object.entries(set),
  ),
)

/**
 * Runs a lookup. `errors=` says what a failure is: strict (a fault), warn or ignore (undefined comes back).
 * Secrets may pass through; a lookup that needs one as text is refused, since commands and file names show.
 */
export function runLookupFunction(
  known: ReadonlyMap<string, Lookup>,
  name: string,
  terms: readonly Py[],
  named: Named,
  runtime: Runtime,
): readonly Py[] | undefined {
  const lookup = known.get(plainName(name))
  if (!lookup)
    throw new Fault('syntax', `there is no lookup '${name}'`, { variable: name, known: () => known.keys() })
  const errors = toText(named.get('errors') ?? 'strict')
  if (!['strict', 'warn', 'ignore'].includes(errors))
    throw runtimeFault(`errors= is strict, warn or ignore, not '${errors}'`)
  const options = new Map([...named].filter(([option]) => option !== 'errors'))
  try {
    return lookup.run(terms, bindArguments(name, parseSignature(lookup.takes), [], options), runtime)
  } catch (error) {
    if (error instanceof SecretTouched) throw new Fault('runtime', `lookup '${name}' does not take a secret`)
    if (errors === 'strict' || !(error instanceof Fault) || error.kind === 'undefined') throw error
    if (errors === 'warn') runtime.session.world.warn?.(`lookup '${name}': ${error.message}`)
    return undefined
  }
}
