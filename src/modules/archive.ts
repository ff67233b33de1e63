import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { accept, readFile } from '../resources/file.ts'
import { resultOf, wantAttributes } from '../resources/file-want.ts'
import { attributes, readOptions } from './file-params.ts'

const formats = ['bz2', 'gz', 'tar', 'xz', 'zip'] as const

const params = {
  path: {
    type: 'list',
    required: true,
    doc: 'Absolute paths of files and folders on the target; `*`, `?` and `[…]` are expanded there.',
  },
  dest: {
    type: 'path',
    doc: 'The archive. Default for a single file: its path with `.gz` and so on.',
  },
  format: {
    type: 'string',
    choices: formats,
    default: 'gz',
    doc: 'How it is packed; the host needs the program for it.',
  },
  exclude_path: {
    type: 'list',
    default: [],
    doc: 'What to leave out, with all that is in it, wherever below `path` it lies.',
  },
  exclusion_patterns: {
    type: 'list',
    default: [],
    doc: 'Patterns (`*`, `?`, `[…]`) of names in the archive to leave out, of whole paths in a zip; `*` goes over slashes.',
  },
  force_archive: { type: 'bool', default: false, doc: 'Make a tar or zip also of a single file.' },
  remove: { type: 'bool', default: false, doc: 'Remove what was archived.' },
  ...attributes,
} as const
type ArchiveArgs = Args<typeof params>

const listScript = sh`
newline='
'
IFS=$newline
expand() {
  for one in $1; do
    if [ -e "$one" ] || [ -L "$one" ]; then printf '%s\n' "$one"; continue; fi
    case $1 in *[*?]*) ;; *) printf '%s\n' "$one" ;; esac
  done
}
out=$(for pattern in $p_excluded; do expand "$pattern"; done)
set -f
for one in $out; do printf 'out %s\n' "$one"; done
set +f
all=$(for pattern in $p_paths; do expand "$pattern"; done)
set -f
for one in $all; do
  printf 'path %s\n' "$one"
  case $newline$out$newline in *"$newline$one$newline"*) continue ;; esac
  if ! [ -e "$one" ] && ! [ -L "$one" ]; then printf 'none %s\n' "$one"; continue; fi
  if [ -n "$(find "$one" -name "*$newline*" 2>/dev/null | head -n 1)" ]; then
    rt_fail "$one holds a name with a line end in it"
  fi
  find "$one" ! -type d -exec printf 'file %s\n' {} + -o -type d -exec printf 'folder %s\n' {} +
done
`

// Names come on stdin, so that there may be any number of them; busybox's tar takes them as arguments only.
const packScript = sh`
umask 077
dir=\${p_dest%/*}
[ -d "\${dir:-/}" ] || rt_fail "Destination directory \${dir:-/} does not exist"
tmp=
trap 'rm -f -- "$tmp"' EXIT
tmp=$(mktemp "$dir/.rota.XXXXXX") || rt_fail "\${dir:-/} is not writable"
need() {
  rt_need "$1" "this host has no $1, which format $p_format needs"
}
pack() {
  need tar
  if tar -cf /dev/null -T /dev/null 2>/dev/null; then
    tar -cf "$1" --no-recursion -T -
  else
    out=$1
    set --
    while IFS= read -r name; do set -- "$@" "$name"; done
    tar -cf "$out" --no-recursion -- "$@"
  fi
}
# $1 as it is in the archive that is there; else compressed into the new one.
squeeze() {
  if [ -f "$p_dest" ] && "$p_with" -dc <"$p_dest" 2>/dev/null | cmp -s - "$1"; then same=1; else "$p_with" -c <"$1" >"$tmp"; fi
}
cd -- "$p_root" || rt_fail "cannot change to $p_root"
same=0
need "$p_with"
case $p_single,$p_with in
  1,*) squeeze "$p_file" ;;
  *,tar) pack "$tmp" ;;
  *,zip) rm -f -- "$tmp"; zip -q -y -X -@ "$tmp.zip" >&2 && mv -f -- "$tmp.zip" "$tmp" ;;
  *) pack "$tmp.tar" && squeeze "$tmp.tar"; s=$?; rm -f -- "$tmp.tar"; [ "$s" = 0 ] ;;
esac || rt_fail "cannot make $p_dest"
if [ "$same" = 0 ] && cmp -s -- "$tmp" "$p_dest"; then same=1; fi
rt_set same "$same"
if [ "$same" = 1 ]; then rm -f -- "$tmp"; tmp=$p_dest; fi
chown -- "$p_own" "$tmp" || rt_fail "cannot give $p_dest to $p_own"
chmod -- "$p_mode" "$tmp" || rt_fail "cannot set the mode of $p_dest"
if [ "$same" = 0 ]; then
  sync -- "$tmp" 2>/dev/null || :
  mv -f -- "$tmp" "$p_dest" || rt_fail "cannot put $p_dest in place"
fi
tmp=
`

