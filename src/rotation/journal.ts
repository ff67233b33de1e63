import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { problem, type RotaError } from '../core/error.ts'
import type { RunKey, Sealer } from '../core/transaction.ts'
import type { State } from '../core/value.ts'
import { type AppendFile, type Disk, realDisk } from './disk.ts'
import type { Entry } from './journal-entry.ts'
import { lockFolder, type Processes, realProcesses } from './lock.ts'

/** One line. `at` is RFC 3339 UTC, for people: order is by `seq`. `prev` is the sha256 of the line before, newline included. */
export type JournalRecord = Entry & {
  readonly seq: number
  readonly at: string
  readonly prev: string
  /** `begin` only: the sealed run key. */
  readonly key?: string
  readonly sealed?: string
}

export interface Journal {
  readonly records: readonly JournalRecord[]
  /**
   * Adds a record; resolves with its line when that is on the disk. Nothing that the record announces may be done before.
   * Rejects with E_JOURNAL; after a failure every later append rejects too.
   */
  append(entry: Entry, payload?: State): Promise<string>
  /** Opens the payload of a record. Throws E_SEAL. */
  payload(record: JournalRecord): State
  /** Closes the file and unlocks. */
  close(): Promise<void>
}

export interface JournalOptions {
  readonly sealer: Sealer
  readonly now: () => Date
  readonly disk?: Disk | undefined
  readonly processes?: Processes | undefined
  /** The caller has locked the folder already, and unlocks it. */
  readonly isLocked?: boolean | undefined
}

const NAME = 'journal'
const FIRST_PREV = '0'.repeat(64)
const SUM_CHARS = 16

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** `LENGTH SUM JSON\n`: bytes of the JSON, first 16 hex digits of its sha256, the JSON. */
export function renderLine(record: JournalRecord): string {
  const json = JSON.stringify(record)
  return `${Buffer.byteLength(json)} ${sha256(json).slice(0, SUM_CHARS)} ${json}\n`
}

/** A line's own sum: what tells two records apart. */
export function sumOf(line: string): string {
  return line.split(' ', 2)[1]!
}

/** A line without its newline; undefined when it is not whole. */
export function parseLine(line: Buffer): JournalRecord | undefined {
  const text = line.toString('utf8')
  const [, length, sum, json] = /^(\d+) ([0-9a-f]{16}) (\{.*\})$/.exec(text) ?? []
  if (json === undefined || Number(length) !== Buffer.byteLength(json)) return undefined
  return sha256(json).startsWith(sum!) ? (JSON.parse(json) as JournalRecord) : undefined
}

/** A record whose last byte alone is wrong was once whole, so it is damage and not a torn write. */
function isTorn(tail: Buffer): boolean {
  const length = /^(\d+) [0-9a-f]{16} /.exec(tail.subarray(0, 64).toString('latin1'))
  return length === null || tail.length <= length[0].length + Number(length[1])
}

export interface ParsedJournal {
  readonly records: readonly JournalRecord[]
  /** Bytes of whole records; what follows is the torn end of a write that never was acknowledged. */
  readonly sizeBytes: number
  /** sha256 of the last line, which stands for the whole chain. */
  readonly last: string
}

/**
 * Reads a journal's bytes. The end of the last record may be missing: the process died while writing it, before anything
 * relied on it. Any other damage throws E_JOURNAL naming the line.
 */
export function parseJournal(bytes: Buffer, file: string): ParsedJournal {
  const records: JournalRecord[] = []
  let start = 0
  let last = FIRST_PREV
  const damaged = (what: string): RotaError =>
    problem('E_JOURNAL', `${file}: ${what}`, {
      at: { file, line: records.length + 1, col: 1 },
      hint: 'restore the run folder from a copy; until then decide by hand, with the backup of the run',
    })
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    const record = parseLine(bytes.subarray(start, end))
    if (record === undefined) throw damaged(`record ${records.length + 1} is damaged`)
    if (record.seq !== records.length || record.prev !== last)
      throw damaged(`record ${records.length + 1} does not follow the one before it`)
    last = sha256(bytes.subarray(start, end + 1))
    records.push(record)
    start = end + 1
  }
  if (!isTorn(bytes.subarray(start))) throw damaged(`record ${records.length + 1} has no end of line`)
  return { records, sizeBytes: start, last }
}

/** Reads a journal without locking it, for listing runs: only the plain part. Throws E_JOURNAL. */
export async function readJournal(folder: string, disk: Disk = realDisk): Promise<readonly JournalRecord[]> {
  return (await inspectJournal(folder, disk)).records
}

/** The same with what a person wants to know of the file. `tornBytes`: the end of a write that never was acknowledged. */
export async function inspectJournal(
  folder: string,
  disk: Disk = realDisk,
): Promise<ParsedJournal & { readonly file: string; readonly tornBytes: number }> {
  const file = join(folder, NAME)
  const bytes = (await disk.read(file)) ?? Buffer.alloc(0)
  const parsed = parseJournal(bytes, file)
  return { ...parsed, file, tornBytes: bytes.length - parsed.sizeBytes }
}

