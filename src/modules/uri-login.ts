import { createHash, randomBytes } from 'node:crypto'

/** A user's name and password, in plain: they go into a request's header and nowhere else. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** The Authorization header of RFC 7617. */
export function renderBasic({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** Names of RFC 7616 and of the time before it, and what node:crypto calls them. */
const digests: Readonly<Record<string, string>> = {
  md5: 'md5',
  sha: 'sha1',
  'sha-256': 'sha256',
  'sha-512-256': 'sha512-256',
}

/** The parameters of the Digest challenge among those of a WWW-Authenticate header. */
function parseDigest(header: string): ReadonlyMap<string, string> | undefined {
  const start = /(?:^|[\s,])digest\s+/i.exec(header)
  if (start === null) return undefined
  const pair = /\s*,?\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y
  pair.lastIndex = start.index + start[0].length
  const found = new Map<string, string>()
  for (let match = pair.exec(header); match !== null; match = pair.exec(header))
    found.set(match[1]!.toLowerCase(), match[2]?.replace(/\\(.)/g, '$1') ?? match[3]!)
  return found
}

/** RFC 7616, and RFC 2069 where the server names no qop. Undefined for a digest or a qop that is not known. */
function renderDigest(
  challenge: ReadonlyMap<string, string>,
  { user, password }: Credentials,
  method: string,
  uri: string,
  own: string,
): string | undefined {
  const get = (name: string): string => challenge.get(name) ?? ''
  const [, name = 'md5', sess] = /^(.*?)(-sess)?$/i.exec(get('algorithm').toLowerCase() || 'md5') ?? []
  const digest = digests[name]
  const qops = get('qop')
    .toLowerCase()
    .split(/[\s,]+/)
  if (digest === undefined || (challenge.has('qop') && !qops.includes('auth'))) return undefined
  const hash = (...parts: string[]): string => createHash(digest).update(parts.join(':')).digest('hex')
  const count = '00000001'
  const base = hash(user, get('realm'), password)
  const who = sess ? hash(base, get('nonce'), own) : base
  const what = hash(method, uri)
  const isCounted = challenge.has('qop')
  const response = isCounted
    ? hash(who, get('nonce'), count, own, 'auth', what)
    : hash(who, get('nonce'), what)
  const quoted = { username: user, realm: get('realm'), nonce: get('nonce'), uri, response }
  const fields = [
    ...Object.entries(quoted).map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`),
    ...(challenge.has('opaque') ? [`opaque="${get('opaque')}"`] : []),
    ...(challenge.has('algorithm') ? [`algorithm=${get('algorithm')}`] : []),
    ...(isCounted ? ['qop=auth', `nc=${count}`] : []),
    ...(isCounted || sess ? [`cnonce="${own}"`] : []),
  ]
  return `Digest ${fields.join(', ')}`
}

/** The Authorization header that a 401 asks for: Digest where the server knows it, else Basic. Undefined when it asks for neither. */
export function answerChallenge(
  header: string,
  credentials: Credentials,
  method: string,
  url: URL,
  nonce = randomBytes(8).toString('hex'),
): string | undefined {
  const challenge = parseDigest(header)
  const digest = challenge && renderDigest(challenge, credentials, method, url.pathname + url.search, nonce)
  if (digest !== undefined) return digest
  return /(?:^|[\s,])basic\b/i.test(header) ? renderBasic(credentials) : undefined
}
