import { joinScripts, sh } from '../core/script.ts'

/** Defines `pack` and `unpack` by the end of the file's name, and `given WORDS…`, which adds the call's words to a command. */
const packing = sh`
case $p_target in
  *.gz) packer=gzip ;;
  *.bz2) packer=bzip2 ;;
  *.xz) packer=xz ;;
  *) packer='' ;;
esac
[ -z "$packer" ] || rt_need "$packer" "this host has no $packer, which $p_target needs"
pack() { if [ -n "$packer" ]; then "$packer" -c; else cat; fi; }
unpack() { if [ -n "$packer" ]; then "$packer" -dc; else cat; fi; }
given() {
  i=0
  while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
  "$@"
}
`

/** Writes what `dump` prints into the file, which is whole or not there. Each program's exit status counts. */
export const writeDump = joinScripts(
  packing,
  sh`
umask 077
temp=$(mktemp "$p_target.XXXXXX") || rt_fail "cannot write to the folder of $p_target"
trap 'rm -f -- "$temp"' EXIT
trap 'exit 130' INT TERM HUP
status=$({ { dump; printf '%s' "$?" >&3; } | pack >"$temp" || printf ' and %s failed' "$packer" >&3; } 3>&1)
[ "$status" = 0 ] || rt_fail "the dump ended with exit status $status"
mv -f -- "$temp" "$p_target" || rt_fail "cannot write $p_target"
`,
)

/** Feeds the file to `load`; with `p_first` after what stdin holds. */
export const readDump = joinScripts(
  packing,
  sh`
[ -r "$p_target" ] || rt_fail "there is no file $p_target that can be read"
status=$({ { if [ "$p_first" = 1 ]; then cat; fi; unpack <"$p_target" || printf '%s failed and ' "$packer" >&3; } | {
  load >&2
  printf '%s' "$?" >&3
}; } 3>&1)
[ "$status" = 0 ] || rt_fail "the import ended with exit status $status"
`,
)
