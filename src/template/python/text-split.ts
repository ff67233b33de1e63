import { runtimeFault } from '../fault.ts'
import { characters } from './sequence.ts'

/** What Python's str.isspace() and str.split() take for blank. */
const separators = '\x1c\x1d\x1e'
const blank = new RegExp(`[\\s${separators}\x1f\x85]`)
const blanks = new RegExp(`${blank.source}+`)
const lineEnd = new RegExp(`\r\n|[\n\r\v\f${separators}\x85\u2028\u2029]`, 'g')

/** Without the given characters (blanks if null) at the chosen ends. */
export function strip(text: string, chars: string | null, ends: 'both' | 'left' | 'right'): string {
  const set = chars === null ? undefined : new Set(characters(chars))
  const isStripped = (char: string): boolean => (set ? set.has(char) : blank.test(char))
  const all = characters(text)
  let start = 0
  let end = all.length
  if (ends !== 'right') while (start < end && isStripped(all[start]!)) start++
  if (ends !== 'left') while (end > start && isStripped(all[end - 1]!)) end--
  return all.slice(start, end).join('')
}

/** Python's str.splitlines(). */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = []
  let start = 0
  for (const match of text.matchAll(lineEnd)) {
    const end = match.index + match[0].length
    lines.push(text.slice(start, keepEnds ? end : match.index))
    start = end
  }
  if (start < text.length) lines.push(text.slice(start))
  return lines
}

function words(text: string): string[] {
  return text.split(blanks).filter(word => word !== '')
}

/** Python's str.split(); a negative `most` splits everywhere, a null separator at runs of blanks. */
export function split(text: string, separator: string | null, most: number): string[] {
  if (separator === '') throw runtimeFault('empty separator')
  if (separator !== null) {
    const parts = text.split(separator)
    if (most < 0 || parts.length <= most + 1) return parts
    return [...parts.slice(0, most), parts.slice(most).join(separator)]
  }
  if (most < 0) return words(text)
  const parts: string[] = []
  let rest = strip(text, null, 'left')
  while (parts.length < most && rest !== '') {
    const [word] = words(rest)
    parts.push(word!)
    rest = strip(rest.slice(word!.length), null, 'left')
  }
  return rest === '' ? parts : [...parts, rest]
}

/** Python's str.rsplit(): splits from the right. */
export function splitRight(text: string, separator: string | null, most: number): string[] {
  if (most < 0) return split(text, separator, -1)
  if (separator === '') throw runtimeFault('empty separator')
  if (separator !== null) {
    const parts = text.split(separator)
    if (parts.length <= most + 1) return parts
    return [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)]
  }
  const parts: string[] = []
  let rest = strip(text, null, 'right')
  while (parts.length < most && rest !== '') {
    const word = words(rest).at(-1)!
    parts.unshift(word)
    rest = strip(rest.slice(0, rest.length - word.length), null, 'right')
  }
  return rest === '' ? parts : [rest, ...parts]
}
