// What V8 compiled of the program last time, kept in the user's own cache folder: half of the start-up. (Node keeps none before 22.8.)
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

export interface Program {
  /** What the program's file exports. */
  readonly exports: unknown
  /** Keeps what was compiled by now, where nothing was kept yet. Never throws: it is only a cache. */
  keep(): void
}

const DIGEST_BYTES = 32
/** Those of the last three builds or so, 2.4 MB each. */
const MOST_FILES = 16

/**
 * Runs a bundled CommonJS `file`. `name` tells its cache file from those of other builds (V8 compares no more than the length of the
 * source), Nodes and commands, which use different parts.
 */
export function openProgram(file: string, folder: string, name: string): Program {
  // Else what only the start needed is forgotten by the time it is kept.
  setFlagsFromString('--no-flush-bytecode')
  const place = join(folder, name)
  const known = loadKept(folder, place)
  // The bundler writes ASCII; so V8 need not decode it.
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`
  const script = new Script(source, { filename: file, ...(known && { cachedData: known }) })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file))
  const isKept = known !== undefined && script.cachedDataRejected !== true
  return {
    exports: module.exports,
    keep() {
      if (!isKept) writeKept(folder, place, script)
    },
  }
}

function isOwn({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o022) === 0
}

/** Compiled code is trusted as it is: only what this user alone could have written is read, and only whole. */
function loadKept(folder: string, place: string): Buffer | undefined {
  try {
    const fd = openSync(place, 'r')
    try {
      if (!isOwn(statSync(folder)) || !isOwn(fstatSync(fd))) return undefined
      const kept = readFileSync(fd)
      const data = kept.subarray(DIGEST_BYTES)
      return digest(data).equals(kept.subarray(0, DIGEST_BYTES)) ? data : undefined
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
}

function writeKept(folder: string, place: string, script: Script): void {
  try {
    makeFolder(dirname(folder))
    makeFolder(folder)
    if (!isOwn(statSync(folder))) return
    const temporary = `${place}.${process.pid}`
    const fd = openSync(temporary, 'wx', 0o600)
    try {
      const data = script.createCachedData()
      writeFileSync(fd, Buffer.concat([digest(data), data]))
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, place)
    const age = (one: string): number => statSync(one).mtimeMs
    const all = readdirSync(folder).map(one => join(folder, one))
    for (const old of all.sort((a, b) => age(b) - age(a)).slice(MOST_FILES)) rmSync(old, { recursive: true })
  } catch {
    // A home that cannot be written: the next start is as slow as this one.
  }
}

/** No more than one level, and only in a folder of this user's: a home that is not there, or is another's, is not ours to fill. */
function makeFolder(folder: string): void {
  if (!existsSync(folder) && statSync(dirname(folder)).uid === process.geteuid?.())
    mkdirSync(folder, { mode: 0o700 })
}

function digest(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}
