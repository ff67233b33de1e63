/** A login of netrc(5). */
export interface NetrcLogin {
  readonly user: string
  readonly password: string
}

/** The login for a host in the text of a netrc(5) file, else that of its `default`; undefined: there is none. */
export function parseNetrc(text: string, host: string): NetrcLogin | undefined {
  const words = readWords(text)
  const machines = new Map<string, Map<string, string>>()
  let current = new Map<string, string>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word === 'machine' || word === 'default') {
      current = new Map()
      const name = word === 'default' ? '' : (words[++at] ?? '')
      // Of two entries for a host the first one counts.
      if (!machines.has(name)) machines.set(name, current)
    } else current.set(word, words[++at] ?? '')
  }
  const found = machines.get(host) ?? machines.get('')
  return found && { user: found.get('login') ?? '', password: found.get('password') ?? '' }
}

/** Without comments, and without macros, which go up to an empty line. */
function readWords(text: string): string[] {
  const plain = text.replace(/^\s*macdef[\s\S]*?(?:\n\s*\n|(?![\s\S]))/gm, '').replace(/^\s*#.*$/gm, '')
  return [...plain.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare]) =>
    quoted === undefined ? bare! : quoted.replace(/\\(.)/g, '$1'),
  )
}
