/** A line of authorized_keys (sshd(8)): options, type, key, comment. */
export interface AuthorizedKey {
  readonly options: string
  readonly type: string
  readonly blob: string
  readonly comment: string
}

const TYPE =
  /^(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[a-z0-9-]+@openssh\.com|ssh-[a-z0-9-]+@openssh\.com)$/

/** The words of a line, where blanks in quotes do not count. */
function splitOptions(line: string): readonly string[] {
  return line.match(/(?:"(?:\\"|[^"])*"|[^\s"])+/g) ?? []
}

/** undefined: a comment, an empty line, or something that is no key. */
export function parseAuthorizedKey(line: string): AuthorizedKey | undefined {
  const text = line.trim()
  if (text === '' || text.startsWith('#')) return undefined
  const words = splitOptions(text)
  const at = words.findIndex(word => TYPE.test(word))
  if (at < 0 || at > 1 || words[at + 1] === undefined) return undefined
  const [options, type, blob] = [at === 0 ? '' : words[0]!, words[at]!, words[at + 1]!]
  // A comment may hold quotes, so that it is not a matter of words.
  const comment = text.slice(text.indexOf(blob) + blob.length).trim()
  return { options, type, blob, comment }
}

export function renderAuthorizedKey({ options, type, blob, comment }: AuthorizedKey): string {
  return [options, type, blob, comment].filter(part => part !== '').join(' ')
}
