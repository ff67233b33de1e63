import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { quoteRegex } from '../syntax/rules.ts'

/** One part of a path pattern as a regular expression: `*`, `?` and `[…]`; a leading dot must be written out. */
function partRegex(part: string): RegExp {
  const body = part.replace(/\*+|\?|\[(!?)([^\]]+)\]|[\s\S]/g, (token, not?: string, set?: string) => {
    if (token.startsWith('*')) return '[^/]*'
    if (token === '?') return '[^/]'
    if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\^]/g, '\\$&')}]`
    return quoteRegex(token)
  })
  return new RegExp(`^${part.startsWith('.') ? '' : '(?!\\.)'}${body}$`, 's')
}
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
  const regex = partRegex(part)
  return folders.flatMap(folder =>
    entriesOf(folder)
      .filter(name => regex.test(name))
      .map(name => join(folder, name)),
  )
}
