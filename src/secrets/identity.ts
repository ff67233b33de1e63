import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { problem } from '../core/error.ts'
import { Secret } from '../core/secret.ts'

/** The operator's own age X25519 key pair. The identity opens what is sealed to the recipient. */
export interface OwnIdentity {
  readonly identity: Secret
  /** `age1…`: public, to be given to colleagues. */
  readonly recipient: string
  readonly file: string
}

/** `$XDG_CONFIG_HOME/rota`, or `~/.config/rota` when that is unset or relative (XDG Base Directory Specification). */
export function configFolder(env: Readonly<Record<string, string | undefined>>): string {
  const given = env['XDG_CONFIG_HOME']
  return join(given?.startsWith('/') ? given : join(env['HOME'] ?? homedir(), '.config'), 'rota')
}

/** Makes a file of mode 0600 whole or not at all; when another process was first, its file stays. */
async function writePrivateOnce(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
}

async function readPrivate(file: string): Promise<string | undefined> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT')
      throw problem('E_FILE', `cannot read ${file}: ${error.code}`, { hint: `check its owner and mode` })
  })
  if (found === undefined) return undefined
  if ((found.mode & 0o077) !== 0)
    throw problem('E_FILE', `${file} can be read by others (mode ${(found.mode & 0o777).toString(8)})`, {
      hint: `chmod 600 ${file}`,
    })
  return readFile(file, 'utf8')
}

async function loadOrMake(folder: string, name: string, make: () => Promise<string>): Promise<string> {
  const file = join(folder, name)
  const found = await readPrivate(file)
  if (found !== undefined) return found
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writePrivateOnce(file, await make())
  return (await readPrivate(file))!
}

async function renderIdentity(): Promise<string> {
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)
  return `# rota: opens backups and journals sealed to the public key below; keep a copy in a safe place\n# public key: ${recipient}\n${identity}\n`
}

/**
 * The operator's identity in `folder/identity`, made on first use. The file has the form of `age-keygen`, so
 * `age -d -i` reads it too. Throws E_FILE when others may read it, E_SEAL when it holds no X25519 identity.
 */
export async function loadIdentity(folder: string): Promise<OwnIdentity> {
  const file = join(folder, 'identity')
  const text = await loadOrMake(folder, 'identity', renderIdentity)
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'))
  const identity = lines[0]?.trim() ?? ''
  const recipient = await identityToRecipient(identity).catch(() => undefined)
  if (lines.length !== 1 || recipient === undefined)
    throw problem('E_SEAL', `${file} does not hold one age identity (AGE-SECRET-KEY-1…)`, {
      hint: `restore it from its copy; only if nothing was ever sealed to it: rm ${file}`,
    })
  return { identity: new Secret(identity, 'age identity'), recipient, file }
}

/** 32 bytes that key the fingerprints in evidence: the same for all runs of an operator, so that values can be compared. */
export async function loadEvidenceKey(folder: string): Promise<Buffer> {
  const text = await loadOrMake(folder, 'evidence-key', async () => `${randomBytes(32).toString('base64')}\n`)
  const key = Buffer.from(text.trim(), 'base64')
  if (key.length !== 32)
    throw problem('E_FILE', `${join(folder, 'evidence-key')} does not hold 32 bytes of base64`, {
      hint: `restore it from its copy; fingerprints of older runs cannot be compared without it`,
    })
  return key
}

/** The operator's own recipient and the configured ones, each once. Throws E_SEAL naming one that is not `age1…`. */
export function parseRecipients(own: string, configured: readonly string[]): readonly string[] {
  const all = [...new Set([own, ...configured.map(text => text.trim())])]
  for (const recipient of all)
    try {
      new Encrypter().addRecipient(recipient)
    } catch (cause) {
      throw problem('E_SEAL', `${JSON.stringify(recipient)} is not an age recipient`, {
        hint: 'a recipient is the line after "public key:" in an identity file: age1…',
        cause,
      })
    }
  return all
}
