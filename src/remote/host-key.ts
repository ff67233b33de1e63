import { problem, type RotaError } from '../core/error.ts'
import {
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

/**
 * Checks the key that a host has shown. Returns when it is the known one, or a new one that may be and was recorded.
 * Throws E_HOST_KEY.
 */
export function checkHostKey(login: Login, entries: readonly KnownHost[], keyBytes: Buffer): void {
  const key = keyBytes.toString('base64')
  const verdict = decideHostKey(selectKnown(entries, login.knownAs, login.port), key)
  if (verdict.kind === 'known') return
  const [file] = login.knownHostsFiles
  if (verdict.kind === 'new' && login.hostKeyChecking === 'accept-new' && file !== undefined)
    writeKnownHost(file, login.knownAs, login.port, key)
  else throw refusal(login, verdict, key)
}

function refusal(login: Login, verdict: Exclude<Verdict, { kind: 'known' }>, key: string): RotaError {
  const name = knownName(login.knownAs, login.port)
  const shown = `${keyTypeOf(key)} ${keyFingerprint(key)}`
  switch (verdict.kind) {
    case 'new':
      return problem('E_HOST_KEY', `${login.name}: no key of ${name} is known; it shows ${shown}`, {
        hint: `compare the fingerprint on the host's console, then: ssh-keyscan -p ${login.port} ${login.host} >> ${login.knownHostsFiles[0] ?? '~/.ssh/known_hosts'}`,
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
    case 'revoked':
      return problem('E_HOST_KEY', `${login.name}: the key of ${name}, ${shown}, is revoked`, {
        at: verdict.by.at,
        hint: 'the host needs a new host key; do not connect to it until it has one',
      })
    case 'certificate':
      return problem(
        'E_HOST_KEY',
        `${login.name}: ${name} is known by a certificate authority only, and host certificates need the openssh transport; it shows ${shown}`,
        { at: verdict.by.at, hint: 'set ansible_connection: openssh for the host' },
      )
  }
}
