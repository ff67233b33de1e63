import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseGlob } from '../../core/glob.ts'

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder === '' ? '.' : folder)
  } catch {
    return []
  }
}
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** The files of the operator's machine that a path pattern matches, sorted, folders left out. */
export function matchFiles(pattern: string): string[] {
  const [start = '', ...parts] = pattern.split('/')
  const first = pattern.startsWith('/') ? ['/'] : nextPaths([''], start)
  return parts.reduce(nextPaths, first).filter(isFile).sort()
}
function nextPaths(folders: readonly string[], part: string): string[] {
  if (part === '') return [...folders]
  if (!/[*?[]/.test(part)) return folders.map(folder => join(folder, part))
  const glob = parseGlob(part)
  // A leading dot has to be written out.
  const matches = (name: string): boolean =>
    glob.test(name) && (part.startsWith('.') || !name.startsWith('.'))
  return folders.flatMap(folder =>
    entriesOf(folder)
      .filter(matches)
      .map(name => join(folder, name)),
  )
}
