import { lstatSync, type Stats, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { TestSet } from '../compile/language.ts'
import { expandHome } from '../filters/path.ts'
import type { Py } from '../python/kinds.ts'
import { toText } from '../python/text.ts'

const quiet = { throwIfNoEntry: false } as const
const path = (value: Py): string => expandHome(toText(value))
const followed = (value: Py): Stats | undefined => statSync(path(value), quiet)
const itself = (value: Py): Stats | undefined => lstatSync(path(value), quiet)

/** True when the folder above is on another file system, or is the same folder. */
function isMount(value: Py): boolean {
  const here = followed(value)
  const above = statSync(dirname(resolve(path(value))), quiet)
  return here !== undefined && above !== undefined && (here.dev !== above.dev || here.ino === above.ino)
}
function isSameFile(value: Py, other: Py): boolean {
  const [a, b] = [followed(value), followed(other)]
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
}

/** Ansible's tests on files: of the operator's machine, never of the target. */
export const fileTests: TestSet = {
  'directory is_dir': ['', value => followed(value)?.isDirectory() === true],
  'file is_file': ['', value => followed(value)?.isFile() === true],
  'link is_link': ['', value => itself(value)?.isSymbolicLink() === true],
  exists: ['', value => followed(value) !== undefined],
  link_exists: ['', value => itself(value) !== undefined],
  'abs is_abs': ['', value => isAbsolute(toText(value))],
  'same_file is_same_file': ['other', (value, args) => isSameFile(value, args.value('other'))],
  'mount is_mount': ['', isMount],
}
