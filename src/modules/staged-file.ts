import type { Readable } from 'node:stream'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { accept } from '../resources/file.ts'

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
