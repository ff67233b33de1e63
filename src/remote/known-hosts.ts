import { createHash, createHmac, randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { type Certificate, type Flaw, findHostFlaw } from './certificate.ts'

/** One line of a known_hosts file; the format is in sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
export interface KnownHost {
  readonly marker: 'cert-authority' | 'revoked' | undefined
  /** As written: comma-separated patterns, or one `|1|salt|hash`. */
  readonly hosts: string
  readonly keyType: string
  /** Base64 of the wire format. */
  readonly key: string
  readonly at: Source
}

/** What known_hosts says of a key that a host has shown. */
export type Verdict =
  | { readonly kind: 'known'; readonly by: KnownHost }
  | { readonly kind: 'new' }
  | { readonly kind: 'changed'; readonly known: KnownHost }
  | { readonly kind: 'revoked'; readonly by: KnownHost }
  /** Only a certificate authority is known for the host, and the key is no certificate. */
  | { readonly kind: 'uncertified'; readonly by: KnownHost }
  /** It is a certificate that does not hold. `by`: the authority's line, where it is its certificate. */
  | { readonly kind: 'flawed'; readonly flaw: Flaw; readonly by: KnownHost | undefined }

/** Lines that are no entries (comments, other versions, damage) are passed over, as ssh does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/[ \t]+/)
    const marker = /^@(cert-authority|revoked)$/.exec(words[0]!)?.[1] as KnownHost['marker']
    if (marker !== undefined) words.shift()
    const [hosts = '', keyType = '', key = ''] = words
    if (hosts.startsWith('#') || hosts.startsWith('@') || !/^[A-Za-z0-9+/]+=*$/.test(key)) return []
    return [{ marker, hosts, keyType, key, at: { file, line: index + 1, col: 1 } }]
  })
}

/** Each host of a run asks twice, of the same file as a rule. */
const parsed = new Map<string, { readonly text: string; readonly entries: readonly KnownHost[] }>()

/** What is in these files; files that do not exist are empty. Throws E_FILE for one that cannot be read. */
export function loadKnownHosts(files: readonly string[]): KnownHost[] {
  return files.filter(existsSync).flatMap(file => {
    try {
      const text = readFileSync(file, 'utf8')
      const known = parsed.get(file)
      const entries = known?.text === text ? known.entries : parseKnownHosts(text, file)
      parsed.set(file, { text, entries })
      return entries
    } catch (cause) {
      throw problem('E_FILE', `cannot read ${file}, which says whose host key is whose`, { cause })
    }
  })
}

