import { problem } from '../core/error.ts'
import type { FileState } from '../resources/file.ts'
import { wantMarks } from '../resources/file-marks.ts'
import type { FileSet } from '../resources/file-set.ts'
import { wantAbsent, wantAttributes, wantContent, wantLink } from '../resources/file-want.ts'
import type { FileArgs, FileInput } from './file.ts'
import type { Times } from './file-times.ts'

/** The state that the file module's arguments want. Throws E_TASK for what Ansible refuses, in its words. */
export function wantFileModule({ args, times }: FileInput, before: FileSet): FileSet {
  const root = before.files[0]!
  if (args._diff_peek !== undefined) return before
  const below = before.files.slice(1)
  switch (args.state ?? (root.kind === 'absent' && args.recurse ? 'directory' : 'file')) {
    case 'absent':
      return { ...before, files: before.files.map(wantAbsent) }
    case 'directory':
      return {
        ...before,
        files: [wantDirectory(args, times, root), ...below.map(one => wantBelow(args, one))],
      }
    case 'link':
      return {
        ...before,
        files: [
          wantSymlink(args, root, before.sources?.[0]),
          ...below.map(one => wantExisting(args, times, one)),
        ],
      }
    case 'hard':
      return { ...before, files: [wantHardLink(args, root, before.sources?.[0])] }
    case 'touch':
      return { ...before, files: [wantTouched(args, times, root)] }
    case 'file':
      return {
        ...before,
        files: [wantExisting(args, times, root), ...below.map(one => wantBelow(args, one))],
      }
  }
}

const timed = (before: FileState, { modification, access }: Times) => ({
  modifiedAt: modification.kind === 'set' ? settable(before, modification.seconds) : before.modifiedAt,
  accessedAt: access.kind === 'set' ? access.seconds : before.accessedAt,
})

const settable = ({ terms }: FileState, seconds: number): number =>
  terms.hasFractions ? seconds : Math.floor(seconds)

/** `state: file`, or none: attributes of what is there. */
function wantExisting(args: FileArgs, times: Times, before: FileState): FileState {
  const { kind, path } = before
  if (kind === 'absent')
    throw problem('E_TASK', `file (${path}) is absent, cannot continue`, {
      hint: 'state: touch makes an empty file, state: directory a folder',
      values: { path, state: 'absent' },
    })
  if (args.state === 'file' && kind !== 'file' && kind !== 'hard')
    throw problem('E_TASK', `file (${path}) is ${kind}, cannot continue`, { values: { path, state: kind } })
  if (kind === 'link') return wantLink(before, before.target ?? '')
  const attributes = wantAttributes(before, kind === 'directory' ? 'directory' : 'file', args.mode)
  return { ...before, ...wantKept(before, attributes), ...timed(before, times) }
}

/** Attributes of something that is neither file nor folder are kept like a file's. */
function wantKept(before: FileState, attributes: ReturnType<typeof wantAttributes>) {
  const { owner = before.owner, group = before.group } = attributes
  return { ...attributes, owner: before.terms.owner ?? owner, group: before.terms.group ?? group }
}

function wantDirectory(args: FileArgs, times: Times, before: FileState): FileState {
  const { kind, path, terms } = before
  if (kind !== 'absent' && kind !== 'directory')
    throw problem('E_TASK', `${path} already exists as a ${kind}`)
  return {
    path,
    kind: 'directory',
    ...wantAttributes(before, 'directory', args.mode),
    ...timed(before, times),
    terms,
  }
}

/** What is inside a folder with `recurse`. A link has no mode of its own. */
function wantBelow(args: FileArgs, before: FileState): FileState {
  const { terms, kind } = before
  const owned = {
    owner: terms.owner ?? before.owner,
    group: terms.group ?? before.group,
    ...(kind === 'file' || kind === 'directory' ? wantMarks(before.path, terms, before) : {}),
  }
  if (kind === 'link' || args.mode === undefined) return { ...before, ...owned }
  const { mode } = wantAttributes(before, kind === 'directory' ? 'directory' : 'file', args.mode)
  return { ...before, ...owned, mode }
}

function wantSymlink(args: FileArgs, before: FileState, leadsTo: FileState | undefined): FileState {
  const { kind, path } = before
  const target = args.src ?? (kind === 'link' ? before.target : undefined)
  if (target === undefined) throw problem('E_PARAMS', 'src is required for creating new symlinks')
  if (kind !== 'absent' && kind !== 'link' && !args.force)
    throw problem('E_TASK', `refusing to convert from ${kind} to symlink for ${path}`, {
      hint: 'force: true replaces a file or an empty folder',
    })
  if (leadsTo?.kind === 'absent' && !args.force)
    throw problem(
      'E_TASK',
      `src file does not exist, use "force=yes" if you really want to create the link: ${target}`,
    )
  return wantLink(before, target)
}

function wantHardLink(args: FileArgs, before: FileState, original: FileState | undefined): FileState {
  const { kind, path, terms } = before
  if (original === undefined) throw problem('E_PARAMS', 'src is required for creating new hardlinks')
  if (original.kind === 'absent')
    throw problem('E_TASK', 'src does not exist', {
      hint: `make ${args.src} first`,
      values: { dest: path, src: args.src },
    })
  if (kind === 'hard') return { ...before, ...wantAttributes(before, 'file', args.mode) }
  if (kind !== 'absent' && !args.force)
    throw problem('E_TASK', `Cannot link, ${path} exists as a ${kind}`, { hint: 'force: true replaces it' })
  const linked: FileState = { ...original, path, kind: 'hard', terms }
  return { ...linked, ...wantAttributes(linked, 'file', args.mode) }
}

function wantTouched(args: FileArgs, times: Times, before: FileState): FileState {
  if (before.kind === 'absent') {
    const made = wantContent(before, { text: '' }, args.mode)
    return { ...made, ...timed(made, times) }
  }
  return wantExisting({ ...args, state: undefined as never }, times, before)
}
