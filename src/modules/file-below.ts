// What is in a folder, for the file module.
import type { Target } from '../core/module.ts'
import { type FileState, parsePath, readFile } from '../resources/file.ts'
import { listFolder, requireHoldable } from '../resources/file-set.ts'

async function listBelow(t: Target, folder: string) {
  return (await listFolder(t, folder)).filter(one => one.relative !== '')
}

/** All that is in a folder with its content, so that it can be made again. Throws E_TASK when that is too much. */
export async function readHeld(t: Target, root: FileState): Promise<readonly FileState[]> {
  const folder = root.terms.real
  const found = await listBelow(t, folder)
  requireHoldable(root.path, found)
  return Promise.all(
    found.map(async one => {
      const held = await readFile(t, `${folder}/${one.relative}`)
      return { ...held, terms: { ...held.terms, showKey: root.terms.showKey } }
    }),
  )
}

/**
 * All that is in a folder, for its attributes. With `isFollowed` also what links in it lead to, and what is in that; `seen` are the
 * folders that were already read, since links can lead round in a circle.
 */
export async function readBelow(
  t: Target,
  root: FileState,
  isFollowed: boolean,
  seen: Set<string> = new Set(),
): Promise<readonly FileState[]> {
  const folder = root.terms.real
  seen.add(folder)
  const found = await listBelow(t, folder)
  const read: FileState[] = []
  for (const { relative, ...held } of found) {
    const path = `${parsePath(folder)}/${relative}`
    const terms = {
      ...root.terms,
      content: 'none' as const,
      follow: false,
      real: path,
      found: held.kind,
      missing: 0,
    }
    if (held.kind !== 'link') {
      const sizeBytes = held.kind === 'file' ? held.sizeBytes : undefined
      read.push({ ...held, path, sizeBytes, terms })
      continue
    }
    // A listing does not say where links lead.
    const link = await readFile(t, path, { content: 'none' })
    read.push({ ...held, path, sizeBytes: undefined, target: link.target, terms })
    if (isFollowed) read.push(...(await readLinked(t, { ...root, path, terms }, seen)))
  }
  return read
}

async function readLinked(t: Target, link: FileState, seen: Set<string>): Promise<readonly FileState[]> {
  const leadsTo = await readFile(t, link.path, { content: 'none', follow: true })
  const { real } = leadsTo.terms
  if (leadsTo.kind === 'absent' || seen.has(real)) return []
  const found = { ...leadsTo, path: real, terms: { ...link.terms, real, found: leadsTo.kind } }
  return found.kind === 'directory' ? [found, ...(await readBelow(t, found, true, seen))] : [found]
}
