// The table of docs/differences.md that says where rota does something else than ansible-core, and why.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One row. Its places are `CASE: WHERE`; `*` stands for any text. */
export interface Listed {
  readonly places: readonly string[]
  readonly why: string
}

const HEADING = '## Found by comparing'

export function loadListed(): readonly Listed[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/differences.md'), 'utf8')
  const section = text.slice(text.indexOf(HEADING)).split(/^## /m)[1] ?? ''
  return section
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => {
      const [places = '', ...others] = line.slice(1, -1).split(' | ')
      return {
        places: [...places.matchAll(/`([^`]+)`/g)].map(([, place]) => place!),
        why: others.join(' ').trim(),
      }
    })
}

/** Whether a place of the table means this difference of this case. */
export function isPlace(place: string, name: string, where: string): boolean {
  const pattern = place
    .split('*')
    .map(part => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${pattern}$`, 's').test(`${name}: ${where}`)
}
