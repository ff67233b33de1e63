import { readFileSync } from 'node:fs'
import { problem } from '../core/error.ts'
import type { Secret } from '../core/secret.ts'
import { listAgentKeys, signWithAgent } from './agent.ts'
import { parseIdentity } from './auth.ts'
import { keyFingerprint, keyTypeOf } from './known-hosts.ts'
import { signData } from './signature.ts'
import type { Signer } from './sshsig.ts'

export interface SignerOptions {
  /** A private key; or a public one, whose private half the agent holds. */
  readonly file: string
  /** Socket of the ssh agent. */
  readonly agent: string | undefined
  /** Asked once, when a private key needs it and the agent does not hold it. */
  askPassphrase(): Promise<Secret>
}

/** Opens a key for signing. Throws E_FILE naming why it cannot be used, and what askPassphrase throws. */
export async function openSigner(options: SignerOptions): Promise<Signer> {
  const { file, agent } = options
  const publicKey = readPublicKey(file)
  if (publicKey)
    return (
      (await findInAgent(agent, publicKey)) ?? refuse(file, 'the ssh agent does not hold its private half')
    )
  const { default: ssh2 } = await import('ssh2')
  let key = parseIdentity(ssh2, file, undefined)
  if (key instanceof Error && key.message.startsWith('needs a passphrase')) {
    const beside = readPublicKey(`${file}.pub`)
    const held = beside && (await findInAgent(agent, beside))
    if (held) return held
    key = parseIdentity(ssh2, file, await options.askPassphrase())
  }
  if (key instanceof Error) return refuse(file, key.message)
  const wire = key.getPublicSSH()
  const pem = key.getPrivatePEM()
  return createSigner(wire, async data => signData(pem, algorithmOf(wire), data))
}

function refuse(file: string, why: string): never {
  throw problem('E_FILE', `cannot sign with ${file}: ${why}`, {
    hint: 'name a private key with --key, or a .pub file whose key is in the ssh agent (ssh-add -l)',
  })
}

function createSigner(publicKey: Buffer, sign: Signer['sign']): Signer {
  return { publicKey, fingerprint: keyFingerprint(publicKey.toString('base64')), sign }
}

/** RSA signs with SHA-512; other keys have one algorithm, named like them. */
function algorithmOf(publicKey: Buffer): string {
  const type = keyTypeOf(publicKey.toString('base64'))
  return type === 'ssh-rsa' ? 'rsa-sha2-512' : type
}

async function findInAgent(agent: string | undefined, publicKey: Buffer): Promise<Signer | undefined> {
  if (agent === undefined) return undefined
  const keys = await listAgentKeys(agent).catch(() => [])
  if (!keys.some(key => key.publicKey.equals(publicKey))) return undefined
  return createSigner(publicKey, data => signWithAgent(agent, publicKey, data, algorithmOf(publicKey)))
}

/** A line of a `.pub` file, in wire format; undefined for a private key, or where there is no such file. */
export function readPublicKey(file: string): Buffer | undefined {
  try {
    const [type = '', key = ''] = readFileSync(file, 'utf8').trim().split(/\s+/)
    const wire = Buffer.from(key, 'base64')
    return /^(ssh|ecdsa|sk)-/.test(type) && keyTypeOf(key) === type ? wire : undefined
  } catch {
    return undefined
  }
}
