import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that only grows. */
export interface AppendFile {
  append(bytes: Uint8Array): Promise<void>
  /** Resolves when everything appended would survive a power cut. */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  close(): Promise<void>
}

/** All that a run folder needs of a file system: small, so that a test can stop it at any point and lose what was not synced. */
export interface Disk {
  /** Makes a folder and its parents, mode 0700. */
  createFolder(folder: string): Promise<void>
  /** Names in a folder, sorted; none when there is no such folder. */
  list(folder: string): Promise<readonly string[]>
  read(file: string): Promise<Buffer | undefined>
  /** Makes a file with its whole content, mode 0600; false when there is one already. */
  createWhole(file: string, text: string): Promise<boolean>
  remove(file: string): Promise<void>
  /** Opens for appending, mode 0600, made when missing. */
  openAppend(file: string): Promise<AppendFile>
  /** Resolves when the folder's names would survive a power cut. */
  syncFolder(folder: string): Promise<void>
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}
async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch(error => {
    if (isMissing(error)) return undefined
    throw error
  })
}

async function openAppend(file: string): Promise<AppendFile> {
  const handle = await open(file, 'a', 0o600)
  return {
    append: bytes => handle.appendFile(bytes),
    sync: () => handle.datasync(),
    truncate: sizeBytes => handle.truncate(sizeBytes),
    close: () => handle.close(),
  }
}

/** link(2) puts the name in place only when the content is there, and fails when the name exists. */
async function createWhole(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
}

/** Puts a file in place of another one: whole or not at all, and before this resolves on the disk. */
export async function replaceWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await rename(draft, file)
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
  await syncFolder(dirname(file))
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The operator's machine. */
export const realDisk: Disk = {
  createFolder: async folder => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  },
  list: async folder => ((await orUndefined(readdir(folder))) ?? []).sort(),
  read: file => orUndefined(readFile(file)),
  createWhole,
  remove: file => rm(file, { force: true }),
  openAppend,
  syncFolder,
}
