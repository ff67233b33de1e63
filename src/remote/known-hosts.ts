import { createHash, createHmac } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'

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
  | { readonly kind: 'certificate'; readonly by: KnownHost }

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

/** What is in these files; files that do not exist are empty. Throws E_FILE for one that cannot be read. */
export function loadKnownHosts(files: readonly string[]): KnownHost[] {
  return files.filter(existsSync).flatMap(file => {
    try {
      return parseKnownHosts(readFileSync(file, 'utf8'), file)
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
  const [, version, salt, hash] = entry.hosts.split('|')
  if (entry.hosts.startsWith('|'))
    return (
      version === '1' &&
      createHmac('sha1', Buffer.from(salt ?? '', 'base64'))
        .update(name)
        .digest('base64') === hash
    )
  const patterns = entry.hosts.split(',')
  const isOut = patterns.some(pattern => pattern.startsWith('!') && matchesGlob(pattern.slice(1), name))
  return !isOut && patterns.some(pattern => !pattern.startsWith('!') && matchesGlob(pattern, name))
}

/** Lines about a host. As ssh does, a host on another port may be known by its bare name. */
export function selectKnown(entries: readonly KnownHost[], host: string, port: number): KnownHost[] {
  const found = entries.filter(entry => isAbout(entry, knownName(host, port)))
  if (found.some(entry => entry.marker !== 'revoked') || port === 22) return found
  return [...found, ...entries.filter(entry => isAbout(entry, knownName(host, 22)))]
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
  return authority ? { kind: 'certificate', by: authority } : { kind: 'new' }
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

/** Appends a line to a known_hosts file, which is made when it is not there. */
export function writeKnownHost(file: string, host: string, port: number, key: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const newline = before === '' || before.endsWith('\n') ? '' : '\n'
  appendFileSync(file, `${newline}${knownName(host, port)} ${keyTypeOf(key)} ${key}\n`, { mode: 0o600 })
}
