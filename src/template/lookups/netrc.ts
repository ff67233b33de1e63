import { readFileSync } from 'node:fs'

/** `user:password` for a host from a file of netrc(5), else that of its `default`; undefined: there is none, or no such file. */
export function findLogin(file: string, host: string): string | undefined {
  const words = readWords(file)
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
  return found && `${found.get('login') ?? ''}:${found.get('password') ?? ''}`
}

/** Without macros, which go up to an empty line, and comments. */
function readWords(file: string): string[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // Most people have none.
  }
  const plain = text.replace(/^\s*macdef[\s\S]*?(?:\n\s*\n|(?![\s\S]))/gm, '').replace(/(^|\s)#.*/g, '$1')
  return [...plain.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare]) =>
    quoted === undefined ? bare! : quoted.replace(/\\(.)/g, '$1'),
  )
}
