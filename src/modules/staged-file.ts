import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { isSameState } from '../core/value.ts'
import { accept, type FileState } from '../resources/file.ts'
import { wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'

const stageScript = sh`
umask 077
file=$(mktemp "\${p_folder:-\${TMPDIR:-/tmp}}/rota-staged.XXXXXX") || exit 1
trap 'rm -f -- "$file"' EXIT
trap 'exit 130' INT TERM HUP
cat >"$file" || rt_fail "cannot write $file"
trap - EXIT
rt_set path "$file"
`
const removeScript = sh`rm -f -- "$p_path"`

/**
 * Puts a stream into a file of the target that only this login can read, for as long as `use` runs. `folder`: where; default the
 * folder for temporary files. Throws E_TASK, and what `use` throws.
 */
export async function withStagedFile<T>(
  t: Target,
  content: Readable,
  folder: string | undefined,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const ran = accept(t, await t.pipe(stageScript, { folder: folder ?? '' }, { stdin: content }))
  const path = ran.values['path'] ?? ''
  try {
    return await use(path)
  } finally {
    await t.run(removeScript, { path })
  }
}

/** Makes `before` a file with those bytes, by way of a staged one. Throws E_TASK, as for a folder. */
export async function placeBytes(
  t: Target,
  before: FileState,
  bytes: Buffer,
  { mode, tmp_dest }: { readonly mode?: string; readonly tmp_dest?: string },
): Promise<{ readonly after: FileState; readonly changed: boolean }> {
  if (before.kind === 'directory') throw problem('E_TASK', `${before.path} is a directory, not a file`)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const after = wantContent(before, { sha256, sizeBytes: bytes.length }, mode)
  const changed = !isSameState(before, after)
  if (changed && !t.check)
    await withStagedFile(t, Readable.from([bytes]), tmp_dest, source =>
      writeFile(t, before, { ...after, terms: { ...after.terms, source } }),
    )
  return { after, changed }
}