/** What known_hosts calls a host: `name`, or `[name]:port` for another port than 22. */
export function knownName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** ssh's glob: `*` and `?` only. */
function matchesGlob(pattern: string, name: string): boolean {
  const regex = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${regex}$`).test(name)
}

/** Whether a line is about that name (see `knownName`). A pattern with `!` that matches takes the line out. */
export function isAbout(entry: KnownHost, name: string): boolean {
  if (entry.hosts.startsWith('|')) {
    const [, version, salt, hash] = entry.hosts.split('|')
    const hmac = createHmac('sha1', Buffer.from(salt ?? '', 'base64'))
    return version === '1' && hmac.update(name).digest('base64') === hash
  }
  // Nearly all lines name one host; a regular expression for each would cost 20 ms for 700 lines.
  if (!/[,!*?]/.test(entry.hosts)) return entry.hosts.toLowerCase() === name
  const patterns = entry.hosts.split(',')
  const isOut = patterns.some(pattern => pattern.startsWith('!') && matchesGlob(pattern.slice(1), name))
  return !isOut && patterns.some(pattern => !pattern.startsWith('!') && matchesGlob(pattern, name))
}

/** Lines about a host. As ssh does, a host on another port may be known by its bare name; what is revoked, is on any port. */
export function selectKnown(entries: readonly KnownHost[], host: string, port: number): KnownHost[] {
  const found = entries.filter(entry => isAbout(entry, knownName(host, port)))
  if (port === 22) return found
  const bare = entries.filter(entry => isAbout(entry, knownName(host, 22)))
  const isKnown = found.some(entry => entry.marker !== 'revoked')
  return [...found, ...bare.filter(entry => !isKnown || entry.marker === 'revoked')]
}

/**
 * Stricter than ssh in one thing: a host of which any key is known, and that shows a key of another type, is
 * `changed`, not `new`. Otherwise an attacker could choose a type that is not known yet.
 */
export function decideHostKey(known: readonly KnownHost[], key: string): Verdict {
  const revoked = known.find(entry => entry.marker === 'revoked' && entry.key === key)
  if (revoked) return { kind: 'revoked', by: revoked }
  const plain = known.filter(entry => entry.marker === undefined)
  const same = plain.find(entry => entry.key === key)
  if (same) return { kind: 'known', by: same }
  const type = keyTypeOf(key)
  const other = plain.find(entry => entry.keyType === type) ?? plain[0]
  if (other) return { kind: 'changed', known: other }
  const authority = known.find(entry => entry.marker === 'cert-authority')
  return authority ? { kind: 'uncertified', by: authority } : { kind: 'new' }
}

/**
 * The same for a certificate, which counts when one of the host's authorities has signed it and nothing is wrong with it.
 * When not, its key may still be known for itself, as with ssh. `host` is the name without a port.
 */
export function decideCertificate(
  known: readonly KnownHost[],
  certificate: Certificate,
  host: string,
  nowS: number,
): Verdict {
  const [key, authority, whole] = [certificate.key, certificate.authority, certificate.bytes].map(bytes =>
    bytes.toString('base64'),
  )
  const revoked = known.find(
    entry => entry.marker === 'revoked' && [key, authority, whole].includes(entry.key),
  )
  if (revoked) return { kind: 'revoked', by: revoked }
  const by = known.find(entry => entry.marker === 'cert-authority' && entry.key === authority)
  const flaw = by ? findHostFlaw(certificate, host.toLowerCase(), nowS) : strangeAuthority(known, authority!)
  if (by && flaw === undefined) return { kind: 'known', by }
  const plain = known.find(entry => entry.marker === undefined && entry.key === key)
  return plain ? { kind: 'known', by: plain } : { kind: 'flawed', flaw: flaw!, by }
}

function strangeAuthority(known: readonly KnownHost[], authority: string): Flaw {
  const trusted = known
    .filter(entry => entry.marker === 'cert-authority')
    .map(entry => keyFingerprint(entry.key))
  return {
    why: `it is signed by ${keyFingerprint(authority)}, and known_hosts trusts ${trusted.join(', ')}`,
    hint: 'if that authority is to be trusted, add a line for it to known_hosts: @cert-authority HOST_PATTERN KEY',
  }
}

/** The type that a public key in wire format (base64) begins with. */
export function keyTypeOf(key: string): string {
  const bytes = Buffer.from(key, 'base64')
  return bytes.length < 4 ? '' : bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0))
}

/** As `ssh-keygen -l` shows it. */
export function keyFingerprint(key: string): string {
  return `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`
}

/** Host key algorithms, those first of which a key is known: else a host with several keys looks changed. */
export function orderAlgorithms(all: readonly string[], known: readonly KnownHost[]): string[] {
  const types = new Set(known.filter(entry => entry.marker === undefined).map(entry => entry.keyType))
  const isKnown = (algorithm: string): boolean =>
    types.has(algorithm) || (algorithm.startsWith('rsa-sha2-') && types.has('ssh-rsa'))
  return [...all.filter(isKnown), ...all.filter(algorithm => !isKnown(algorithm))]
}

/** The name as ssh-keygen -H writes it: salted, since the list of one's hosts helps whoever steals it. */
function hashName(name: string): string {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}

/** Appends a line to a known_hosts file, which is made when it is not there. */
export function writeKnownHost(
  file: string,
  host: { readonly name: string; readonly port: number; readonly isHashed: boolean },
  key: string,
): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const newline = before === '' || before.endsWith('\n') ? '' : '\n'
  const name = knownName(host.name, host.port)
  const shown = host.isHashed ? hashName(name) : name
  appendFileSync(file, `${newline}${shown} ${keyTypeOf(key)} ${key}\n`, { mode: 0o600 })
}
