import { createReadStream } from 'node:fs'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { accept, type FileState } from './file.ts'
import type { Account, FileKind } from './file-look.ts'
import { fileScript } from './file-script.ts'

/** Exit status with which the script says that the target is not `before`. */
const CONFLICT = 75
const kindBits: Readonly<Partial<Record<FileKind, number>>> = {
  fifo: 0x1000,
  character: 0x2000,
  directory: 0x4000,
  block: 0x6000,
  file: 0x8000,
  hard: 0x8000,
  link: 0xa000,
  socket: 0xc000,
}

/**
 * Makes the target hold `after` where it holds `before`: one round trip. New content is written beside the file with
 * owner and mode set before it becomes visible, checked by sha256, synced and renamed over it. The comparison with
 * `before` is made on the target just before that. Throws E_CONFLICT when the target holds something else, E_TASK
 * when it refuses, E_UNKNOWN when the link is lost.
 */
export async function writeFile(t: Target, before: FileState, after: FileState): Promise<void> {
  if (isSameState({ ...before }, { ...after })) return
  const ran = await send(t, before, after)
  if (ran.exit === CONFLICT)
    throw problem(
      'E_CONFLICT',
      `${after.path} is no longer as it was read: it is ${t.redactor.clean(describe(ran.values['now'] ?? ''))}`,
      { hint: 'somebody else changed it in the meantime; look at it and run again' },
    )
  accept(t, ran)
}

function send(t: Target, before: FileState, after: FileState): Promise<Ran> {
  const params = {
    do: 'write',
    ...wasParams(before),
    ...afterParams(before, after),
    lax: isLax(t, after),
    is_now: isNow(t, after),
  }
  if (!isContentChange(before, after)) return t.run(fileScript, params)
  const { content, encoding, terms } = after
  const checked = { ...params, sha256: after.sha256, ...onceParams(before, after) }
  if (content instanceof Secret)
    return t.run(fileScript, { ...checked, source: encoding ?? 'stdin' }, { stdin: content })
  if (content !== undefined)
    return t.run(
      fileScript,
      { ...checked, source: 'stdin' },
      { stdin: encoding === undefined ? content : Buffer.from(content, encoding) },
    )
  if (terms.source !== undefined) return t.run(fileScript, { ...checked, source: 'copy', from: terms.source })
  if (terms.upload !== undefined)
    return t.pipe(fileScript, { ...checked, source: 'stdin' }, { stdin: createReadStream(terms.upload) })
  throw problem('E_TASK', `the content of ${after.path} was not kept, so it cannot be put back`)
}

/**
 * Who may replace a file but not give it away becomes its owner, as in Ansible. Not when an owner was asked for, when the new owner
 * would get more than the file's own rights, or in a rotation, which has to be able to put back what was there.
 */
function isLax(t: Target, { terms, mode }: FileState): boolean {
  return (
    !t.undoable && terms.owner === undefined && terms.group === undefined && mode?.startsWith('0') === true
  )
}

/** Who may write a file that is another's can set its times to now, and to no other time (utimensat(2)). */
function isNow(t: Target, { modifiedAt = 0, accessedAt = modifiedAt }: FileState): boolean {
  const nowSeconds = t.operator.now().getTime() / 1000
  return !t.undoable && [modifiedAt, accessedAt].every(seconds => Math.abs(seconds - nowSeconds) < 60)
}

function isContentChange(before: FileState, after: FileState): boolean {
  if (after.kind !== 'file' || after.sha256 === undefined) return false
  return before.kind !== 'file' || !isSameState(before.sha256, after.sha256)
}

/** What the target has to be compared with. */
function wasParams(before: FileState): ScriptParams {
  const { kind, mode = '0', owner, group, sha256, target, modifiedAt, flags, context } = before
  const hex = ((kindBits[kind] ?? 0) | Number.parseInt(mode, 8)).toString(16)
  return {
    was: kind === 'absent' ? 'absent' : `${hex}|${owner?.id}|${group?.id}`,
    was_sha256: sha256,
    was_target: target,
    was_mtime: modifiedAt === undefined ? undefined : Math.floor(modifiedAt),
    // Only what is there has any.
    ...(kind === 'absent' ? {} : { was_flags: flags, was_context: context }),
  }
}

