import { readFileSync } from 'node:fs'
import type { AnyAuthMethod, ParsedKey } from 'ssh2'
import { type AgentKey, listAgentKeys, signWithAgent } from './agent.ts'
import {
  type Certificate,
  certificateAlgorithm,
  findTimeFlaw,
  parseCertificate,
  plainType,
  printable,
} from './certificate.ts'
import { keyFingerprint, keyTypeOf } from './known-hosts.ts'
import type { Login } from './login.ts'
import { signData } from './signature.ts'
import { borrowKey, oneKeyAgent } from './ssh2-internals.ts'

type Ssh2 = typeof import('ssh2')

/**
 * sshd closes the connection after MaxAuthTries (6 by default) failures; one is kept for the password.
 */
const MOST_KEYS = 5

/** One thing to try, and what to call it when it did not help. */
export interface Attempt {
  readonly label: string
  /** Of the key, when it is one. */
  readonly fingerprint?: string
  readonly method: AnyAuthMethod
}

/** A private key that was read, and where from. */
export type KeyFile = readonly [file: string, key: ParsedKey]

interface CertificateFile {
  readonly file: string
  readonly certificate: Certificate
}

/**
 * What a login has to offer, in order: given files first; the agent's keys that are one of the files; then, unless
 * IdentitiesOnly, the others. A key's certificates come before the key, as with ssh. Why something is left out, or will
 * hardly do, is added to `notes`.
 */
export async function loadKeyAttempts(
  ssh2: Ssh2,
  login: Login,
  files: readonly KeyFile[],
  notes: string[],
): Promise<Attempt[]> {
  const agentKeys = await loadAgentKeys(login, notes)
  const certificates = loadCertificates(login, notes)
  const offer: Offer = { ssh2, username: login.user, certificates }
  const byFile = files.flatMap(file => fileAttempts(offer, file))
  const publics = new Set(
    [
      ...files.map(([, key]) => key.getPublicSSH()),
      ...certificates.map(({ certificate }) => certificate.key),
      ...login.identityFiles.flatMap(publicKeyOf),
    ].map(key => key.toString('base64')),
  )
  const fromAgent = agentKeys.map(key => ({
    isFile: publics.has(plainKey(key).toString('base64')),
    attempts: agentAttempts(offer, login.agent ?? '', key, agentKeys),
  }))
  const matching = fromAgent.filter(({ isFile }) => isFile).flatMap(({ attempts }) => attempts)
  const others = fromAgent
    .filter(({ isFile }) => !isFile && !login.identitiesOnly)
    .flatMap(({ attempts }) => attempts)
  const ordered = login.isIdentityGiven
    ? [...byFile, ...matching, ...others]
    : [...matching, ...others, ...byFile]
  return ordered.slice(0, MOST_KEYS)
}

interface Offer {
  readonly ssh2: Ssh2
  readonly username: string
  readonly certificates: readonly CertificateFile[]
}

async function loadAgentKeys({ agent }: Login, notes: string[]): Promise<AgentKey[]> {
  if (agent === undefined) return []
  try {
    return await listAgentKeys(agent)
  } catch {
    notes.push('the ssh agent does not answer')
    return []
  }
}

/** ssh_config(5), CertificateFile: those named, and the one beside each identity file. */
function loadCertificates(login: Login, notes: string[]): CertificateFile[] {
  const beside = login.identityFiles.map(file => `${file}-cert.pub`)
  return [...new Set([...login.certificateFiles, ...beside])].flatMap(file => {
    const bytes = readKeyLine(file)
    if (bytes === undefined) {
      if (login.certificateFiles.includes(file)) notes.push(`${file}: cannot be read as a certificate`)
      return []
    }
    const certificate = parseCertificate(bytes)
    if (certificate?.kind === 'user') {
      notes.push(...doubtsAbout(file, certificate, login.user))
      return [{ file, certificate }]
    }
    notes.push(`${file}: ${certificate ? 'is no certificate for users' : 'is no certificate, or is damaged'}`)
    return []
  })
}

