import { Secret } from '../../core/secret.ts'
import { runtimeFault } from '../fault.ts'
import { kindOfSecret, tainting } from '../taint.ts'
import type { Reach } from './brace-format.ts'
import { dictMethods, listMethods, tupleMethods } from './container-methods.ts'
import { Callable, isDict, isList, Markup, type Named, type Py, Tuple, typeName } from './kinds.ts'
import type { MethodTable } from './method-table.ts'
import { bindArguments } from './signature.ts'
import { floatMethods, intMethods, textMethods } from './text-methods.ts'

/** The methods of a value's type. These tables are all that a template can reach: no JS property is ever read. */
function tableOf(value: Py): MethodTable | undefined {
  if (value instanceof Secret)
    return { str: textMethods, int: intMethods, float: floatMethods }[kindOfSecret(value)]
  if (typeof value === 'string' || value instanceof Markup) return textMethods
  if (value instanceof Tuple) return tupleMethods
  if (isList(value)) return listMethods
  if (isDict(value)) return dictMethods
  return typeof value === 'object' && value !== null
    ? undefined
    : { int: intMethods, float: floatMethods }[typeName(value)]
}

/** A bound method; undefined: the type has no such method. */
export function methodOf(value: Py, name: string, reach: Reach): Callable | undefined {
  const method = tableOf(value)?.get(name)
  if (!method) return undefined
  const run = (self: Py, args: readonly Py[], named: Named): Py =>
    method.run(self, bindArguments(name, method.signature, args, named), reach)
  return new Callable(name, (args, named) => {
    if (method.isMutator) return run(value, args, named)
    const namedDict = new Map<Py, Py>(named)
    return tainting(`${name}()`, [value, args, namedDict], ([self, plainArgs, plainNamed]) =>
      run(self!, asList(plainArgs!), asNamed(plainNamed!)),
    )
  })
}
const asList = (value: Py): readonly Py[] => (isList(value) ? value : [])
function asNamed(value: Py): Named {
  if (!(value instanceof Map)) throw runtimeFault('keyword arguments must be a dict')
  return value as Map<string, Py>
}
