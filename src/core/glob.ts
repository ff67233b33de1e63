/** Text as a regular expression that finds it. */
export function quoteRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}

/**
 * A shell pattern for a whole name, as Python's fnmatch has it: `*`, `?`, `[abc]`, `[!a-z]`; a `/` and a leading dot are characters
 * like any other. One with an empty range (`[z-a]`) matches nothing.
 */
export function parseGlob(pattern: string): RegExp {
  const source = pattern.replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/g, (char, not?: string, set?: string) => {
    if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\^[\]]/g, '\\$&')}]`
    if (char === '*') return '.*'
    return char === '?' ? '.' : quoteRegex(char)
  })
  try {
    return new RegExp(`^${source}$`, 's')
  } catch {
    return /(?!)/
  }
}
