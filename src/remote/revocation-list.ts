import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCertificate } from './certificate.ts'

/** What a key revocation list begins with: OpenSSH's PROTOCOL.krl. */
const KRL_MAGIC = 'SSHKRL\n\0'

/**
 * Whether one of these public keys or certificates (wire format) is revoked by a file as ssh_config's RevokedHostKeys
 * names it: a line for each key, or a KRL, which ssh-keygen reads. As with ssh, one that cannot be read revokes everything.
 */
export function isRevokedBy(file: string, keys: readonly Buffer[]): boolean {
  let list: Buffer
  try {
    list = readFileSync(file)
  } catch {
    return true
  }
  if (list.toString('latin1').startsWith(KRL_MAGIC)) return isInKrl(file, keys)
  const revoked = list
    .toString()
    .split('\n')
    .filter(line => !line.startsWith('#'))
    .map(line => Buffer.from(line.trim().split(/\s+/)[1] ?? '', 'base64'))
    .map(key => parseCertificate(key)?.key ?? key)
  return keys.some(key => revoked.some(other => other.equals(key)))
}

function isInKrl(file: string, keys: readonly Buffer[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'rota-krl-'))
  try {
    const paths = keys.map((key, index) => {
      const path = join(folder, `${index}.pub`)
      const type = key.toString('latin1', 4, 4 + key.readUInt32BE(0))
      writeFileSync(path, `${type} ${key.toString('base64')}\n`)
      return path
    })
    return spawnSync('ssh-keygen', ['-Q', '-f', file, ...paths], { stdio: 'ignore' }).status !== 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
