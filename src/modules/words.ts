import { problem } from '../core/error.ts'

const SPACE = /[ \t\r\n]/

/** Reads a quoted part that begins at `start` (the quote itself). Returns its text and where it ended. */
function readQuoted(text: string, start: number): { readonly part: string; readonly end: number } {
  const quote = text[start]!
  let part = ''
  for (let i = start + 1; i < text.length; i++) {
    const char = text[i]!
    if (char === quote) return { part, end: i + 1 }
    const next = text[i + 1]
    if (char === '\\' && quote === '"' && (next === '"' || next === '\\')) {
      part += next
      i++
    } else part += char
  }
  throw problem('E_PARAMS', `the quote ${quote} is never closed in: ${text}`, {
    hint: 'close the quote, or give the words as a list with argv',
  })
}

/**
 * Splits a command line into words by the rules of Python's `shlex.split` (posix mode): `'…'` literal, `"…"` with `\"` and
 * `\\`, a backslash outside quotes takes the next character as it is. No variables, no globs, no comments. Throws E_PARAMS.
 */
export function splitWords(text: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  for (let i = 0; i < text.length; ) {
    const char = text[i]!
    if (char === '"' || char === "'") {
      const { part, end } = readQuoted(text, i)
      word = (word ?? '') + part
      i = end
    } else if (char === '\\') {
      if (i + 1 === text.length)
        throw problem('E_PARAMS', `the command line ends in a backslash: ${text}`, {
          hint: 'write \\\\ for a backslash, or give the words as a list with argv',
        })
      word = (word ?? '') + text[i + 1]!
      i += 2
    } else if (SPACE.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
      i++
    } else {
      word = (word ?? '') + char
      i++
    }
  }
  return word === undefined ? words : [...words, word]
}
