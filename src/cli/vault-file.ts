import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { problem } from '../core/error.ts'

/** Bytes of a file, or of stdin for `-`. Throws E_VAULT: ansible-vault ends with 1. */
export async function readInput(file: string): Promise<Buffer> {
  try {
    return file === '-' ? await buffer(process.stdin) : readFileSync(file)
  } catch (cause) {
    throw problem('E_VAULT', `cannot read ${file}: ${(cause as Error).message}`, {
      cause,
      hint: 'check the path',
    })
  }
}

/**
 * Writes a file whole or not at all, for its owner alone (0600, as ansible-vault leaves it); `-` is stdout. A link stays one:
 * the file behind it is replaced.
 */
export function writeOutput(file: string, bytes: Uint8Array | string): void {
  if (file === '-') {
    process.stdout.write(bytes)
    return
  }
  const target = existsSync(file) ? realpathSync(file) : file
  const part = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  try {
    writeFileSync(part, bytes, { mode: 0o600, flag: 'wx' })
    renameSync(part, target)
  } catch (cause) {
    rmSync(part, { force: true })
    throw problem('E_FILE', `cannot write ${file}: ${(cause as Error).message}`, {
      cause,
      hint: 'check that the folder exists and is writable',
    })
  }
}

/** linux/magic.h: TMPFS_MAGIC. */
const TMPFS = 0x01021994

/** A private folder in memory where there is one, so that the plaintext in it never reaches a disk. */
function makePrivateFolder(): string {
  const candidates = [process.env['XDG_RUNTIME_DIR'], '/dev/shm'].filter(path => path !== undefined)
  return mkdtempSync(join(candidates.find(isWritableTmpfs) ?? tmpdir(), 'rota-vault-'))
}

function isWritableTmpfs(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return statSync(path).isDirectory() && statfsSync(path).type === TMPFS
  } catch {
    return false
  }
}

/**
 * Opens bytes in $EDITOR (vi without one) and gives back what the operator made of them. `name` is the file's, so that the
 * editor knows the language. Nothing is left behind, neither by ^C. Throws E_FILE when the editor fails.
 */
export function editBytes(bytes: Uint8Array, name: string): Buffer {
  const folder = makePrivateFolder()
  // The editor gets the signal too and decides what becomes of it; this process has to live on to clean up.
  const wait = (): void => {}
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, wait)
  try {
    const path = join(folder, basename(name))
    writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' })
    runEditor(path)
    return readFileSync(path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    for (const signal of signals) process.off(signal, wait)
  }
}

function runEditor(path: string): void {
  const editor = process.env['EDITOR'] || 'vi'
  const { error, status, signal } = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], {
    stdio: 'inherit',
  })
  if (error || status !== 0)
    throw problem(
      'E_FILE',
      `the editor ${editor} ended with ${error?.message ?? status ?? signal}; nothing was changed`,
      {
        hint: 'set EDITOR to one that is installed',
      },
    )
}

/** Shows bytes as `less` or $PAGER does when stdout is a terminal; the pager gets them by its stdin. */
export function showBytes(bytes: Uint8Array): void {
  if (process.stdout.isTTY) {
    const { error } = spawnSync('/bin/sh', ['-c', process.env['PAGER'] || 'less'], {
      input: bytes,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { LESS: 'FRSX', ...process.env },
    })
    if (!error) return
  }
  process.stdout.write(bytes)
}
