import { dirname, posix } from 'node:path'
import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { accept, parsePath, readFile } from '../resources/file.ts'
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
    doc: 'The archive. Default for one path: that path with `.gz`, `.tar.gz` and so on.',
  },
  format: {
    type: 'string',
    choices: formats,
    default: 'gz',
    doc: 'How it is packed; the host needs the program for it.',
  },
  exclude_path: { type: 'list', default: [], doc: 'Paths to leave out, with all that is in them.' },
  exclusion_patterns: { type: 'list', default: [], doc: 'Patterns (`*`, `?`) of names to leave out.' },
  force_archive: { type: 'bool', default: false, doc: 'Make a tar or zip also of a single file.' },
  remove: { type: 'bool', default: false, doc: 'Remove what was archived.' },
  ...attributes,
} as const
type ArchiveArgs = Args<typeof params>

const listScript = sh`
newline='
'
IFS=$newline
for pattern in $p_paths; do
  for one in $pattern; do
    if [ -e "$one" ] || [ -L "$one" ]; then
      printf 'root %s\n' "$one"
      if [ -n "$(find "$one" -name "*$newline*" 2>/dev/null | head -n 1)" ]; then
        rt_fail "$one holds a name with a line end in it"
      fi
      find "$one" ! -type d -exec printf 'file %s\n' {} + -o -type d -exec printf 'dir %s\n' {} +
    else
      printf 'none %s\n' "$one"
    fi
  done
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
cd -- "$p_root" || rt_fail "cannot change to $p_root"
case $p_single,$p_format in
  1,gz) need gzip; gzip -c <"$p_file" >"$tmp" ;;
  1,bz2) need bzip2; bzip2 -c <"$p_file" >"$tmp" ;;
  1,xz) need xz; xz -c <"$p_file" >"$tmp" ;;
  *,tar) pack "$tmp" ;;
  *,gz) need gzip; pack "$tmp" && mv -f -- "$tmp" "$tmp.tar" && { gzip -c <"$tmp.tar" >"$tmp"; s=$?; rm -f -- "$tmp.tar"; [ "$s" = 0 ]; } ;;
  *,bz2) need bzip2; pack "$tmp" && mv -f -- "$tmp" "$tmp.tar" && { bzip2 -c <"$tmp.tar" >"$tmp"; s=$?; rm -f -- "$tmp.tar"; [ "$s" = 0 ]; } ;;
  *,xz) need xz; pack "$tmp" && mv -f -- "$tmp" "$tmp.tar" && { xz -c <"$tmp.tar" >"$tmp"; s=$?; rm -f -- "$tmp.tar"; [ "$s" = 0 ]; } ;;
  *,zip) need zip; rm -f -- "$tmp"; zip -q -y -@ "$tmp.zip" >&2 && mv -f -- "$tmp.zip" "$tmp" ;;
esac || rt_fail "cannot make $p_dest"
chown -- "$p_own" "$tmp" || rt_fail "cannot give $p_dest to $p_own"
chmod -- "$p_mode" "$tmp" || rt_fail "cannot set the mode of $p_dest"
sync -- "$tmp" 2>/dev/null || :
mv -f -- "$tmp" "$p_dest" || rt_fail "cannot put $p_dest in place"
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
  readonly roots: readonly string[]
  readonly missing: readonly string[]
  /** Files and folders, folders before what is in them. */
  readonly members: readonly string[]
  readonly files: readonly string[]
}

async function list(t: Target, paths: readonly string[]): Promise<Listing> {
  const ran = accept(t, await t.run(listScript, { paths: paths.join('\n') }))
  const rows = ran.stdout.toString().split('\n')
  const of = (kind: string): string[] =>
    rows.filter(row => row.startsWith(`${kind} `)).map(row => row.slice(kind.length + 1))
  const files = of('file')
  const members = [...new Set([...of('dir'), ...files])].sort()
  return { roots: of('root'), missing: of('none'), members, files }
}

/** A shell pattern as a RegExp over a whole name. */
function parsePattern(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\*?]/g, char =>
    char === '*' ? '.*' : char === '?' ? '.' : `\\${char}`,
  )
  return new RegExp(`^${source}$`, 's')
}

function selectMembers(
  { exclude_path, exclusion_patterns }: ArchiveArgs,
  members: readonly string[],
): readonly string[] {
  const folders = exclude_path.map(path => parsePattern(parsePath(path)))
  const names = exclusion_patterns.map(parsePattern)
  const isOut = (path: string): boolean =>
    path !== '/' &&
    path !== '.' &&
    (folders.some(one => one.test(path)) ||
      names.some(one => one.test(path) || one.test(posix.basename(path))) ||
      isOut(dirname(path)))
  return members.filter(member => !isOut(member))
}

/** The deepest folder that holds all paths, with a / at the end. */
function commonFolder(paths: readonly string[]): string {
  const parts = paths.map(path => dirname(path).split('/'))
  const [first = ['']] = parts
  const end = first.findIndex((part, i) => parts.some(other => other[i] !== part))
  return `${first.slice(0, end < 0 ? undefined : end).join('/')}/`.replace(/^\/\/$/, '/')
}

function defaultDest(
  { path, dest, format }: ArchiveArgs,
  roots: readonly string[],
  isSingle: boolean,
): string {
  if (dest !== undefined) return dest
  if (path.length > 1 || roots.length > 1)
    throw problem('E_PARAMS', 'dest is required when there are several paths')
  const ending = format === 'tar' || format === 'zip' ? format : isSingle ? format : `tar.${format}`
  return `${parsePath(roots[0] ?? path[0]!)}.${ending}`
}

export const archive = defineAction({
  name: 'archive',
  summary: 'Pack files and folders of the target into an archive on the target.',
  notes: [
    'The archive is made anew each time, beside its place, and put there when it is whole.',
    'A single file is only compressed, unless `force_archive` is set.',
  ],
  params,
  refused: {
    unsafe_writes: 'the archive is put in place by renaming',
  },
  returns: {
    dest: { doc: 'The archive.' },
    arcroot: { doc: 'The folder that names in the archive are relative to.' },
    archived: { doc: 'The files in it.' },
    expanded_paths: { doc: 'What the patterns in `path` stand for.' },
    missing: { doc: 'Paths that were not there.' },
    state: { doc: '`archive`, `compress`, `incomplete` (with missing paths) or `absent` (nothing to pack).' },
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
    const { roots, missing, members, files } = await list(t, args.path.map(parsePath))
    const values = { missing, expanded_paths: roots, archived: [] as readonly string[] }
    if (roots.length === 0) {
      if (args.dest === undefined)
        throw problem('E_TASK', `Error, no source paths were found: ${args.path.join(', ')}`)
      return { changed: false, values: { ...values, dest: args.dest, state: 'absent' } }
    }
    const isSingle =
      roots.length === 1 &&
      files.includes(roots[0]!) &&
      !args.force_archive &&
      !['tar', 'zip'].includes(args.format)
    const dest = defaultDest(args, roots, isSingle)
    const arcroot = commonFolder(roots)
    const kept = selectMembers(args, members).filter(member => member !== dest)
    const before = await readFile(t, dest, { ...readOptions(args), content: 'none' })
    if (before.kind === 'directory') throw problem('E_TASK', `${dest} is a directory`)
    const { mode, owner, group } = wantAttributes(before, 'file', args.mode)
    // Where names are read from a list, one that begins with - would be an option.
    const names = kept.map(member => `${member.slice(arcroot.length).replace(/^-/, './-')}\n`).join('')
    accept(
      t,
      await t.run(
        packScript,
        {
          dest: before.terms.real,
          root: arcroot,
          format: args.format,
          single: isSingle,
          file: roots[0],
          own: `${owner?.id}:${group?.id}`,
          mode,
        },
        { stdin: names },
      ),
    )
    if (args.remove) accept(t, await t.run(removeScript, { paths: roots.join('\n') }))
    const made = await readFile(t, dest, { content: 'none' })
    const state = missing.length > 0 ? 'incomplete' : isSingle ? 'compress' : 'archive'
    const archived = kept.filter(member => files.includes(member))
    return { changed: true, values: { ...resultOf(made), ...values, archived, arcroot, dest, state } }
  },
})