const removeScript = sh`
IFS='
'
set -f
for one in $p_paths; do
  rm -rf -- "$one" || rt_fail "cannot remove $one"
done
`

interface Listing {
  /** What the patterns stand for, and paths without one also where nothing is. */
  readonly expanded: readonly string[]
  readonly excluded: readonly string[]
  readonly missing: readonly string[]
  readonly folders: ReadonlySet<string>
  /** Files and folders, folders before what is in them. */
  readonly members: readonly string[]
}

async function list(t: Target, { path, exclude_path }: ArchiveArgs): Promise<Listing> {
  const [paths, excluded] = [path, exclude_path].map(each => each.join('\n').replace(/\/{2,}/g, '/'))
  const ran = accept(t, await t.run(listScript, { paths, excluded }))
  const rows = ran.stdout.toString().split('\n')
  const of = (kind: string): string[] =>
    rows.filter(row => row.startsWith(`${kind} `)).map(row => row.slice(kind.length + 1))
  const folders = of('folder')
  return {
    expanded: of('path'),
    excluded: of('out'),
    missing: of('none'),
    folders: new Set(folders),
    members: [...new Set([...folders, ...of('file')])].sort(),
  }
}

/** A pattern of Python's fnmatch as a RegExp over a whole text: `*` goes over slashes. */
function parsePattern(pattern: string): RegExp {
  const source = pattern.replace(/\[!?\]?[^\]]*\]|[\s\S]/g, part => {
    if (part.length > 1) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\')
    return part === '*' ? '.*' : part === '?' ? '.' : part.replace(/[.+^${}()|[\]\\]/, '\\$&')
  })
  return new RegExp(`^${source}$`, 's')
}

/** The deepest folder that holds all paths, with a / at the end; what ends with a / is the folder itself. */
function commonFolder(paths: readonly string[]): string {
  const parts = paths.map(path => path.slice(0, path.lastIndexOf('/')).split('/'))
  const [first = ['']] = parts
  const end = first.findIndex((part, i) => parts.some(other => other[i] !== part))
  return `${first.slice(0, end < 0 ? undefined : end).join('/')}/`
}

/** What is to be packed, as what, and where. */
interface Packing {
  readonly root: string
  readonly dest: string
  readonly isSingle: boolean
  readonly targets: readonly string[]
}

