import { Secret } from '../../core/secret.ts'
import { member } from '../python/equality.ts'
import {
  isDict,
  isList,
  isText,
  Markup,
  orElse,
  type Py,
  Thing,
  typeName,
  Undefined,
} from '../python/kinds.ts'
import { methodOf } from '../python/methods.ts'
import { characters, itemAt } from '../python/sequence.ts'
import { quoteText, toText } from '../python/text.ts'
import { tainting } from '../taint.ts'

/**
 * What `.name` and `[key]` reach. Members of dicts, items, and the methods of the tables in `python/`: a value's JS
 * properties, its constructor and its prototype are never looked at.
 */

/** The undefined result of a look into `of`: undefined looked into again stays the first one's fault. */
function missing(of: Py, name: Py): Undefined {
  if (of instanceof Undefined) return of
  const label =
    name instanceof Secret ? `[secret ${name.label}]` : typeof name === 'number' ? String(name) : toText(name)
  if (typeof name === 'number')
    return new Undefined(`${ownerName(of).replaceAll("'", '')} has no element ${label}`, { variable: label })
  const known = isDict(of) ? () => [...of.keys()].filter(key => typeof key === 'string') : undefined
  return new Undefined(`${ownerName(of)} has no attribute ${quoteText(label)}`, { variable: label, known })
}
function ownerName(of: Py): string {
  if (of === null) return "'None'"
  return of instanceof Secret ? 'a secret' : `'${typeName(of)} object'`
}

function methodOrAttribute(of: Py, name: string): Py | undefined {
  return of instanceof Thing && !(of instanceof Markup) ? of.attribute(name) : methodOf(of, name, reach)
}

/** `of.name`: methods before members, as in Jinja2. */
export function attributeOf(of: Py, name: string): Py {
  if (of instanceof Undefined) return of
  const method = methodOrAttribute(of, name)
  if (method !== undefined) return method
  if (!isDict(of)) return missing(of, name)
  return tainting('a look-up', [of], ([dict]) =>
    orElse(isDict(dict) ? member(dict, name) : undefined, () => missing(dict, name)),
  )
}

/** `of[key]`: members before methods. */
export function itemOf(of: Py, key: Py): Py {
  if (of instanceof Undefined) return of
  if (key instanceof Undefined) key.fail()
  if (of instanceof Secret || key instanceof Secret || isDict(of))
    return tainting('a look-up', [of, key], ([o, k]) => plainItem(o, k))
  return plainItem(of, key)
}
function plainItem(of: Py, key: Py): Py {
  const plain = key instanceof Markup ? key.html : key
  if (isDict(of)) {
    const found = member(of, plain)
    if (found !== undefined) return found
  } else if (typeof plain === 'number' || typeof plain === 'boolean') {
    const items = isList(of) ? of : isText(of) ? characters(toText(of)) : []
    return orElse(itemAt(items, Number(plain)), () => missing(of, Number(plain)))
  }
  const method = typeof plain === 'string' ? methodOrAttribute(of, plain) : undefined
  return orElse(method, () => missing(of, plain))
}

/** How `'{0.name[key]}'.format()` reaches into values: members only, never methods. */
export const reach = {
  attribute: (of: Py, name: string): Py => {
    if (of instanceof Thing) return attributeOf(of, name)
    return missing(of, name)
  },
  item: itemOf,
}

/** Walks `a.b.0` of filters that take an attribute. */
export function pathOf(of: Py, path: readonly (string | number)[]): Py {
  return path.reduce<Py>((value, key) => itemOf(value, key), of)
}
