import { basename, dirname, join } from 'node:path'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { type FileState, type ReadOptions, readFile } from '../resources/file.ts'
import { type FileSet, rereadSet, writeSet } from '../resources/file-set.ts'
import { resultOf, showFile } from '../resources/file-want.ts'
import { NEW_DIRECTORY, renderMode, wantMode } from '../resources/mode.ts'
import { readBelow, readHeld } from './file-below.ts'
import { attributes, readOptions } from './file-params.ts'
import { wantFileModule } from './file-states.ts'
import { parseTimes, type Times } from './file-times.ts'

const states = ['absent', 'directory', 'file', 'hard', 'link', 'touch'] as const

const params = {
  path: { type: 'path', required: true, aliases: ['dest', 'name'], doc: 'The file, folder or link.' },
  state: {
    type: 'string',
    choices: states,
    doc: 'What is to be there. `file` only sets attributes of what exists. Default: what is there, `directory` with `recurse`, else `file`.',
  },
  src: { type: 'path', doc: 'Where a link leads; of `link` relative to the folder of the link.' },
  recurse: {
    type: 'bool',
    default: false,
    doc: 'With `directory`: the attributes also for all that is in it.',
  },
  force: {
    type: 'bool',
    default: false,
    doc: 'Make a link that leads nowhere, or in place of a file or an empty folder.',
  },
  follow: {
    type: 'bool',
    default: true,
    doc: 'When `path` is a link, mean where it leads; not for `absent`, `link` and `hard`.',
  },
  modification_time: {
    type: 'string',
    doc: '`preserve`, `now`, or a time as `modification_time_format` says. `touch`: default `now`.',
  },
  modification_time_format: {
    type: 'string',
    default: '%Y%m%d%H%M.%S',
    doc: 'How times are written, as strftime has it.',
  },
  access_time: {
    type: 'string',
    doc: '`preserve`, `now`, or a time as `access_time_format` says. `touch`: default `now`.',
  },
  access_time_format: {
    type: 'string',
    default: '%Y%m%d%H%M.%S',
    doc: 'How `access_time` is written.',
  },
  _diff_peek: {
    type: 'any',
    doc: 'Of Ansible itself: only asks what is there, so nothing is changed.',
  },
  ...attributes,
  unsafe_writes: {
    type: 'bool',
    default: false,
    doc: 'As for other modules of files; this one replaces no content, so it changes nothing here.',
  },
} as const
export type FileArgs = Args<typeof params>

export interface FileInput {
  readonly args: FileArgs
  readonly times: Times
}

/** Folders above get the mode and owner of the folder itself, as in Ansible. */
function aboveOf({ state, recurse, mode }: FileArgs): ReadOptions['above'] {
  if (state !== 'directory' && !(state === undefined && recurse)) return undefined
  const made = mode === undefined ? NEW_DIRECTORY : wantMode(mode, NEW_DIRECTORY, true)
  return { mode: renderMode(made), own: true }
}

async function read(t: Target, { args, times }: FileInput): Promise<FileSet> {
  const { state, src } = args
  const isItself = state === 'absent' || state === 'link' || state === 'hard'
  const isFollowed = args.follow && !isItself
  const root = await readFile(t, args.path, {
    ...(state === 'link' && args.follow ? {} : readOptions(args)),
    follow: isFollowed,
    fresh: args.force,
    times: times.modification.kind !== 'none',
    isAccessed: times.access.kind !== 'none',
    above: aboveOf(args),
    sameAs: state === 'hard' ? src : undefined,
  })
  if (state === 'hard' && src !== undefined && root.kind === 'directory')
    return read(t, { args: { ...args, path: join(args.path, basename(src)) }, times })
  if (state === 'link' && src !== undefined) return readLinked(t, args, root, src)
  if (state === 'hard' && src !== undefined)
    return { files: [root], sources: [await readFile(t, src, { follow: true })] }
  const isWhole = args.recurse && root.kind === 'directory'
  const isKept = state === 'absent' && t.undoable && root.kind === 'directory'
  if (state === 'absent' && t.diff && !isKept && root.kind === 'directory')
    return { files: [root], sources: await readBelow(t, root, false) }
  if (isKept) return { files: [root, ...(await readHeld(t, root))] }
  return { files: isWhole ? [root, ...(await readBelow(t, root, isFollowed))] : [root] }
}

