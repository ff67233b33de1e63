import type { Address } from '../core/remote.ts'
import type { Secret } from '../core/secret.ts'

/** One hop of the way to a host, with everything that ssh_config says of it resolved. */
export interface Login {
  /** What messages call it. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  /** What known_hosts calls it: HostKeyAlias, else the host. */
  readonly knownAs: string
  /** The port it is known with there; 22 for a HostKeyAlias, which stands for host and port. */
  readonly knownPort: number
  readonly knownHostsFiles: readonly string[]
  /** RevokedHostKeys: path of a list of keys, or of a KRL. */
  readonly revokedHostKeys: string | undefined
  readonly hostKeyChecking: Address['hostKeyChecking']
  /** HashKnownHosts: names are written to known_hosts as hashes. */
  readonly isHashingNames: boolean
  readonly identityFiles: readonly string[]
  /** The files were asked for, and are not just ssh's defaults: then a missing one is worth telling. */
  readonly isIdentityGiven: boolean
  readonly identitiesOnly: boolean
  /** CertificateFile: besides those that lie beside the identity files. */
  readonly certificateFiles: readonly string[]
  /** Path of the agent's socket. */
  readonly agent: string | undefined
  readonly password: Secret | undefined
  readonly passphrase: Secret | undefined
  readonly connectTimeoutMs: number
  /** The hop before this one. */
  readonly via: Login | undefined
  /** A program whose stdin and stdout are the connection. */
  readonly proxyCommand: string | undefined
}

/** The command that shows what ssh itself says of this login. */
export function renderSsh({ identityFiles, isIdentityGiven, port, user, host }: Login): string {
  const keys = isIdentityGiven ? identityFiles.map(file => `-i ${file} `).join('') : ''
  return `ssh -v ${keys}-p ${port} ${user}@${host} true`
}
