import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { joinScripts, sh } from '../core/script.ts'
import { accept, readFile } from '../resources/file.ts'
import { resultOf } from '../resources/file-want.ts'
import { pathScript } from '../resources/path-script.ts'
import { download, downloadParams, isUrl } from './download.ts'
import { attributes } from './file-params.ts'
import { withStagedFile } from './staged-file.ts'

const params = {
  src: {
    type: 'path',
    required: true,
    doc: "Archive on the operator's machine, looked for in `files/`; on the target with `remote_src`, where it may be a URL.",
  },
  dest: { type: 'path', required: true, doc: 'Folder of the target, which has to be there.' },
  remote_src: { type: 'bool', default: false, doc: '`src` is on the target.' },
  copy: { type: 'bool', doc: 'The old name for the opposite of `remote_src`.' },
  creates: { type: 'path', doc: 'Do nothing when this path is there.' },
  list_files: { type: 'bool', default: false, doc: 'Return the names of what is in the archive.' },
  include: { type: 'list', default: [], doc: 'Only these members: paths or shell patterns.' },
  exclude: { type: 'list', default: [], doc: 'Not these members: paths, names or shell patterns.' },
  keep_newer: { type: 'bool', default: false, doc: 'Leave files that are newer than those of the archive.' },
  extra_opts: {
    type: 'list',
    default: [],
    doc: 'Options for tar or unzip, such as `--strip-components=N`: leave out the first N folders of each path.',
  },
  ...downloadParams,
  ...attributes,
} as const
type UnarchiveArgs = Args<typeof params>

/*
 * The archive is unpacked beside its destination, made to be as asked for, and compared with what is there; only when something
 * differs it is copied over, file by file replaced. So it is the same for every format and tool, and tells whether it changes something.
 */
const unpackScript = joinScripts(
  pathScript,
  sh`
newline='
'
expand "$p_dest"
dest=\${expanded%/}
expand "$p_src"
p_src=$expanded
if [ -n "$p_creates" ] && [ -e "$p_creates" ]; then rt_set skipped 1; exit 0; fi
[ -d "$dest/" ] || rt_fail "dest '$p_dest' must be an existing dir"
[ -r "$p_src" ] || rt_fail "Source '$p_src' does not exist or cannot be read"
base=
trap '[ -z "$base" ] || rm -rf -- "$base"' EXIT
trap 'exit 130' INT TERM HUP
umask 077
base=$(mktemp -d "$dest/.rota.XXXXXX") || rt_fail "cannot write to $p_dest"
tmp=$base/in
mkdir -- "$tmp"
umask 022
need() { rt_need "$1" "Unable to find required program $1: this host has none, and this archive needs it"; }
IFS=$newline
set -f
# shellcheck disable=SC2086 # one option a line
set -- $p_options
unset IFS
set +f
untar() {
  need tar
  "$(command -v tar)" -xpf - -C "$tmp" "$@" 2>"$base/said"
}
unpack() {
  need "$1"
  "$1" "$2" <"$p_src" >"$base/tar" || { rm -f -- "$base/tar"; rt_fail "$1 cannot read $p_src"; }
  shift 2
  untar "$@" <"$base/tar"
  status=$?
  rm -f -- "$base/tar"
  return "$status"
}
case $(dd if="$p_src" bs=6 count=1 2>/dev/null | od -An -tx1 | tr -d ' \n') in
  504b0304*|504b0506*)
    handler=ZipArchive
    need unzip
    unzip -q -o "$@" "$p_src" -d "$tmp" >"$base/said" 2>&1 ;;
  1f8b*) handler=TgzArchive; unpack gzip -dc "$@" ;;
  425a68*) handler=TarBzipArchive; unpack bzip2 -dc "$@" ;;
  fd377a585a00) handler=TarXzArchive; unpack xz -dc "$@" ;;
  28b52ffd*) handler=TarZstdArchive; unpack zstd -dcq "$@" ;;
  *) handler=TarArchive; untar "$@" <"$p_src" ;;
esac || rt_fail "Unable to list files in the archive: $(head -n 5 "$base/said")"
rt_set handler "$handler"
cd -- "$tmp" || exit 1
if [ -n "$(find . -name "*$newline*" | head -n 1)" ]; then rt_fail "$p_src holds a name with a line end in it"; fi

# Whether a path or one of the folders it is in is among the patterns, one a line.
among() {
  found=1
  IFS=$newline
  set -f
  for pattern in $2; do
    part=$1
    pattern=\${pattern#./}
    while :; do
      # shellcheck disable=SC2254 # patterns are meant as such
      case $part in \${pattern%/}) found=0; break 2 ;; esac
      # shellcheck disable=SC2254
      case \${part##*/} in \${pattern%/}) if [ "$3" = name ]; then found=0; break 2; fi ;; esac
      case $part in */*) part=\${part%/*} ;; *) break ;; esac
    done
  done
  unset IFS
  set +f
  return "$found"
}
choose() {
  find . ! -type d | while IFS= read -r path; do
    path=\${path#./}
    if [ -n "$p_include" ] && ! among "$path" "$p_include" path; then rm -f -- "$path"; continue; fi
    if [ -n "$p_exclude" ] && among "$path" "$p_exclude" name; then rm -f -- "$path"; continue; fi
    if [ "$p_keep_newer" = 1 ] && [ -n "$(find "$dest/$path" -prune -newer "$path" 2>/dev/null)" ]; then
      cmp -s -- "$path" "$dest/$path" || : >"$base/held"
      rm -f -- "$path"
    fi
  done
  if [ -n "$p_include$p_exclude" ]; then
    find . -depth -type d | while IFS= read -r path; do
      if [ "$path" != . ] && [ -z "$(find "$path" ! -type d | head -n 1)" ]; then
        if [ -n "$p_include" ] || among "\${path#./}" "$p_exclude" name; then rmdir -- "$path"; fi
      fi
    done
  fi
}
if [ -n "$p_include$p_exclude" ] || [ "$p_keep_newer" = 1 ]; then choose; fi
find . ! -path . -exec printf '%s\n' {} + | sed 's,^\./,,' | sort

# The folder that everything is in is that of the destination, whatever mktemp made of it.
if [ -n "$p_owner$p_group" ]; then
  find . ! -path . -exec chown -h -- "$p_owner\${p_group:+:$p_group}" {} + || rt_fail "cannot give what is in the archive to $p_owner:$p_group"
fi
if [ -n "$p_mode" ]; then
  find . ! -path . ! -type l -exec chmod -- "$p_mode" {} + || rt_fail "cannot set mode $p_mode of what is in the archive"
fi

differs() {
  find . -type f -exec sha256sum {} + >"$base/sums"
  find . ! -path . -exec stat -c '%f %u %g %N' {} + | sort >"$base/is"
  find . ! -path . -exec printf '%s\n' {} + >"$base/names"
  if (
    cd -- "$dest" || exit 1
    tr '\n' '\0' <"$base/names" | xargs -0 stat -c '%f %u %g %N' 2>/dev/null | sort >"$base/was"
    cmp -s "$base/was" "$base/is" || exit 1
    if [ -s "$base/sums" ]; then sha256sum -c "$base/sums" >/dev/null 2>&1 || exit 1; fi
  ); then return 1; fi
}
if differs; then
  rt_set changed 1
  set --
  for top in ./* ./.[!.]* ./..?*; do
    if [ -e "$top" ] || [ -L "$top" ]; then set -- "$@" "$top"; fi
  done
  tar -cf "$base/tar" "$@" || rt_fail "cannot pack what is to be put into $p_dest"
  tar -xpf "$base/tar" -C "$dest" || rt_fail "cannot put the files into $p_dest"
elif [ -e "$base/held" ]; then
  rt_set changed 1
fi
exit 0
`,
)

