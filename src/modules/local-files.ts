import { createHash } from 'node:crypto'
import {
  createReadStream,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { problem } from '../core/error.ts'
import { CONTENT_LIMIT_BYTES } from '../resources/file.ts'
import type { Content } from '../resources/file-want.ts'
import { renderMode } from '../resources/mode.ts'

/** Up to this size a file of the operator's is held in memory and shown by --diff; bigger ones are streamed. */
const INLINE_LIMIT_BYTES = 1024 * 1024

/** A file, folder or link on the operator's machine. */
export interface LocalEntry {
  /** Relative to the folder it was found in; '' for that folder. */
  readonly relative: string
  readonly kind: 'file' | 'directory' | 'link'
  readonly mode: string
  readonly path: string
  /** Of a link that is not followed. */
  readonly target?: string
}

/** The content of a local file, and its path when it is too big to hold. */
export interface LocalContent {
  readonly content: Content
  readonly upload?: string
  readonly sha1: string
  readonly md5: string
}

/** Throws E_FILE when it cannot be read, E_TASK when it is too big to be kept for an undo. */
export async function loadContent(path: string, isKept: boolean): Promise<LocalContent> {
  const sizeBytes = statSync(path).size
  if (isKept && sizeBytes > CONTENT_LIMIT_BYTES)
    throw problem('E_TASK', `${path} has ${sizeBytes} bytes: more than can be kept for an undo`, {
      hint: 'copy it outside the change phase of the rotation',
    })
  try {
    if (!isKept && sizeBytes > INLINE_LIMIT_BYTES) return await digestFile(path, sizeBytes)
    const bytes = readFileSync(path)
    const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex')
    return { content: contentOf(bytes), sha1: digest('sha1'), md5: digest('md5') }
  } catch (cause) {
    throw problem('E_FILE', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}

export function contentOf(bytes: Buffer): Content {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? { text } : { text: bytes.toString('base64'), encoding: 'base64' }
}

async function digestFile(path: string, sizeBytes: number): Promise<LocalContent> {
  const hashes = ['sha256', 'sha1', 'md5'].map(algorithm => createHash(algorithm))
  await pipeline(createReadStream(path), async chunks => {
    for await (const chunk of chunks) for (const hash of hashes) hash.update(chunk as Buffer)
  })
  const [sha256, sha1, md5] = hashes.map(hash => hash.digest('hex'))
  return { content: { sha256: sha256!, sizeBytes }, upload: path, sha1: sha1!, md5: md5! }
}

/** Where a path leads; undefined for a link that leads nowhere. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

/**
 * All that a local folder holds, itself first, parents before children. A link that leads back to a folder it is in, or nowhere,
 * stays a link also where links are followed.
 */
export function loadFolder(
  folder: string,
  isFollowed: boolean,
  relative = '',
  above: readonly string[] = [],
): readonly LocalEntry[] {
  const path = join(folder, relative)
  const real = isFollowed ? realPath(path) : undefined
  const stat = real === undefined || above.includes(real) ? lstatSync(path) : statSync(path)
  const entry = { relative, mode: renderMode(stat.mode), path }
  if (stat.isSymbolicLink()) return [{ ...entry, kind: 'link', target: readlinkSync(path) }]
  if (!stat.isDirectory()) return [{ ...entry, kind: 'file' }]
  const below = readdirSync(path)
    .sort()
    .map(name =>
      loadFolder(folder, isFollowed, join(relative, name), real === undefined ? above : [...above, real]),
    )
  // As Ansible walks: what is in the folder itself before what is in folders in it.
  const isFolder = ([one]: readonly LocalEntry[]) => one!.kind === 'directory'
  const inOrder = [...below.filter(one => !isFolder(one)), ...below.filter(isFolder)].flat()
  return [{ ...entry, kind: 'directory' }, ...inOrder]
}
