import { pathOf } from '../compile/access.ts'
import { Markup, type Py, Undefined } from '../python/kinds.ts'
import { toText } from '../python/text.ts'

/** How a filter with `attribute=` reads an item: a dotted path or an index; undefined parts give the default. */
export function attributeGetter(attribute: Py, fallback: Py = null): (item: Py) => Py {
  if (attribute === null) return item => item
  const path =
    typeof attribute === 'number'
      ? [attribute]
      : toText(attribute)
          .split('.')
          .map(part => (/^\d+$/.test(part) ? Number(part) : part))
  return item => {
    const found = pathOf(item, path)
    return found instanceof Undefined && fallback !== null ? fallback : found
  }
}

/** What sort, unique, min and groupby compare: text without its case unless case_sensitive. */
export function caseFolder(isCaseSensitive: boolean): (value: Py) => Py {
  if (isCaseSensitive) return value => value
  return value => (typeof value === 'string' || value instanceof Markup ? toText(value).toLowerCase() : value)
}