async function unpack(t: Target, args: UnarchiveArgs, path: string): Promise<Outcome> {
  const ran = accept(
    t,
    await t.run(unpackScript, {
      src: path,
      dest: args.dest,
      creates: args.creates ?? '',
      options: args.extra_opts.join('\n'),
      include: args.include.join('\n'),
      exclude: args.exclude.join('\n'),
      keep_newer: args.keep_newer,
      owner: args.owner ?? '',
      group: args.group ?? '',
      mode: args.mode ?? '',
    }),
  )
  if (ran.values['skipped'] !== undefined)
    return { changed: false, skipped: true, msg: `skipped, since ${args.creates} exists` }
  const folder = await readFile(t, args.dest, { follow: true, content: 'none' })
  const files = ran.stdout
    .toString()
    .split('\n')
    .filter(name => name !== '')
  return {
    changed: ran.values['changed'] === '1',
    values: {
      ...resultOf(folder),
      src: args.src,
      dest: args.dest,
      handler: ran.values['handler'],
      ...(args.list_files ? { files } : {}),
    },
  }
}

const isThere = joinScripts(pathScript, sh`expand "$p_path"; [ -e "$expanded" ]`)

export const unarchive = defineAction({
  name: 'unarchive',
  summary: 'Unpack a tar (plain, gzip, bzip2, xz, zstd) or zip archive on the target.',
  notes: [
    'It is unpacked beside the destination first and compared by content, owner and permissions; when nothing differs, nothing is changed. Times are not compared; a newer file that `keep_newer` leaves as it is counts as changed, as in Ansible.',
    'What an archive is, its first bytes say, not its name. The host needs tar or unzip, and the program of the compression.',
  ],
  params,
  refused: {
    decrypt: 'unpack a plain archive; a vault is opened with the module copy',
    io_buffer_size: 'files are streamed',
    unsafe_writes: 'files are put in place by renaming',
  },
  rules: { mutuallyExclusive: [['include', 'exclude']] },
  returns: {
    dest: { doc: 'The folder.' },
    src: { doc: 'The archive.' },
    handler: {
      doc: '`TgzArchive`, `TarArchive`, `TarBzipArchive`, `TarXzArchive`, `TarZstdArchive` or `ZipArchive`.',
    },
    files: { doc: 'With `list_files`: the paths.' },
    mode: { doc: 'Permissions of the folder.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
    state: { doc: '`directory`.' },
  },
  examples: `
- name: A release of the panel
  unarchive:
    src: panel-2.1.tar.gz
    dest: /opt/panel
    owner: panel
    extra_opts: ['--strip-components=1']
`,
  async run(t, args) {
    const isRemote = args.copy === undefined ? args.remote_src : !args.copy
    if (args.creates !== undefined && (await t.run(isThere, { path: args.creates })).exit === 0)
      return { changed: false, skipped: true, msg: `skipped, since ${args.creates} exists` }
    if (isRemote && !isUrl(args.src)) return unpack(t, args, args.src)
    const content = isRemote
      ? Readable.from([(await download(t, args.src, args)).response.body])
      : createReadStream(t.operator.find('files', args.src))
    return withStagedFile(t, content, undefined, path => unpack(t, args, path))
  },
})
