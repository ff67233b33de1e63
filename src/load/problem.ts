import { distance } from 'fastest-levenshtein'
import { Secret } from '../core/secret.ts'
import { Float, isDict, Template, type Value } from '../core/value.ts'

/** The known word that a misspelt one probably meant: at most a third of its letters off, or two swapped. Pure. */
export function selectNearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase()
  const reach = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))
  const [best] = known
    .map(name => ({
      name,
      off: isSwap(lower, name) ? 1 : distance(lower, name),
      same: sharedEnds(lower, name),
    }))
    .filter(({ off }) => off <= reach)
    .sort((a, b) => a.off - b.off || b.same - a.same)
  return best?.name
}

/** Whether two neighbouring letters are all that differs: one slip of the fingers, but two edits. */
function isSwap(a: string, b: string): boolean {
  const at = [...a].findIndex((letter, index) => letter !== b[index])
  return at >= 0 && a.slice(0, at) + a[at + 1] + a[at] + a.slice(at + 2) === b
}

/** How many letters two words share at their beginning and end: `taks` is rather tasks than tags. */
function sharedEnds(a: string, b: string): number {
  const shortest = Math.min(a.length, b.length)
  let head = 0
  while (head < shortest && a[head] === b[head]) head++
  let tail = 0
  while (tail < shortest - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  return head + tail
}

/** A hint with the nearest word, else with all words when they are few, else `otherwise`. */
export function renderDidYouMean(word: string, known: readonly string[], otherwise: string): string {
  const nearest = selectNearest(word, known)
  if (nearest !== undefined) return `did you mean ${nearest}?`
  return known.length > 0 && known.length <= 12 ? `known are: ${[...known].sort().join(', ')}` : otherwise
}

/** A value as problems name it: "a list", `the text "abc"`. Never shows a secret. */
export function renderKind(value: Value): string {
  if (value === null) return 'empty'
  if (value instanceof Secret) return 'a secret'
  if (value instanceof Template) return 'a template'
  if (Array.isArray(value)) return 'a list'
  if (isDict(value)) return 'a mapping'
  if (typeof value === 'string') return value.length <= 40 ? `the text "${value}"` : 'a text'
  if (value instanceof Float) return `the number ${value.value.toFixed(1)}`
  return typeof value === 'boolean' ? String(value) : `the number ${String(value)}`
}
