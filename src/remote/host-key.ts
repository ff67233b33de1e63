import { problem, type RotaError } from '../core/error.ts'
import { type Certificate, parseCertificate, printable } from './certificate.ts'
import {
  decideCertificate,
  decideHostKey,
  type KnownHost,
  keyFingerprint,
  keyTypeOf,
  knownName,
  selectKnown,
  type Verdict,
  writeKnownHost,
} from './known-hosts.ts'
import type { Login } from './login.ts'
import { isRevokedBy } from './revocation-list.ts'

/**
 * Checks the key or the certificate that a host has shown. Returns when it is the known one, or a new one that may be and
 * was recorded. Throws E_HOST_KEY.
 */
export function checkHostKey(login: Login, entries: readonly KnownHost[], keyBytes: Buffer): void {
  const known = selectKnown(entries, login.knownAs, login.knownPort)
  const key = keyBytes.toString('base64')
  const certificate = parseCertificate(keyBytes)
  refuseListed(login, certificate, keyBytes)
  const verdict = certificate
    ? decideCertificate(known, certificate, login.knownAs, Date.now() / 1000)
    : decideHostKey(known, key)
  if (verdict.kind === 'known') return
  const [file] = login.knownHostsFiles
  if (verdict.kind === 'new' && login.hostKeyChecking === 'accept-new' && file !== undefined)
    writeKnownHost(file, { name: login.knownAs, port: login.knownPort, isHashed: login.isHashingNames }, key)
  else throw refusal(login, verdict, certificate, key)
}

/** ssh-keyscan knows no HostKeyAlias; what has been shown, is at hand. */
function renderAdding(login: Login, name: string, key: string): string {
  const file = login.knownHostsFiles[0] ?? '~/.ssh/known_hosts'
  return login.knownAs === login.host
    ? `ssh-keyscan -p ${login.port} ${login.host} >> ${file}`
    : `echo '${name} ${keyTypeOf(key)} ${key}' >> ${file}`
}

function refuseListed(login: Login, certificate: Certificate | undefined, key: Buffer): void {
  const { revokedHostKeys: list } = login
  const keys = certificate ? [key, certificate.key, certificate.authority] : [key]
  if (list === undefined || !isRevokedBy(list, keys)) return
  const shown = describeKey(certificate, key.toString('base64'))
  throw problem('E_HOST_KEY', `${login.name}: it shows ${shown}, which ${list} revokes`, {
    hint: 'the host needs a new host key or certificate; a list that cannot be read revokes everything, as with ssh',
  })
}

/** "ssh-ed25519 SHA256:…", with the certificate that the key is in. */
function describeKey(certificate: Certificate | undefined, key: string): string {
  const plain = certificate?.key.toString('base64') ?? key
  const shown = `${keyTypeOf(plain)} ${keyFingerprint(plain)}`
  if (certificate === undefined) return shown
  return `${shown} with certificate "${printable(certificate.id)}" serial ${certificate.serial}`
}

function refusal(
  login: Login,
  verdict: Exclude<Verdict, { kind: 'known' }>,
  certificate: Certificate | undefined,
  key: string,
): RotaError {
  const name = knownName(login.knownAs, login.knownPort)
  const shown = describeKey(certificate, key)
  switch (verdict.kind) {
    case 'new':
      return problem('E_HOST_KEY', `${login.name}: no key of ${name} is known; it shows ${shown}`, {
        hint: `compare the fingerprint on the host's console, then: ${renderAdding(login, name, key)}`,
      })
    case 'changed':
      return problem(
        'E_HOST_KEY',
        `${login.name}: the host key of ${name} has changed: it shows ${shown}, known is ${verdict.known.keyType} ${keyFingerprint(verdict.known.key)}; someone may be in between`,
        {
          at: verdict.known.at,
          hint: `if the host was reinstalled: ssh-keygen -f '${verdict.known.at.file}' -R '${name}'`,
        },
      )
    case 'revoked': {
      const isAuthority = certificate?.authority.toString('base64') === verdict.by.key
      const what = isAuthority
        ? `the authority that has signed the certificate of ${name}`
        : `the key of ${name}`
      return problem('E_HOST_KEY', `${login.name}: ${what} is revoked; it shows ${shown}`, {
        at: verdict.by.at,
        hint: `the host needs a new host ${isAuthority ? 'certificate' : 'key'}; do not connect to it until it has one`,
      })
    }
    case 'uncertified':
      return problem(
        'E_HOST_KEY',
        `${login.name}: ${name} is known by a certificate authority only, and shows a key without a certificate: ${shown}`,
        {
          at: verdict.by.at,
          hint: 'sign the host’s key and name the certificate in its sshd_config: HostCertificate',
        },
      )
    case 'flawed':
      return problem(
        'E_HOST_KEY',
        `${login.name}: the host certificate of ${name} does not hold: ${verdict.flaw.why}; it shows ${shown}`,
        { at: verdict.by?.at, hint: verdict.flaw.hint },
      )
  }
}
