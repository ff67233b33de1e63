import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Secret } from '../core/secret.ts'

/**
 * What a run keeps on the operator's machine. The identity is loaded, and the folder made, when something is first kept:
 * an ordinary play leaves nothing behind.
 */
export interface RunState {
  readonly id: string
  folder(): Promise<string>
  backupFolder(): Promise<string>
  keys(): Promise<Keys>
  seal(plain: Readable, to: Writable): Promise<{ readonly sha256: string; readonly sizeBytes: number }>
  unseal(sealed: Readable, to: Writable): Promise<void>
}
export interface Keys {
  readonly identity: Secret
  readonly recipients: readonly string[]
  /** Keys the fingerprints in evidence. */
  readonly evidenceKey: Buffer
}

/** `path` is the run's folder; `recipients` are those given besides the operator's own. */
export function createRunState(id: string, path: string, recipients: readonly string[]): RunState {
  let made: Promise<string> | undefined
  let keys: Promise<Keys> | undefined
  const folder = (): Promise<string> => {
    made ??= import('../rotation/run-folder.ts')
      .then(({ makeRunFolder }) => makeRunFolder(path))
      .then(() => path)
    return made
  }
  const loadKeys = (): Promise<Keys> => {
    keys ??= readKeys(recipients)
    return keys
  }
  return {
    id,
    folder,
    keys: loadKeys,
    async backupFolder() {
      const backups = join(await folder(), 'backups')
      await mkdir(backups, { recursive: true, mode: 0o700 })
      return backups
    },
    async seal(plain, to) {
      const { sealStream } = await import('../secrets/seal.ts')
      return sealStream((await loadKeys()).recipients, plain, to)
    },
    async unseal(sealed, to) {
      const { unsealStream } = await import('../secrets/seal.ts')
      await unsealStream((await loadKeys()).identity, sealed, to)
    },
  }
}

async function readKeys(given: readonly string[]): Promise<Keys> {
  const { configFolder, loadEvidenceKey, loadIdentity, parseRecipients } = await import(
    '../secrets/identity.ts'
  )
  const folder = configFolder(process.env)
  const own = await loadIdentity(folder)
  return {
    identity: own.identity,
    recipients: parseRecipients(own.recipient, given),
    evidenceKey: await loadEvidenceKey(folder),
  }
}