/** The server decides, with its own clock and its own list of principals; but it does not say why it refuses. */
function doubtsAbout(file: string, certificate: Certificate, user: string): string[] {
  const { principals } = certificate
  const time = findTimeFlaw(certificate, Date.now() / 1000)
  const isForUser = principals.length === 0 || principals.includes(user)
  return [
    ...(time === undefined ? [] : [`${file}: ${time}`]),
    ...(isForUser ? [] : [`${file}: it is for ${printable(principals.join(', '))}`]),
  ]
}

/** A public key's line in a file, in wire format; undefined when there is none. */
function readKeyLine(file: string): Buffer | undefined {
  try {
    const [, key] = readFileSync(file, 'utf8').trim().split(/\s+/)
    return key === undefined ? undefined : Buffer.from(key, 'base64')
  } catch {
    return undefined
  }
}

/** The public half beside a private key: tells which of the agent's keys an encrypted file is. */
function publicKeyOf(file: string): Buffer[] {
  const key = readKeyLine(`${file}.pub`)
  return key === undefined ? [] : [key]
}

function fileAttempts({ ssh2, username, certificates }: Offer, [file, key]: KeyFile): Attempt[] {
  if (!key.isPrivateKey()) return []
  const fingerprint = keyFingerprint(key.getPublicSSH().toString('base64'))
  const own = certificates.filter(({ certificate }) => certificate.key.equals(key.getPublicSSH()))
  return [
    ...own.map(({ file: label, certificate }): Attempt => {
      const algorithm = signatureAlgorithm(certificate)
      const borrowed = borrowKey(ssh2, {
        algorithm: certificateAlgorithm(algorithm),
        publicKey: certificate.bytes,
        comment: label,
        sign: data => signData(key.getPrivatePEM(), algorithm, data),
      })
      return {
        label: `certificate ${label}`,
        fingerprint,
        method: { type: 'publickey', username, key: borrowed },
      }
    }),
    { label: `key ${file}`, fingerprint, method: { type: 'publickey', username, key } },
  ]
}

/** RSA's certificates are offered with SHA-512 only: every sshd since OpenSSH 7.8 takes that. */
function signatureAlgorithm(certificate: Certificate): string {
  const type = plainType(certificate.type)
  return type === 'ssh-rsa' ? 'rsa-sha2-512' : type
}

const plainKey = (key: AgentKey): Buffer => parseCertificate(key.publicKey)?.key ?? key.publicKey

/** One of the agent's keys, after the certificates for it that are in files and not in the agent. */
function agentAttempts(offer: Offer, socket: string, key: AgentKey, all: readonly AgentKey[]): Attempt[] {
  const isInAgent = (bytes: Buffer): boolean => all.some(other => other.publicKey.equals(bytes))
  const own = offer.certificates.filter(
    ({ certificate }) => certificate.key.equals(key.publicKey) && !isInAgent(certificate.bytes),
  )
  const certificate = parseCertificate(key.publicKey)
  return [
    ...own.map(({ file, certificate }) =>
      agentAttempt(offer, socket, key, `certificate ${file} with agent key ${key.comment}`, certificate),
    ),
    agentAttempt(
      offer,
      socket,
      key,
      `agent ${certificate ? 'certificate' : 'key'} ${key.comment}`,
      certificate,
    ),
  ]
}

function agentAttempt(
  { ssh2, username }: Offer,
  socket: string,
  { publicKey, comment }: AgentKey,
  label: string,
  certificate: Certificate | undefined,
): Attempt {
  const algorithm = certificate ? signatureAlgorithm(certificate) : keyTypeOf(publicKey.toString('base64'))
  const borrowed = borrowKey(ssh2, {
    algorithm: certificate ? certificateAlgorithm(algorithm) : algorithm,
    publicKey: certificate?.bytes ?? publicKey,
    comment,
  })
  const agent = oneKeyAgent(ssh2, borrowed, (data, hash) =>
    signWithAgent(socket, publicKey, data, hash === undefined ? algorithm : hash.replace('sha', 'rsa-sha2-')),
  )
  const fingerprint = keyFingerprint((certificate?.key ?? publicKey).toString('base64'))
  return { label, fingerprint, method: { type: 'agent', username, agent } }
}