/** A record of one of these types. */
export type RecordOf<T extends JournalRecord['type'], R = JournalRecord> = R extends {
  readonly type: infer U
}
  ? T & U extends never
    ? never
    : R
  : never

/** The last record of one of these types. */
export function findLast<T extends JournalRecord['type']>(
  records: readonly JournalRecord[],
  ...types: readonly T[]
): RecordOf<T> | undefined {
  const isOne = (record: JournalRecord): boolean => (types as readonly string[]).includes(record.type)
  return records.findLast(isOne) as RecordOf<T> | undefined
}

/** How the run stands: its last record, unless that only says that what was sealed is gone. */
export function findLatest(records: readonly JournalRecord[]): JournalRecord | undefined {
  return records.findLast(({ type }) => type !== 'forgotten')
}

/** True from where a run only goes back. */
export function isUndoing(records: readonly JournalRecord[]): boolean {
  return records.some(record => record.type === 'phase' && record.phase === 'undo')
}

/** Every host of a run: those that it began with, and those that were admitted. */
export function selectHosts(records: readonly JournalRecord[]): readonly string[] {
  const hosts = records.flatMap(record =>
    record.type === 'begin' || record.type === 'admit' ? record.hosts : [],
  )
  return [...new Set(hosts)]
}

/** True when nothing is sealed in it any more (`rotation/forget.ts`). */
export function isForgotten(records: readonly JournalRecord[]): boolean {
  return records.at(-1)?.type === 'forgotten'
}

/** Opens the payload of a record with the run's key. Throws E_SEAL. */
export function openPayload(key: RunKey, record: JournalRecord): State {
  return key.unseal(record.sealed ?? '', headerOf(record))
}

/** Writes queued lines in batches: many hosts at once cost one fdatasync. */
function openQueue(file: AppendFile, name: string): (line: string) => Promise<string> {
  let waiting: { line: string; resolve: (line: string) => void; reject: (error: RotaError) => void }[] = []
  let failed: RotaError | undefined
  let isWriting = false
  const write = async (): Promise<void> => {
    isWriting = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        if (failed) throw failed
        await file.append(Buffer.from(batch.map(({ line }) => line).join('')))
        await file.sync()
        for (const { line, resolve } of batch) resolve(line)
      } catch (cause) {
        // What reached the disk is not known any more, so nothing may be added behind it.
        failed ??= problem('E_JOURNAL', `${name} cannot be written: ${(cause as Error).message}`, {
          hint: 'make room or mend the disk, then: rota resume, or rota rollback',
          cause,
        })
        for (const { reject } of batch) reject(failed)
      }
    }
    isWriting = false
  }
  return line =>
    new Promise((resolve, reject) => {
      waiting.push({ line, resolve, reject })
      if (!isWriting) void write()
    })
}

/** Opens the file and drops a torn end. */
async function openFile(folder: string, disk: Disk): Promise<{ file: AppendFile; found: ParsedJournal }> {
  const path = join(folder, NAME)
  const bytes = (await disk.read(path)) ?? Buffer.alloc(0)
  const found = parseJournal(bytes, path)
  const file = await disk.openAppend(path)
  if (found.sizeBytes < bytes.length) await file.truncate(found.sizeBytes)
  await file.sync()
  await disk.syncFolder(folder)
  return { file, found }
}

function headerOf(record: JournalRecord): string {
  const { sealed: _sealed, ...header } = record
  return JSON.stringify(header)
}

function createAppender(
  records: JournalRecord[],
  found: ParsedJournal,
  made: { readonly key: RunKey; readonly sealed: string },
  now: () => Date,
  write: (line: string) => Promise<string>,
): Journal['append'] {
  let prev = found.last
  return async (entry, payload) => {
    const plain = { seq: records.length, at: now().toISOString(), prev, ...entry }
    const header: JournalRecord = entry.type === 'begin' ? { ...plain, key: made.sealed } : plain
    const record =
      payload === undefined ? header : { ...header, sealed: made.key.seal(payload, headerOf(header)) }
    const line = renderLine(record)
    prev = sha256(line)
    records.push(record)
    return write(line)
  }
}

/**
 * Opens the run's journal, made when missing, and locks the folder. Throws E_LOCKED when another process works in it, E_JOURNAL
 * when it is damaged, E_SEAL when its key cannot be opened.
 */
export async function openJournal(folder: string, options: JournalOptions): Promise<Journal> {
  const disk = options.disk ?? realDisk
  await disk.createFolder(folder)
  const unlock = options.isLocked
    ? async () => {}
    : await lockFolder(folder, disk, options.processes ?? realProcesses)
  try {
    const { file, found } = await openFile(folder, disk)
    const sealed = found.records[0]?.key
    const made =
      sealed === undefined
        ? await options.sealer.createKey()
        : { key: await options.sealer.openKey(sealed), sealed }
    const queue = openQueue(file, join(folder, NAME))
    const records = [...found.records]
    return {
      records,
      append: createAppender(records, found, made, options.now, queue),
      payload: record => openPayload(made.key, record),
      async close() {
        await file.close()
        await unlock()
      },
    }
  } catch (error) {
    await unlock()
    throw error
  }
}
