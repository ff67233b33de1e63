import { problem } from '../core/error.ts'
import type { Shown } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import type { FileState } from './file.ts'
import type { Account } from './file-look.ts'
import { type Marks, wantMarks } from './file-marks.ts'
import { NEW_DIRECTORY, NEW_FILE, renderMode, wantMode } from './mode.ts'
import { checksumOf, renderSecret, sha256Of, sizeBytesOf, type Text } from './secret-text.ts'

type Attributes = Marks & {
  readonly mode: string
  readonly owner: Account | undefined
  readonly group: Account | undefined
}

/** Mode, owner and group of what is to be there: those asked for, else those it has, else those of something new. */
export function wantAttributes(
  before: FileState,
  kind: 'file' | 'directory',
  mode: string | undefined,
): Attributes {
  const { terms } = before
  const isKept = before.kind === kind || (before.kind === 'hard' && kind === 'file')
  const now = isKept && before.mode !== undefined ? Number.parseInt(before.mode, 8) : freshMode(before, kind)
  return {
    mode: renderMode(mode === undefined ? now : wantMode(mode, now, kind === 'directory')),
    owner: terms.owner ?? (isKept ? before.owner : terms.fresh?.owner),
    group: terms.group ?? (isKept ? before.group : terms.fresh?.group),
    ...wantMarks(before.path, terms, isKept ? before : NEW_MARKS),
  }
}

/** What is new has no attributes; its context is that of the policy. */
const NEW_MARKS: Marks = { flags: '' }

function freshMode(before: FileState, kind: 'file' | 'directory'): number {
  if (kind === 'file') return NEW_FILE
  return before.terms.fresh?.isSetGroupId ? NEW_DIRECTORY | 0o2000 : NEW_DIRECTORY
}

/** What the bytes of a file are to be: text or base64, or a digest of content that is elsewhere. */
export type Content =
  | { readonly text: Text; readonly encoding?: 'base64' | undefined }
  | { readonly sha256: string; readonly sizeBytes: number }

/** A file with that content. Same content keeps what `before` holds of it. */
export function wantContent(before: FileState, content: Content, mode: string | undefined): FileState {
  const attributes = wantAttributes(before, 'file', mode)
  const { path, terms, modifiedAt, accessedAt } = before
  const held = holdContent(content, terms.content === 'secret')
  const isKept = before.kind === 'file' && isSameState(before.sha256, held.sha256)
  if (isKept) return { ...before, ...attributes }
  return {
    path,
    kind: 'file',
    ...attributes,
    ...held,
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(accessedAt === undefined ? {} : { accessedAt }),
    terms,
  }
}

function holdContent(content: Content, isSecret: boolean) {
  if ('sha256' in content) return content
  const { encoding } = content
  const text =
    isSecret && typeof content.text === 'string' ? new Secret(content.text, 'file content') : content.text
  return {
    content: text,
    ...(encoding ? { encoding } : {}),
    sha256: sha256Of(text, encoding),
    sizeBytes: sizeBytesOf(text, encoding),
  }
}

/** A link that leads to `target`; only a new one has an owner to be set. */
export function wantLink(before: FileState, target: string): FileState {
  const { path, terms } = before
  const isKept = before.kind === 'link'
  return {
    path,
    kind: 'link',
    mode: '0777',
    owner: terms.owner ?? (isKept ? before.owner : terms.fresh?.owner),
    group: terms.group ?? (isKept ? before.group : terms.fresh?.group),
    target,
    terms,
  }
}

export function wantAbsent({ path, terms }: FileState): FileState {
  return { path, kind: 'absent', terms }
}

/** The text that a file holds, for modules that edit it. An absent file holds none. Throws E_TASK when it is no UTF-8 text. */
export function textOf(state: FileState): Text {
  if (state.encoding === 'base64')
    throw problem('E_TASK', `${state.path} is not UTF-8 text, so it cannot be edited as text`)
  return state.content ?? ''
}

/** For --diff: what it is in the header, what it holds as the text. */
export function showFile(state: FileState): Shown {
  const { path, kind, mode, owner, group } = state
  if (kind === 'absent') return { header: `${path} (absent)`, text: '' }
  const times = state.modifiedAt === undefined ? '' : ` ${new Date(state.modifiedAt * 1000).toISOString()}`
  return {
    header: `${path} (${kind} ${mode} ${owner?.name}:${group?.name}${times})`,
    text: showContent(state),
  }
}

function showContent({ content, encoding, target, sha256, sizeBytes, terms }: FileState): string {
  if (target !== undefined) return `→ ${target}\n`
  if (content instanceof Secret) return `${renderSecret(content, terms.showKey)}\n`
  if (content !== undefined && encoding === undefined) return content
  return typeof sha256 === 'string' ? `(${sizeBytes} bytes, sha256 ${sha256})\n` : ''
}

/** What Ansible's file modules return of a path. */
export function resultOf(state: FileState): Readonly<Record<string, unknown>> {
  const { kind, mode, owner, group, sizeBytes, target } = state
  if (kind === 'absent') return { state: 'absent' }
  return {
    state: kind === 'fifo' || kind === 'socket' || kind === 'character' || kind === 'block' ? 'file' : kind,
    // Ansible's '0%03o': one 0 more than stat(1) where a set-id or sticky bit is set.
    mode: mode?.startsWith('0') ? mode : mode && `0${mode}`,
    owner: owner?.name,
    group: group?.name,
    uid: owner?.id,
    gid: group?.id,
    size: kind === 'link' ? Buffer.byteLength(target ?? '') : sizeBytes,
    checksum: checksumOf(state.content, state.encoding),
  }
}
