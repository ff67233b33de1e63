import { Secret, SecretTouched } from '../../core/secret.ts'
import type { Value } from '../../core/value.ts'
import type { FilterSet } from '../compile/language.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { dataOf } from '../python/data.ts'
import { isDict, isList, isText, type Py, toInteger, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** Plain data for the YAML writer; a Secret inside is touched. */
function plainData(value: Py, runtime: Runtime): Value {
  const visit = (part: Py): void => {
    if (part instanceof Secret) throw new SecretTouched(part.label)
    if (isList(part)) part.forEach(visit)
    else if (isDict(part)) for (const [key, member] of part) [key, member].forEach(visit)
  }
  if (value instanceof Undefined) value.fail()
  visit(value)
  return runtime.session.finalize(value)
}
const options = ['default_flow_style', 'sort_keys', 'width', 'explicit_start', 'allow_unicode']
function dump(value: Py, args: Args, runtime: Runtime, isFlow: boolean): Py {
  for (const name of args.named.keys())
    if (!options.includes(name))
      throw runtimeFault(`YAML output has no option '${name}' here; it has ${options.join(', ')}`)
  const option = (name: string, otherwise: boolean): boolean => {
    const given = args.named.get(name)
    return given === undefined || given === null ? otherwise : isTrue(given)
  }
  if (option('default_flow_style', false))
    throw runtimeFault('default_flow_style=true is not supported; to_json writes everything on one line')
  const width = args.named.get('width')
  const text = runtime.session.world.dumpYaml(plainData(value, runtime), {
    indent: args.integer('indent'),
    isFlow: isFlow && !args.named.has('default_flow_style'),
    sortKeys: option('sort_keys', true),
    width: width === undefined ? 80 : toInteger(width),
  })
  // libyaml, which Ansible writes with, puts no end mark after a plain scalar.
  const body = isList(value) || isDict(value) ? text : text.replace(/\n\.\.\.\n$/, '\n')
  return option('explicit_start', false) ? `---\n${body}` : body
}
function parse<T extends Value>(read: () => T): Py {
  try {
    return dataOf(read())
  } catch (error) {
    throw runtimeFault(`not valid YAML: ${(error as Error).message}`)
  }
}

/** Ansible's filters for YAML. The library for it is passed in. */
export const yamlFilters: FilterSet = {
  to_yaml: ['indent=2, **named', (value, args, runtime) => dump(value, args, runtime, true)],
  to_nice_yaml: ['indent=4, **named', (value, args, runtime) => dump(value, args, runtime, false)],
  from_yaml: [
    '',
    (value, _args, { session }) =>
      isText(value) ? parse(() => session.world.parseYaml(toText(value), 'from_yaml')) : value,
  ],
  from_yaml_all: [
    '',
    (value, _args, { session }) =>
      isText(value) ? parse(() => session.world.parseYamlAll(toText(value), 'from_yaml_all')) : value,
  ],
}