/** A link and what it leads to: with `follow` the attributes are meant for that. */
async function readLinked(t: Target, args: FileArgs, root: FileState, src: string): Promise<FileSet> {
  const { real } = root.terms
  const path = src.startsWith('/') || src.startsWith('~') ? src : join(dirname(real), src)
  const isMeant = args.follow && (args.mode ?? args.owner ?? args.group) !== undefined
  const leadsTo = await readFile(t, path, {
    ...(isMeant ? readOptions(args) : {}),
    follow: true,
    content: 'none',
  })
  return { files: isMeant && leadsTo.kind !== 'absent' ? [root, leadsTo] : [root], sources: [leadsTo] }
}

/** Ansible registers it always: of before and after the path and what differs. */
function diffOf(before: FileSet, after: FileSet) {
  const [was, is] = [before.files[0]!, after.files[0]!]
  const told = (one: FileState) => ({
    state: one.kind,
    mode: one.mode,
    owner: one.owner?.id,
    group: one.group?.id,
    src: one.target,
    mtime: one.modifiedAt,
    atime: one.accessedAt,
  })
  const [from, to] = [Object.entries(told(was)), Object.entries(told(is))]
  const isOther = (_: unknown, i: number) => from[i]![1] !== to[i]![1]
  const content =
    is.kind === 'absent' && before.sources !== undefined ? { path_content: contentOf(before) } : {}
  return {
    before: { path: was.path, ...Object.fromEntries(from.filter(isOther)), ...content },
    after: { path: is.path, ...Object.fromEntries(to.filter(isOther)) },
  }
}

function contentOf({ sources = [] }: FileSet) {
  const paths = (isFolder: boolean) =>
    sources.filter(({ kind }) => (kind === 'directory') === isFolder).map(({ path }) => path)
  return { directories: paths(true), files: paths(false) }
}

export const file = defineState<typeof params, FileSet, FileInput>({
  name: 'file',
  summary: 'Make or remove files, folders and links, and set their owner, group and permissions.',
  notes: [
    'With `recurse` links inside the folder are not followed: they get the owner and group themselves.',
    'In the change phase of a rotation a folder is removed only with 16 MiB in it at most, since it has to be possible to put it back.',
  ],
  params,
  returns: {
    path: { doc: 'The path, or `dest` for links.' },
    state: { doc: 'What is there now.' },
    mode: { doc: 'Permissions.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
    uid: { doc: 'Number of that user.' },
    gid: { doc: 'Number of that group.' },
    size: { doc: 'Size in bytes.' },
  },
  examples: `
- name: A private folder
  file: { path: /etc/panel, state: directory, mode: '0700' }
- name: The current release
  file: { src: /opt/panel/releases/7, path: /opt/panel/current, state: link }
`,
  prepare(t, args) {
    if (args.recurse && args.state !== undefined && args.state !== 'directory')
      throw problem('E_PARAMS', "recurse option requires state to be 'directory'")
    if (args.src !== undefined && args.state !== 'link' && args.state !== 'hard')
      throw problem('E_PARAMS', "src option requires state to be 'link' or 'hard'")
    if (args.state === 'link' && !args.follow && args.mode !== undefined)
      t.warn('mode: a link that is not followed has none of its own, so it is not set')
    return { args, times: parseTimes(args, t.operator.now()) }
  },
  read,
  reread: rereadSet,
  want: wantFileModule,
  write: writeSet,
  result({ args }, before, after) {
    const root = after.files[0]!
    const isLink = args.state === 'link' || args.state === 'hard'
    const place = isLink ? { dest: root.path, src: args.src } : { path: root.path }
    const touched = args.state === 'touch' ? { dest: root.path } : {}
    return { ...resultOf(root), ...place, ...touched, diff: diffOf(before, after) }
  },
  show(set) {
    const shown = set.files.map(showFile)
    return {
      header: shown[0]!.header,
      text: shown
        .slice(1)
        .map(one => `${one.header}\n`)
        .join(''),
    }
  },
})
