import { runtimeFault } from '../fault.ts'
import { isList, type Py } from '../python/kinds.ts'
import { iterate } from '../python/sequence.ts'
import { tainting } from '../taint.ts'

/** What a loop goes through, or an assignment unpacks; the characters of a Secret are Secrets. */
export function itemsToLoop(value: Py): readonly Py[] {
  const items = tainting('a loop', [value], ([plain]) => iterate(plain))
  if (!isList(items)) throw runtimeFault('a loop needs a list')
  return items
}
