import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept, type FileState, parsePath, readFile, rereadFile } from '../resources/file.ts'
import { showFile, textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { backup, backupSuffix } from './file-params.ts'
import { backupResult } from './text-file.ts'

const params = {
  path: { type: 'path', required: true, aliases: ['name'], doc: 'Where it is mounted.' },
  state: {
    type: 'string',
    required: true,
    choices: ['absent', 'absent_from_fstab', 'ephemeral', 'mounted', 'present', 'remounted', 'unmounted'],
    doc: '`mounted`: in fstab and mounted, and mounted anew with other options when those in fstab change; `remounted`: mount it anew with `opts`; `present`: only in fstab; `ephemeral`: only mounted; `unmounted`: not mounted, fstab as it is; `absent`: neither, and the folder is removed; `absent_from_fstab`: only that.',
  },
  src: {
    type: 'path',
    doc: 'What is mounted: a device, `UUID=…`, a share. Needed for `mounted`, `present` and `ephemeral`.',
  },
  fstype: { type: 'string', doc: 'Kind of file system. Needed for the same.' },
  opts: { type: 'string', default: 'defaults', doc: 'Options of mount.' },
  dump: { type: 'string', default: '0', doc: 'The fifth field of fstab.' },
  passno: { type: 'string', default: '0', doc: 'The sixth field of fstab.' },
  boot: { type: 'bool', default: true, doc: 'Mount it at boot; else the option `noauto` is added.' },
  fstab: { type: 'path', default: '/etc/fstab', doc: 'The file.' },
  backup,
} as const
type MountArgs = Args<typeof params>

/** fstab, whether the folder is there, and what is mounted there: `SRC TYPE`, or null. */
type MountState = {
  readonly path: string
  readonly table: FileState
  readonly hasFolder: boolean
  readonly mounted: string | null
  /** Asked for at once, and no state that could be read again. */
  readonly remount?: true
  readonly entry: {
    readonly src: string
    readonly fstype: string
    readonly opts: string
    /** Other options in fstab are to be those that it is mounted with. */
    readonly isRemounted: boolean
    /** The options that it was mounted with at first. */
    readonly was: string
  }
}

const lookScript = sh`
[ -r /proc/self/mounts ] || rt_fail "this host has no /proc/self/mounts"
if [ -d "$p_path" ]; then rt_set folder 1; fi
cat /proc/self/mounts
`
const mountScript = sh`
case $p_do in
  umount) umount -- "$p_path" || rt_fail "Error unmounting $p_path" ;;
  mkdir) mkdir -p -- "$p_path" || rt_fail "cannot make $p_path" ;;
  rmdir) rmdir -- "$p_path" || rt_fail "cannot remove $p_path" ;;
  remount) mount -o "remount,$p_opts" -- "$p_path" || rt_fail "Error remounting $p_path" ;;
  mount) mount -t "$p_fstype" -o "$p_opts" -- "$p_src" "$p_path" || rt_fail "Error mounting $p_path" ;;
esac >&2
`

/** Blanks and backslashes in fstab and /proc/mounts are written as octal numbers (fstab(5)). */
const encode = (field: string): string =>
  field.replace(/[ \t\n\\&]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
const decode = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

type Looked = Pick<MountState, 'hasFolder' | 'mounted'>

async function look(t: Target, path: string): Promise<Looked & { readonly opts: string }> {
  const { stdout, values } = accept(t, await t.run(lookScript, { path }))
  const rows = stdout
    .toString()
    .split('\n')
    .map(line => line.split(' '))
  const found = rows.findLast(([, at]) => at !== undefined && decode(at) === path)
  return {
    hasFolder: values['folder'] === '1',
    mounted: found === undefined ? null : `${decode(found[0]!)} ${found[2]}`,
    opts: found?.[3] ?? '',
  }
}

function optionsOf({ opts, boot }: MountArgs): string {
  return boot || opts.split(',').includes('noauto') ? opts : `${opts},noauto`
}

/** Whether a line of fstab is the entry of that path. */
function isEntry(line: string, path: string): boolean {
  const fields = line.trim().split(/\s+/)
  return !line.trim().startsWith('#') && fields.length >= 4 && decode(fields[1]!) === path
}

/** The options that fstab has for that path. */
function optionsIn(text: string, path: string): string | undefined {
  const line = text.split('\n').find(one => isEntry(one, path))
  return line === undefined ? undefined : decode(line.trim().split(/\s+/)[3]!)
}

/** The text of fstab with the entry, in its place or last; or without it. */
function editTable(args: MountArgs, text: string, isThere: boolean): string {
  const lines = text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
  const isMine = (line: string): boolean => isEntry(line, args.path)
  const first = lines.findIndex(isMine)
  const wanted = [args.src ?? '', args.path, args.fstype ?? '', optionsOf(args), args.dump, args.passno].map(
    encode,
  )
  const isSame = first >= 0 && lines[first]!.trim().split(/\s+/).join(' ') === wanted.join(' ')
  const line = isSame ? lines[first]! : wanted.join(' ')
  const kept = lines.flatMap((one, i) => (!isMine(one) ? [one] : isThere && i === first ? [line] : []))
  if (isThere && first < 0) kept.push(line)
  return kept.map(one => `${one}\n`).join('')
}

function wantTable(args: MountArgs, table: FileState): FileState {
  if (['ephemeral', 'remounted', 'unmounted'].includes(args.state)) return table
  const isThere = args.state === 'mounted' || args.state === 'present'
  const text = editTable(args, String(textOf(table)), isThere)
  return text === (table.content ?? '') ? table : wantContent(table, { text }, undefined)
}

function want(args: MountArgs, before: MountState): MountState {
  const { state } = args
  if (state === 'remounted') {
    if (before.mounted !== null) return { ...before, remount: true }
    throw problem('E_TASK', `Error remounting ${args.path}: nothing is mounted there`, {
      hint: 'use state: mounted',
    })
  }
  const isMounted =
    state === 'mounted' ||
    state === 'ephemeral' ||
    (before.mounted !== null && (state === 'present' || state === 'absent_from_fstab'))
  return {
    ...before,
    table: wantTable(args, before.table),
    hasFolder: isMounted || (before.hasFolder && state !== 'absent'),
    mounted: isMounted ? (before.mounted ?? `${args.src} ${args.fstype}`) : null,
  }
}

async function write(t: Target, before: MountState, after: MountState): Promise<void> {
  const { path, entry } = after
  const { hasFolder, mounted } = before
  await requireUnchanged<Looked>(path, { hasFolder, mounted }, async () => {
    const { opts: _, ...found } = await look(t, path)
    return found
  })
  const change = async (verb: string, opts = entry.opts): Promise<void> => {
    accept(t, await t.run(mountScript, { do: verb, path, src: entry.src, fstype: entry.fstype, opts }))
  }
  // A folder can only be removed when nothing is mounted on it, and has to be there before.
  if (mounted !== null && after.mounted === null) await change('umount')
  if (hasFolder && !after.hasFolder) await change('rmdir')
  if (!hasFolder && after.hasFolder) await change('mkdir')
  if (mounted === null && after.mounted !== null) await change('mount')
  else if (after.remount) await change('remount')
  else if (after.mounted !== null && entry.isRemounted) {
    const [now, next] = [before.table, after.table].map(table => optionsIn(String(textOf(table)), path))
    if (now !== next) await change('remount', next ?? entry.was)
  }
  await writeFile(t, before.table, after.table)
}

export const mount = defineState<
  typeof params,
  MountState,
  { readonly args: MountArgs; readonly suffix: string | undefined }
>({
  name: 'mount',
  summary: 'Mount a file system, and keep it in fstab.',
  notes: [
    'In the change phase of a rotation `remounted` is refused: it cannot be undone. What `mounted` mounted anew gets its options back.',
    'With `absent` the folder is removed only when it is empty.',
  ],
  params,
  rules: {
    requiredIf: [
      ['state', 'mounted', ['src', 'fstype']],
      ['state', 'present', ['src', 'fstype']],
      ['state', 'ephemeral', ['src', 'fstype']],
    ],
  },
  returns: {
    name: { doc: 'Where it is mounted.' },
    src: { doc: 'As asked for.' },
    fstype: { doc: 'As asked for.' },
    opts: { doc: 'The options.' },
    fstab: { doc: 'The file.' },
    backup_file: { doc: 'Path of the backup; empty when none was made.' },
  },
  examples: `
- ansible.posix.mount: { path: /srv/backups, src: 'UUID=0f2c', fstype: ext4, opts: 'noexec,nodev', state: mounted }
`,
  prepare(t, args) {
    const path = parsePath(args.path)
    if (!path.startsWith('/'))
      throw problem('E_PARAMS', `mount: ${path} is no absolute path`, { hint: 'begin it with a /' })
    return { args: { ...args, path }, suffix: backupSuffix(t.operator, args.backup) }
  },
  async read(t, { args, suffix }) {
    const looked = look(t, args.path)
    const table = readFile(t, args.fstab, { follow: true, content: 'plain', backupSuffix: suffix })
    const { opts: was, ...there } = await looked
    const found = { ...there, table: await table }
    if (found.mounted !== null && t.undoable && ['absent', 'remounted', 'unmounted'].includes(args.state))
      throw problem('E_TASK', `mount: ${args.path}: state ${args.state} cannot be undone`, {
        hint: 'do this outside the change phase of the rotation',
      })
    const entry = {
      src: args.src ?? '',
      fstype: args.fstype ?? '',
      opts: optionsOf(args),
      isRemounted: args.state === 'mounted',
      was,
    }
    return { path: args.path, ...found, entry }
  },
  async reread(t, { remount: _, ...state }) {
    const { opts: _opts, ...found } = await look(t, state.path)
    return { ...state, ...found, table: await rereadFile(t, state.table) }
  },
  want: ({ args }, before) => want(args, before),
  write,
  result: ({ args }, before, after) => ({
    name: args.path,
    src: args.src,
    fstype: args.fstype,
    opts: optionsOf(args),
    fstab: args.fstab,
    dump: args.dump,
    passno: args.passno,
    boot: args.boot ? 'yes' : 'no',
    backup_file: '',
    ...backupResult(before.table, after.table),
  }),
  show: ({ path, table, mounted }) => ({
    header: path,
    text: `${showFile(table).text}(mounted: ${mounted ?? 'nothing'})\n`,
  }),
})