function afterParams(before: FileState, after: FileState): ScriptParams {
  const { terms } = after
  const isNew = before.kind !== after.kind || isContentChange(before, after)
  return {
    path: terms.real,
    kind: isOwnerOfLink(before, after) ? 'owner' : after.kind,
    ...attributeParams(before, after, isNew),
    ...markParams(before, after, isNew),
    target: after.kind === 'hard' ? terms.sameAs : after.target,
    unsafe: terms.unsafe ?? false,
    above: terms.above ? terms.missing : 0,
    above_mode: terms.above?.mode ?? '0755',
    above_own: terms.above?.own ? idsOf(after) : '',
    remove: before.kind !== 'directory' ? 'file' : terms.found === 'directory' ? 'tree' : 'empty',
    ...(before.modifiedAt === after.modifiedAt && !isNew ? {} : timeParams('mtime', after.modifiedAt)),
  }
}

/** Owner and mode, as far as they have to be set. */
function attributeParams(before: FileState, after: FileState, isNew: boolean): ScriptParams {
  const isMoved = isNew || !isSameState(ownerOf(before), ownerOf(after))
  // What is made where nothing was has the owner already that it gets by default.
  const isOwned = before.kind === 'absent' && isSameState(ownerOf(after.terms.fresh ?? {}), ownerOf(after))
  return {
    own: isMoved && !isOwned ? idsOf(after) : '',
    // Five digits: with four, GNU chmod keeps a directory's set-group-id bit.
    mode: after.kind !== 'link' && (isMoved || before.mode !== after.mode) ? `0${after.mode}` : '',
  }
}

/** Flags that have to go first, and what is set last of all. What is made anew has neither. */
function markParams(before: FileState, after: FileState, isNew: boolean): ScriptParams {
  const had = before.flags ?? ''
  const wanted = after.flags ?? ''
  const added = isNew ? wanted : [...wanted].filter(letter => !had.includes(letter)).join('')
  // A file that nobody may write is not replaced either.
  const isHeld = isNew || after.kind === 'absent'
  const removed = [...had].filter(letter => !wanted.includes(letter) || (isHeld && 'ia'.includes(letter)))
  return {
    free: removed.join(''),
    mark_flags: added,
    ...(before.accessedAt === after.accessedAt && !isNew ? {} : timeParams('atime', after.accessedAt)),
    mark_context: isNew || before.context !== after.context ? after.context : undefined,
  }
}

const idsOf = ({ kind, owner, group }: FileState): string =>
  kind === 'absent' ? '' : `${owner?.id}:${group?.id}`

const isOwnerOfLink = (before: FileState, after: FileState): boolean =>
  before.kind === 'link' && after.kind === 'link' && before.target === after.target

const ownerOf = (
  state: Pick<FileState, 'owner' | 'group'>,
): { readonly owner?: Account; readonly group?: Account } => ({
  ...(state.owner ? { owner: state.owner } : {}),
  ...(state.group ? { group: state.group } : {}),
})

/** What is done when a file changes for the first time and not when that is undone. */
function onceParams(before: FileState, after: FileState): ScriptParams {
  const { found, validate, backup } = after.terms
  const isUndo = isSameState(found, after.sha256 ?? after.kind)
  if (isUndo) return {}
  return {
    validate: validate?.map(word => `${word}\n`).join(''),
    backup: before.kind === 'absent' ? undefined : backup,
  }
}

const timeParams = (name: 'mtime' | 'atime', seconds: number | undefined): ScriptParams => ({
  [name]: seconds?.toFixed(6),
  [`${name}_t`]: renderTouch(seconds),
})

/** `touch -t` in UTC: CCYYMMDDhhmm.SS. */
function renderTouch(seconds: number | undefined): string | undefined {
  if (seconds === undefined) return undefined
  const digits = new Date(seconds * 1000).toISOString().replace(/\D/g, '')
  return `${digits.slice(0, 12)}.${digits.slice(12, 14)}`
}

/** A line of the script's look(), for people. */
function describe(now: string): string {
  const [hex = '', , , sizeBytes, , user, group] = now.split('|')
  if (user === undefined) return now
  return `mode ${(Number.parseInt(hex, 16) & 0o7777).toString(8).padStart(4, '0')}, ${user}:${group}, ${sizeBytes} bytes`
}
