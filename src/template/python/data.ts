import { Template, toValue, type Value } from '../../core/value.ts'
import { dictOf } from './equality.ts'
import { isDict, isList, type Py } from './kinds.ts'

/**
 * What a parser read from text that a template computed: data, never templates. A loader makes Templates of texts
 * with `{{`; here the text may come from a target, so they are plain text again.
 */
export function dataOf(parsed: Value): Py {
  return untemplated(toValue(parsed))
}
function untemplated(value: Py): Py {
  if (value instanceof Template) return value.text
  if (isList(value)) return value.map(untemplated)
  if (!isDict(value)) return value
  return dictOf([...value].map(([key, member]) => [untemplated(key), untemplated(member)] as const))
}
