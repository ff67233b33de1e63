import { basename } from 'node:path'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { joinScripts, sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { type FileState, parsePath, type ReadOptions, readFile } from '../resources/file.ts'
import { type FileSet, listFolder, requireHoldable, rereadSet, writeSet } from '../resources/file-set.ts'
import { resultOf, showFile, wantAttributes, wantContent, wantLink } from '../resources/file-want.ts'
import { pathScript } from '../resources/path-script.ts'
import { checksumOf } from '../resources/secret-text.ts'
import { contentText, type Item, loadItems } from './copy-items.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes, validate } from './file-params.ts'

const params = {
  dest: {
    type: 'path',
    required: true,
    doc: 'Where it goes on the target; with a / at the end a folder, made when missing.',
  },
  src: {
    type: 'path',
    doc: "File or folder on the operator's machine, looked for in `files/`; on the target with `remote_src`. A folder with a / at the end means what is in it.",
  },
  content: { type: 'any', doc: 'What the file is to hold, instead of `src`. A dict or list becomes JSON.' },
  remote_src: { type: 'bool', default: false, doc: '`src` is on the target.' },
  force: {
    type: 'bool',
    default: true,
    doc: 'Replace a file that is there with other content; else leave it.',
  },
  directory_mode: { type: 'mode', doc: 'Permissions of folders that are copied.' },
  follow: { type: 'bool', default: false, doc: 'When the destination is a link, write where it leads.' },
  local_follow: {
    type: 'bool',
    doc: 'Copy what links in `src` lead to, not the links. Default: true; with `remote_src` false, as in Ansible.',
  },
  decrypt: {
    type: 'bool',
    default: true,
    doc: 'Open vault files: their content is a secret then. `false` copies them as they are.',
  },
  checksum: { type: 'string', doc: 'sha1 that the file has to have.' },
  backup,
  validate,
  unsafe_writes,
  ...attributes,
  mode: { ...attributes.mode, doc: `${attributes.mode.doc} \`preserve\`: that of the original.` },
} as const
const NO_SOURCE = 'src (or content) is required'
type CopyArgs = Args<typeof params>

interface CopyInput {
  readonly args: CopyArgs
  /** Empty with remote_src, where the target has to be asked. */
  readonly items: readonly Item[]
  readonly isFolder: boolean
  readonly suffix: string | undefined
  /** Of a file of the target. */
  readonly sums?: Readonly<Record<string, string | undefined>>
}

const sumScript = joinScripts(
  pathScript,
  sh`
expand "$p_path"
[ -f "$expanded" ] || exit 0
for name in sha1 md5; do
  sum=$("\${name}sum" <"$expanded" 2>/dev/null) && rt_set "$name" "\${sum%% *}"
done
`,
)

async function prepare(t: Target, args: CopyArgs): Promise<CopyInput> {
  const suffix = backupSuffix(t.operator, args.backup)
  if (args.content !== undefined) {
    if (args.dest.endsWith('/')) throw problem('E_PARAMS', 'can not use content with a dir as dest')
    const text = contentText(args.content)
    return { args, items: [{ relative: '', kind: 'file', content: { text } }], isFolder: false, suffix }
  }
  if (args.src === undefined || args.src === '') throw problem('E_PARAMS', NO_SOURCE)
  if (args.remote_src) {
    const { values: sums } = await t.run(sumScript, { path: args.src })
    return { args, items: [], isFolder: false, suffix, sums }
  }
  const { items, isFolder } = await loadItems(t, args.src, {
    isFollowed: args.local_follow ?? true,
    isDecrypted: args.decrypt,
  })
  if (args.checksum !== undefined && !isFolder) requireChecksum(args.src, args.checksum, items[0]?.sha1)
  return { args, items, isFolder, suffix }
}

function requireChecksum(src: string, wanted: string, sha1: string | undefined): void {
  if (sha1 === undefined)
    throw problem('E_PARAMS', `${src} is in a vault, and the checksum of a secret is not compared`, {
      hint: 'remove checksum: the vault itself tells whether it was changed',
    })
  if (sha1 !== wanted) throw problem('E_TASK', `${src} does not match the expected checksum ${wanted}`)
}

function optionsOf(
  { args, suffix }: CopyInput,
  item: Item,
  isFolder: boolean,
  isFirst: boolean,
): ReadOptions {
  const isSecret = item.content !== undefined && 'text' in item.content && item.content.text instanceof Secret
  const into = args.src === undefined || isFolder ? undefined : basename(args.src)
  // Folders inside are made by items of their own.
  const isMade = isFolder ? isFirst : args.dest.endsWith('/')
  return {
    ...readOptions(args),
    backupSuffix: suffix,
    follow: args.follow && item.kind !== 'link',
    fresh: item.kind === 'link',
    ...(into === undefined ? {} : { into }),
    digest: true,
    upload: item.upload,
    ...(isMade ? { above: { mode: args.directory_mode ?? '0755', own: false } } : {}),
    ...(isSecret ? { content: 'secret' as const } : {}),
  }
}

async function read(t: Target, input: CopyInput): Promise<FileSet> {
  const { args, items, isFolder } = input
  if (args.remote_src && args.src !== undefined) return readRemote(t, input, args.src)
  const files = await Promise.all(
    items.map((item, i) =>
      readFile(t, destOf(input, item, isFolder), withDiff(t, optionsOf(input, item, isFolder, i === 0))),
    ),
  )
  return { files }
}

/** --diff shows the old content. */
function withDiff(t: Target, options: ReadOptions): ReadOptions {
  return t.diff && options.content === undefined && options.upload === undefined
    ? { ...options, content: 'plain' }
    : options
}

function destOf({ args }: CopyInput, item: Item, isFolder: boolean): string {
  if (isFolder) return item.relative === '' ? args.dest : `${parsePath(args.dest)}/${item.relative}`
  return args.dest.endsWith('/') && args.src !== undefined ? `${args.dest}${basename(args.src)}` : args.dest
}

/** With remote_src the originals are part of the state: `want` may not ask the target. */
async function readRemote(t: Target, input: CopyInput, src: string): Promise<FileSet> {
  const source = await readFile(t, src, { follow: true, digest: true })
  if (source.kind === 'absent') throw problem('E_TASK', `Source ${src} not found`)
  if (source.kind !== 'directory') {
    const file = await readFile(t, destOf(input, { relative: '', kind: 'file' }, false), {
      ...optionsOf(input, { relative: '', kind: 'file' }, false, true),
      source: source.terms.real,
    })
    return { files: [file], sources: [source] }
  }
  const found = await listFolder(t, source.terms.real, input.args.local_follow ?? false)
  if (t.undoable) requireHoldable(src, found)
  const inside = src.endsWith('/') ? '' : basename(source.terms.real)
  const sources = await Promise.all(
    found.map(({ relative, kind }) =>
      readFile(t, `${source.terms.real}/${relative}`, { digest: true, follow: kind !== 'link' }),
    ),
  )
  const files = await Promise.all(
    found.map(({ relative, kind }, i) => {
      const at = [inside, relative].filter(part => part !== '').join('/')
      const item: Item = { relative: at, kind: kind === 'directory' || kind === 'link' ? kind : 'file' }
      return readFile(t, destOf(input, item, true), {
        ...optionsOf(input, item, true, i === 0),
        ...(item.kind === 'file' ? { source: sources[i]!.terms.real } : {}),
      })
    }),
  )
  return { files, sources }
}

/** What a file of the target is as something to be copied. */
function itemOf(source: FileState): Item {
  const { kind, mode, content, encoding, sha256, sizeBytes, target } = source
  if (kind === 'directory' || kind === 'link')
    return { relative: '', kind, sourceMode: mode ?? '', ...(target === undefined ? {} : { target }) }
  if (kind !== 'file') throw problem('E_TASK', `${source.path} is a ${kind}, not a file: it cannot be copied`)
  const digest = { sha256: sha256 as string, sizeBytes: sizeBytes ?? 0 }
  return {
    relative: '',
    kind,
    sourceMode: mode ?? '',
    content: content === undefined ? digest : { text: content, encoding },
  }
}

function want({ args, items }: CopyInput, before: FileSet): FileSet {
  const all = before.sources?.map(itemOf) ?? items
  return { ...before, files: before.files.map((file, i) => wantItem(args, all[i]!, file)) }
}

function wantItem(args: CopyArgs, item: Item, before: FileState): FileState {
  const { path, terms, kind } = before
  const modeOf = (asked: string | undefined) => (asked === 'preserve' ? item.sourceMode : asked)
  if (item.kind === 'directory') {
    if (kind !== 'absent' && kind !== 'directory')
      throw problem('E_TASK', `${path} is a ${kind}, not a directory`)
    const mode = modeOf(args.directory_mode ?? (args.mode === 'preserve' ? 'preserve' : undefined))
    return { path, kind: 'directory', ...wantAttributes(before, 'directory', mode), terms }
  }
  if (kind === 'directory')
    throw args.content === undefined
      ? problem('E_TASK', `${path} is a directory, not a file`)
      : problem('E_TASK', `can not use content with a dir as dest: ${path}`)
  if (!args.force && kind !== 'absent') return before
  if (item.kind === 'link') return wantLink(before, item.target!)
  return wantContent(before, item.content!, modeOf(args.mode))
}

function result({ args, items, isFolder, sums }: CopyInput, before: FileSet, after: FileSet) {
  const source = { src: args.src, dest: args.dest }
  if (isFolder || after.files.length !== 1) return source
  const file = after.files[0]!
  const [item] = items
  const text = item?.content !== undefined && 'text' in item.content ? item.content : undefined
  const isReplaced = before.files[0]!.kind !== 'absent' && before.files[0]!.sha256 !== file.sha256
  return {
    ...resultOf(file),
    ...source,
    dest: file.path,
    checksum: sums?.['sha1'] ?? item?.sha1 ?? checksumOf(text?.text ?? file.content, text?.encoding),
    md5sum: sums?.['md5'] ?? item?.md5 ?? checksumOf(text?.text, text?.encoding, 'md5'),
    ...(isReplaced && file.terms.backup !== undefined ? { backup_file: file.terms.backup } : {}),
  }
}

export const copy = defineState<typeof params, FileSet, CopyInput>({
  name: 'copy',
  summary: 'Put a file, a folder or given content onto the target.',
  notes: [
    'A new file never can be read by more users than its mode says, not even while it is written.',
    'Content that is secret, or comes from a secret, is never shown and has no checksum in the result.',
  ],
  params,
  missing: { dest: 'dest is required', src: NO_SOURCE },
  rules: { mutuallyExclusive: [['src', 'content']], requiredOneOf: [['src', 'content']] },
  returns: {
    dest: { doc: 'Where it is on the target.' },
    src: { doc: 'What was copied.' },
    checksum: { doc: 'sha1 of the content; not for secrets.' },
    md5sum: { doc: 'md5 of the content; not for secrets.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
    mode: { doc: 'Permissions.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
    uid: { doc: 'Number of that user.' },
    gid: { doc: 'Number of that group.' },
    size: { doc: 'Size in bytes.' },
    state: { doc: '`file`, `directory` or `link`.' },
  },
  examples: `
- name: The message of the day
  copy: { content: "Rotated by rota\\n", dest: /etc/motd, mode: '0644' }
- name: A folder with all that is in it
  copy: { src: panel/, dest: /opt/panel, owner: panel, mode: preserve }
`,
  prepare,
  read,
  hasDiffList: true,
  reread: rereadSet,
  want,
  write: writeSet,
  result,
  show(set) {
    const shown = set.files.map(showFile)
    return {
      header: shown[0]?.header ?? '',
      text: shown.length === 1 ? shown[0]!.text : shown.map(one => `${one.header}\n`).join(''),
    }
  },
})
