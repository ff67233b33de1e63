import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { accept, CONTENT_LIMIT_BYTES, type FileState, rereadFile } from './file.ts'
import { parseLook } from './file-look.ts'
import { writeFile } from './file-write.ts'

/** Several paths that change together; folders stand before what is in them. */
export type FileSet = {
  readonly files: readonly FileState[]
  /** What files are copied from on the target, as first read; never changed. */
  readonly sources?: readonly FileState[] | undefined
}

export async function rereadSet(t: Target, set: FileSet): Promise<FileSet> {
  const files = await Promise.all(set.files.map(file => rereadFile(t, file)))
  return { ...set, files }
}

/**
 * Writes each path by itself: what is to be away from the end to the beginning, the rest in order. The calls are not
 * waited for one by one, since a session answers in order. Throws what the first one that fails throws.
 */
export async function writeSet(t: Target, before: FileSet, after: FileSet): Promise<void> {
  const pairs = after.files.map((file, i) => ({ from: before.files[i]!, to: file }))
  const gone = pairs.filter(({ to }) => to.kind === 'absent').reverse()
  const made = pairs.filter(({ to }) => to.kind !== 'absent')
  // What is piped has a channel of its own, so it has to come last.
  const piped = made.filter(({ to }) => to.terms.upload !== undefined)
  const sent = made.filter(({ to }) => to.terms.upload === undefined)
  await settle([...gone, ...sent].map(({ from, to }) => writeFile(t, from, to)))
  for (const { from, to } of piped) await writeFile(t, from, to)
}

async function settle(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(one => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** What a folder holds, itself first (as ''), parents before children. Paths are relative to it. */
export interface Found extends Pick<FileState, 'kind' | 'mode' | 'owner' | 'group' | 'sizeBytes'> {
  readonly relative: string
}

const listScript = sh`
[ -d "$p_path" ] || rt_fail "$p_path is not a directory"
newline='
'
if [ -n "$(find "$p_path" -name "*$newline*" 2>/dev/null | head -n 1)" ]; then
  rt_fail "$p_path holds a name with a line end in it"
fi
if [ "$p_follow" = 1 ]; then
  # A link that goes round in a circle or leads nowhere is listed as a link, and is no failure.
  find -L "$p_path" ! -type l -exec stat -L -c '%f|%u|%g|%s|%Y|%U|%G|%n' -- {} + 2>/dev/null
  find -L "$p_path" -type l -exec stat -c '%f|%u|%g|%s|%Y|%U|%G|%n' -- {} + 2>/dev/null
  exit 0
fi
find "$p_path" -exec stat -c '%f|%u|%g|%s|%Y|%U|%G|%n' -- {} +
`

/** Lists a folder of the target with all that is below it; links are followed when told so. Throws E_TASK. */
export async function listFolder(t: Target, path: string, isFollowed = false): Promise<readonly Found[]> {
  const root = path.startsWith('/') ? path : `./${path}`
  const ran = accept(t, await t.run(listScript, { path: root, follow: isFollowed }))
  return ran.stdout
    .toString()
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const name = line.split('|').slice(7).join('|')
      const relative = name === root ? '' : name.slice(root.length + (root.endsWith('/') ? 0 : 1))
      const { kind, mode, owner, group, sizeBytes } = parseLook(line)
      return { relative, kind, mode, owner, group, sizeBytes }
    })
    .sort((a, b) => (a.relative < b.relative ? -1 : 1))
}

/** Throws E_TASK when the files of a folder hold more than a state may. */
export function requireHoldable(path: string, found: readonly Found[]): void {
  const sizeBytes = found.reduce((sum, one) => sum + (one.kind === 'file' ? (one.sizeBytes ?? 0) : 0), 0)
  if (sizeBytes > CONTENT_LIMIT_BYTES)
    throw problem(
      'E_TASK',
      `${path} holds ${sizeBytes} bytes: more than the ${CONTENT_LIMIT_BYTES} that can be kept for an undo`,
      { hint: 'do this outside the change phase of the rotation' },
    )
}