function planPacking(args: ArchiveArgs, { expanded, excluded, missing, folders }: Listing): Packing {
  const paths = [...new Set(expanded)].filter(path => !excluded.includes(path)).sort()
  if (paths.length === 0)
    throw problem('E_TASK', `Error, no source paths were found: ${args.path.join(', ')}`)
  const isGlob = args.path.some(path => /[*?]/.test(path))
  const isMany = args.force_archive || isGlob || paths.length > 1 || folders.has(paths[0]!)
  if (isMany && args.dest === undefined)
    throw problem('E_TASK', 'Error, must specify "dest" when archiving multiple files or trees')
  const dest = args.dest ?? `${paths[0]}.${args.format}`
  if (args.remove && paths.some(path => folders.has(path) && dest.startsWith(path.replace(/\/*$/, '/'))))
    throw problem('E_TASK', 'Error, created archive can not be contained in source paths when remove=true')
  const isSingle = !isMany && args.format !== 'tar' && args.format !== 'zip'
  return { root: commonFolder(paths), dest, isSingle, targets: paths.filter(path => !missing.includes(path)) }
}

/** A folder that was asked for is no member itself; in a zip, patterns are for the whole path. */
function selectMembers(args: ArchiveArgs, found: Listing, { root, dest, targets }: Packing) {
  const patterns = args.exclusion_patterns.map(parsePattern)
  const asked = new Set(targets.filter(path => found.folders.has(path)))
  const isOut = (member: string): boolean =>
    found.excluded.some(path => member === path || member.startsWith(path.replace(/\/*$/, '/')))
  return found.members.filter(member => {
    const name = args.format === 'zip' ? member : member.slice(root.length)
    return member !== dest && !asked.has(member) && !isOut(member) && !patterns.some(one => one.test(name))
  })
}

const programs = { gz: 'gzip', bz2: 'bzip2', xz: 'xz', tar: 'tar', zip: 'zip' } as const

/** Makes the archive; whether it was not there before as it is now. */
async function pack(
  t: Target,
  args: ArchiveArgs,
  packing: Packing,
  names: readonly string[],
): Promise<boolean> {
  const { root, dest, isSingle, targets } = packing
  const before = await readFile(t, dest, { ...readOptions(args), content: 'none' })
  if (before.kind === 'directory') throw problem('E_TASK', `${dest} is a directory`)
  // What a pack of several files holds is known when it is made.
  if (t.check) return !isSingle || before.kind === 'absent'
  const wanted = wantAttributes(before, 'file', args.mode)
  // Where names are read from a list, one that begins with - would be an option.
  const stdin = names.map(name => `${name.slice(root.length).replace(/^-/, './-')}\n`).join('')
  const { mode, owner, group } = wanted
  const terms = { dest: before.terms.real, root, single: isSingle, with: programs[args.format] }
  const params = { ...terms, file: targets[0], own: `${owner?.id}:${group?.id}`, mode }
  const ran = accept(t, await t.run(packScript, params, { stdin }))
  const isKept = ran.values['same'] === '1' && before.mode === mode
  return !isKept || before.owner?.id !== owner?.id || before.group?.id !== group?.id
}

export const archive = defineAction({
  name: 'archive',
  foresees: true,
  summary: 'Pack files and folders of the target into an archive on the target.',
  notes: [
    'The archive is made anew, beside its place, and put there when it is whole and holds something else than the one that is there.',
    'A single file is only compressed, unless `force_archive` is set.',
  ],
  params,
  refused: {
    unsafe_writes: 'the archive is put in place by renaming',
  },
  returns: {
    dest: { doc: 'The archive.' },
    arcroot: { doc: 'The folder that names in the archive are relative to.' },
    archived: { doc: 'The files and folders in it.' },
    expanded_paths: { doc: 'What the patterns in `path` stand for.' },
    missing: { doc: 'Paths that were not there.' },
    expanded_exclude_paths: { doc: 'What the patterns in `exclude_path` stand for.' },
    dest_state: {
      doc: '`archive`, `compress`, `incomplete` (with missing paths) or `absent` (nothing to pack).',
    },
  },
  examples: `
- archive: { path: /opt/panel/config, dest: /var/backups/panel.tar.gz, mode: '0600' }
`,
  async run(t, args) {
    const odd = [...args.path, ...args.exclude_path].find(path => !path.startsWith('/'))
    if (odd !== undefined)
      throw problem('E_PARAMS', `${odd} is not absolute`, { hint: 'begin the path with /' })
    if (args.remove && args.exclude_path.length + args.exclusion_patterns.length > 0)
      throw problem('E_PARAMS', 'remove cannot be combined with exclude_path or exclusion_patterns', {
        hint: 'remove with a file task of its own, which says what goes',
      })
    const found = await list(t, args)
    const packing = planPacking(args, found)
    const { root: arcroot, dest, targets, isSingle } = packing
    const { expanded: expanded_paths, excluded: expanded_exclude_paths, missing } = found
    const values = { arcroot, dest, missing, expanded_paths, expanded_exclude_paths }
    const members = selectMembers(args, found, packing)
    const changed = targets.length > 0 && ((await pack(t, args, packing, members)) || args.remove)
    if (changed && args.remove && !t.check)
      accept(t, await t.run(removeScript, { paths: targets.join('\n') }))
    const made = await readFile(t, dest, { content: 'none' })
    const isMade = targets.length > 0 && !t.check
    const isPacked = isMade ? !isSingle : /\.(?:tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2|zip)$/i.test(dest)
    const kind = made.kind === 'absent' || t.check ? 'absent' : isPacked ? 'archive' : 'compress'
    const dest_state = isMade && !isSingle && missing.length > 0 ? 'incomplete' : kind
    const archived = isMade ? members : []
    return {
      changed,
      values: { ...(made.kind !== 'absent' && resultOf(made)), ...values, archived, dest_state },
    }
  },
})
