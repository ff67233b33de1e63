/**
 * Whether a shell pattern is the whole of a name: `*`, `?`, `[abc]`, `[!a-z]`, as Python's fnmatch has it; a `/` and a
 * leading dot are characters like any other.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  return new RegExp(`^${translate(pattern)}$`, 's').test(name)
}

const literal = (char: string): string => char.replace(/[.+^${}()|[\]\\*?/-]/, '\\$&')

function translate(pattern: string): string {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    const end = char === '[' ? endOfSet(pattern, i) : -1
    if (char === '*') source += '.*'
    else if (char === '?') source += '.'
    else if (end < 0) source += literal(char)
    else {
      source += renderSet(pattern.slice(i + 1, end))
      i = end
    }
  }
  return source
}

/** Where the set that begins at `start` ends; -1: the bracket is a character. A `]` that comes first is a member. */
function endOfSet(pattern: string, start: number): number {
  const first = pattern[start + 1] === '!' ? start + 2 : start + 1
  return pattern.indexOf(']', first + 1)
}

function renderSet(inside: string): string {
  const isNot = inside.startsWith('!')
  const members = (isNot ? inside.slice(1) : inside).replace(/[\\^[\]]/g, '\\$&')
  return `[${isNot ? '^' : ''}${members}]`
}
