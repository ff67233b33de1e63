import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { problem } from '../core/error.ts'
import type { Plan } from '../rotation/plan.ts'

/** sha256 of a file, or of every file below a folder, by path from here. What cannot be read is found by whoever reads it. */
export function hashFiles(path: string): readonly (readonly [string, string])[] {
  if (!existsSync(path)) return []
  const stat = statSync(path)
  if (stat.isDirectory()) return readdirSync(path).flatMap(name => hashFiles(join(path, name)))
  if (!stat.isFile()) return []
  return [[relative(process.cwd(), path), createHash('sha256').update(readFileSync(path)).digest('hex')]]
}

/** Looks at each file again when it is read to be applied, since time passes after the comparison. Throws E_APPROVAL for another one. */
export function pinFiles({ files }: Plan): (path: string) => void {
  return path => {
    for (const [file, hash] of hashFiles(path))
      if (files[file] !== undefined && files[file] !== hash)
        throw problem('E_APPROVAL', `${file} is another file`, {
          hint: 'what was approved is not what would be done: plan and approve anew',
        })
  }
}
