import { problem } from '../core/error.ts'

/**
 * A command line as the words a POSIX shell would make of it without expansions: quotes and backslashes as in
 * XCU 2.2. Throws E_PARAMS for a quote that is not closed.
 */
export function parseWords(line: string): readonly string[] {
  const words: string[] = []
  let rest = line.trimStart()
  while (rest !== '') {
    const word = /^(?:[^\s'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/.exec(rest)
    if (word === null)
      throw problem('E_PARAMS', `a quote is not closed in: ${line}`, { hint: 'close the quote' })
    words.push(unquote(word[0]))
    rest = rest.slice(word[0].length)
    if (rest !== '' && !/^\s/.test(rest))
      throw problem('E_PARAMS', `a quote is not closed in: ${line}`, { hint: 'close the quote' })
    rest = rest.trimStart()
  }
  return words
}

function unquote(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g,
    (_, single?: string, double?: string, escaped?: string) =>
      single ?? double?.replace(/\\([\\"$`\n])/g, '$1') ?? escaped ?? '',
  )
}
