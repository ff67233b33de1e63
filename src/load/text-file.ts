import { readFileSync } from 'node:fs'
import { type Problem, problem, RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'

const reasons: Readonly<Record<string, { why: string; hint: string }>> = {
  ENOENT: { why: 'there is no such file', hint: 'check the path; it is taken from the current folder' },
  EISDIR: { why: 'it is a folder', hint: 'name a file in it' },
  ENOTDIR: { why: 'a part of the path is not a folder', hint: 'check the path' },
  EACCES: { why: 'permission denied', hint: 'check who may read it: ls -l' },
}

/** The text of a UTF-8 file of the operator's. `at` is where the file is named, if anywhere. Throws E_FILE. */
export function loadText(file: string, at?: Source): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const { why, hint } = reasons[code] ?? { why: code, hint: 'check the path' }
    throw problem('E_FILE', `cannot read ${file}: ${why}`, { at, hint, cause })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw problem('E_FILE', `cannot read ${file}: it is not UTF-8 text`, {
      at,
      hint: 'save the file as UTF-8',
      cause,
    })
  }
}

/** Throws all problems as one error, when there are any. */
export function throwAll(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new RotaError(problems)
}
