import { createHash } from 'node:crypto'
import { PassThrough, type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { problem, type RotaError } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import { isSameState, type State } from '../core/value.ts'
import {
  beginDraft,
  dropDraft,
  finishDraft,
  keepAgeDraft,
  readAgeScript,
  rewrapScript,
  sendAgeData,
} from './age-file-script.ts'
import { type AgeHeader, openAgeHeader, parseAgeHeader } from './age-header.ts'
import {
  AGE_NONCE_BYTES,
  type AgeSeal,
  measureSha256,
  openAgePayload,
  sealAgePayload,
} from './age-payload.ts'

/**
 * An age file: to whom it is sealed, and with what its data is. The data itself is not in here: with the same file key and nonce the
 * same text always makes the same bytes, so header and nonce say all that differs, and undo gives back the file of before, byte for byte.
 */
export interface AgeFileState {
  readonly [key: string]: State
  /** Absolute; where a link leads. */
  readonly path: string
  readonly header: string
  /** base64 */
  readonly nonce: string
  readonly sizeBytes: number
  /** The keys that are in play, old and new: what opens `header`. The same in every state of one change. */
  readonly identities: readonly Secret[]
}

/** Exit status with which the scripts say that the target is not `before`. */
const CONFLICT = 75

function damaged(path: string, what: string): never {
  throw problem('E_TASK', `${path} ${what}`, {
    hint: 'only binary age files can be given other keys; an armored one (-----BEGIN AGE) has to be made anew with age',
  })
}

/** Reads the header alone, of whatever size the file is. Throws E_TASK. */
export async function readAgeFile(
  t: Target,
  path: string,
  identities: readonly Secret[],
): Promise<AgeFileState> {
  const ran = await t.run(readAgeScript, { path })
  const { problem: why, real = path, size = '0' } = ran.values
  if (why !== undefined || ran.exit !== 0)
    throw problem('E_TASK', `${path} ${why ?? 'cannot be read'}`, {
      hint: 'check the path; become: true reads files of root',
    })
  const header = parseAgeHeader(ran.stdout)
  if (!header) damaged(path, 'is no age file, or its header is damaged')
  const nonce = ran.stdout.subarray(header.text.length, header.text.length + AGE_NONCE_BYTES)
  if (nonce.length < AGE_NONCE_BYTES) damaged(path, 'is truncated')
  const base = { path: real, header: header.text, nonce: nonce.toString('base64') }
  return { ...base, sizeBytes: Number(size), identities }
}

export function headerOf({ header, path }: AgeFileState): AgeHeader {
  return parseAgeHeader(Buffer.from(header, 'latin1')) ?? damaged(path, 'has a damaged header')
}

/** What the file's data is sealed with. Throws E_TASK when none of the keys opens it. */
export function sealOf(state: AgeFileState): AgeSeal {
  const header = headerOf(state)
  for (const identity of state.identities) {
    const fileKey = openAgeHeader(header, identity, state.path)
    if (fileKey) return { fileKey, nonce: state.nonce }
  }
  throw problem('E_TASK', `${state.path} opens with none of the given keys`, {
    hint: 'give every key that was ever in force: old_identities; or move a file that nobody can open out of the folder',
  })
}

/** Header and nonce: all that stands before the data. */
function headOf({ header, nonce }: AgeFileState): Buffer {
  return Buffer.concat([Buffer.from(header, 'latin1'), Buffer.from(nonce, 'base64')])
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** What the scripts compare the file with. */
function wasParams(state: AgeFileState): ScriptParams {
  const head = headOf(state)
  return { path: state.path, size: state.sizeBytes, skip: head.length, head: sha256(head) }
}

function requireDone({ exit, stderr, values }: Ran, t: Target, path: string): Ran['values'] {
  if (exit === 0) return values
  if (exit === CONFLICT)
    throw problem('E_CONFLICT', `${path} is no longer as it was read`, {
      hint: 'somebody else wrote it in the meantime; run again',
    })
  throw problem('E_TASK', `${path}: ${t.redactor.clean(stderr.toString('utf8').trim())}`, {
    hint: 'check that there is room, and that the folder may be written to',
  })
}

/** The sha256 of what the file opens to, all of it authenticated on the way. Nothing of it touches a disk. Throws E_TASK. */
export async function digestAgeFile(t: Target, path: string, state: AgeFileState): Promise<string> {
  const measure = measureSha256()
  const stdout = new PassThrough()
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
  const opened = pipeline(stdout, openAgePayload(sealOf(state), path), measure.stream, sink)
  const reading = t.pipe(sendAgeData, { path, skip: headOf(state).length }, { stdout })
  await joinStreams(endWith(reading, path, stdout), opened, path)
  return measure.sha256()
}

/** A script that dies ends its stream too: what flows through it would wait for ever otherwise. */
async function endWith(running: Promise<Ran>, path: string, stream: PassThrough): Promise<Ran> {
  try {
    const ran = await running
    if (ran.exit !== 0) stream.destroy(notWhole(path))
    return ran
  } catch (error) {
    stream.destroy(error as Error)
    throw error
  }
}

function notWhole(path: string): RotaError {
  return problem('E_TASK', `${path} could not be read or written to its end`, {
    hint: 'check that there is room on the host',
  })
}

/** Waits for the script and for the streams; of two failures the streams' own says why. */
async function joinStreams(running: Promise<Ran>, streams: Promise<unknown>, path: string): Promise<void> {
  const [script, flow] = await Promise.allSettled([running, streams])
  if (flow.status === 'rejected' && (flow.reason as { code?: unknown }).code === 'E_TASK') throw flow.reason
  if (script.status === 'rejected') throw script.reason
  if (flow.status === 'rejected') throw flow.reason
  if (script.value.exit !== 0) throw notWhole(path)
}

/** Only the header is sent; the data stays where it is. */
async function rewrap(t: Target, before: AgeFileState, after: AgeFileState): Promise<void> {
  const head = headOf(after)
  const params = { ...wasParams(before), new_skip: head.length, new_head: sha256(head) }
  requireDone(await t.run(rewrapScript, params, { stdin: head }), t, before.path)
}

/** The data goes through this process, opened with the old key and sealed with the new one, and is read back from the disk before it counts. */
async function reencrypt(t: Target, before: AgeFileState, after: AgeFileState): Promise<void> {
  const { path } = before
  const was = wasParams(before)
  const temp = requireDone(await t.run(beginDraft, was), t, path)['draft'] ?? ''
  try {
    const expected = await transfer(t, before, after, temp)
    if ((await digestAgeFile(t, temp, after)) !== expected)
      throw problem('E_TASK', `${temp} does not open to what ${path} holds`, { hint: 'check the disk' })
    requireDone(await t.run(finishDraft, { ...was, temp }), t, path)
  } catch (error) {
    // The next attempt removes it too: the first failure is what has to be said.
    await t.run(dropDraft, { temp }).catch(() => {})
    throw error
  }
}

/** Writes the draft; resolves with the sha256 of the text. */
async function transfer(t: Target, before: AgeFileState, after: AgeFileState, temp: string): Promise<string> {
  const { path } = before
  const measure = measureSha256()
  const stdout = new PassThrough()
  const stdin = new PassThrough()
  stdin.write(headOf(after))
  const reading = t.pipe(sendAgeData, { path, skip: headOf(before).length }, { stdout })
  const writing = t.pipe(keepAgeDraft, { temp }, { stdin: stdin as Readable })
  const flow = pipeline(
    stdout,
    openAgePayload(sealOf(before), path),
    measure.stream,
    sealAgePayload(sealOf(after)),
    stdin,
  )
  const settled = await Promise.allSettled([
    joinStreams(endWith(reading, path, stdout), flow, path),
    joinStreams(endWith(writing, path, stdin), flow, path),
  ])
  for (const one of settled) if (one.status === 'rejected') throw one.reason
  return measure.sha256()
}

/**
 * Gives the file the header, and where file key or nonce differ the data, of `after`. It is renamed into place when it is whole on the
 * disk and compared, so that whoever is killed leaves a file that opens. Throws E_CONFLICT when the file is no longer `before`.
 */
export async function writeAgeFile(t: Target, before: AgeFileState, after: AgeFileState): Promise<void> {
  if (isSameState(before, after)) return
  const [from, to] = [sealOf(before), sealOf(after)]
  const keepsData = from.nonce === to.nonce && isSameSecret(from.fileKey, to.fileKey)
  await (keepsData ? rewrap(t, before, after) : reencrypt(t, before, after))
}
