import { joinScripts, sh } from '../core/script.ts'
import { marksScript } from './file-marks-script.ts'
import { pathScript } from './path-script.ts'

/**
 * Reads or writes one file, directory or link: `$p_do` says which. One script for both, so that a write compares
 * with the very code that read. Needs `stat -c`, `sha256sum` and `mktemp`, which busybox and coreutils have.
 *
 * read:  path, follow, into, content (0|1), max, digest (0|1), fresh (0|1), owner, group, same_as, flags (0|1), context (0|1), accessed (0|1), times (0|1)
 *        → values path, real, stat, target, sha256, fresh, missing, owner, group, digest1, flags, context, fresh_context, mtime, fractions, atime; the content on stdout.
 * write: path, was, was_sha256, was_target, was_mtime, kind, own, mode, sha256, target, source (stdin|base64|copy), from, validate,
 *        backup, above, above_own, above_mode, remove, mtime, mtime_t, is_now (0|1), unsafe (0|1), lax (0|1), was_flags, was_context, free, mark_flags, mark_context, atime, atime_t. Exit 75: the target is not as it was read.
 */
export const fileScript = joinScripts(
  pathScript,
  marksScript,
  sh`
nl='
'
# Sets now: "absent", or hexmode|uid|gid|size|mtime|user|group. Only a folder that can be searched says "absent".
look() {
  now=$(stat -c '%f|%u|%g|%s|%Y|%U|%G' -- "$1" 2>/dev/null) && return
  if [ -e "$1" ] || [ -L "$1" ]; then rt_fail "cannot stat $1: this host's stat does not know -c"; fi
  now=absent
}
# Sets up to the nearest folder above that exists, and missing to how many below it do not.
climb() {
  missing=0
  up=\${1%/*}
  while [ -n "$up" ] && ! [ -d "$up" ]; do
    if [ -e "$up" ]; then rt_fail "$up is not a directory"; fi
    missing=$((missing + 1))
    up=\${up%/*}
  done
  up=\${up:-/}
  [ -x "$up" ] || rt_fail "file is not readable: no permission to look into $up"
}
# The entry of a user or group, by name or number, as name|number. Empty: there is none.
account() {
  entry=
  if command -v getent >/dev/null 2>&1; then
    entry=$(getent "$1" "$2")
  else
    while IFS=: read -r name pass id rest; do
      if [ "$name" = "$2" ] || [ "$id" = "$2" ]; then entry=$name:$pass:$id:$rest; break; fi
    done <"/etc/$1"
  fi
  if [ -n "$entry" ]; then
    rest=\${entry#*:*:}
    printf '%s' "\${entry%%:*}|\${rest%%:*}"
  fi
}
target_of() {
  link=$(readlink -- "$1"; printf x)
  link=\${link%"$nl"x}
}
sum_of() {
  sum=$(sha256sum <"$1") || rt_fail "cannot read $1"
  sum=\${sum%% *}
}

read_state() {
  expand "$p_path"
  path=$expanded
  if [ -n "\${p_into-}" ] && [ -d "$path" ]; then path=\${path%/}/$p_into; fi
  rt_set path "$path"
  real=$path
  if [ "$p_follow" = 1 ] && [ -L "$path" ]; then
    real=$(readlink -f -- "$path" && printf x) || rt_fail "$path is a link that leads nowhere"
    real=\${real%"$nl"x}
  fi
  rt_set real "$real"
  look "$real"
  rt_set stat "$now"
  read_marks
  if [ -n "\${p_owner-}" ]; then rt_set owner "$(account passwd "$p_owner")"; fi
  if [ -n "\${p_group-}" ]; then rt_set group "$(account group "$p_group")"; fi
  case $now in
    8*) read_file; if [ "$p_fresh" = 1 ]; then read_above; fi ;;
    4*) if [ "$p_fresh" = 1 ]; then read_above; fi ;;
    a*) target_of "$real"; rt_set target "$link"; read_above ;;
    *) read_above ;;
  esac
}
# For what is about to be made: the folder it will be in, and as whom.
read_above() {
  climb "$real"
  rt_set missing "$missing"
  fresh=$(stat -c '%f|%u|%g|%s|%Y|%U|%G' -- "$up" /proc/self/ 2>/dev/null) ||
    fresh=$(stat -c '%f|%u|%g|%s|%Y|%U|%G' -- "$up" && printf '0|%s|%s|0|0|%s|%s' "$(id -u)" "$(id -g)" "$(id -un)" "$(id -gn)")
  rt_set fresh "$fresh"
}
read_file() {
  if [ -n "\${p_same_as-}" ]; then
    pair=$(stat -c '%d:%i' -- "$real" "$p_same_as" 2>/dev/null)
    case $pair in *"$nl"*) if [ "\${pair%"$nl"*}" = "\${pair#*"$nl"}" ]; then rt_set hard 1; fi ;; esac
  fi
  if [ "$p_content" = 1 ]; then
    rest=\${now#*|*|*|}
    if [ "\${rest%%|*}" -gt "$p_max" ]; then rt_fail "$real has \${rest%%|*} bytes: more than the $p_max that can be kept"; fi
    [ -r "$real" ] || rt_fail "file is not readable: $real"
    cat <"$real" || rt_fail "cannot read $real"
  elif [ "$p_digest" = 1 ]; then
    sum_of "$real"
    rt_set sha256 "$sum"
  fi
}

# Ends with 75 unless the target is still what the caller read.
same() {
  look "$p_path"
  case "$now|" in "$p_was|"*) ;; *) rt_set now "$now"; exit 75 ;; esac
  if [ -n "\${p_was_mtime-}" ]; then
    rest=\${now#*|*|*|*|}
    if [ "\${rest%%|*}" != "$p_was_mtime" ]; then rt_set now "$now"; exit 75; fi
  fi
  if [ -n "\${p_was_sha256-}" ]; then
    sum_of "$p_path"
    if [ "$sum" != "$p_was_sha256" ]; then rt_set now "other content"; exit 75; fi
  fi
  if [ -n "\${p_was_target-}" ]; then
    target_of "$p_path"
    if [ "$link" != "$p_was_target" ]; then rt_set now "a link to $link"; exit 75; fi
  fi
}
# Owner before mode: chown clears the set-id bits.
own() {
  if [ -n "$2" ] && ! chown -- "$2" "$1" 2>/dev/null; then
    [ "$p_lax" = 1 ] || rt_fail "chown failed: cannot give $1 to $2"
  fi
  if [ -n "$3" ]; then chmod -- "$3" "$1" || rt_fail "cannot set mode $3 of $1"; fi
}
make_above() {
  [ "$2" -gt 0 ] || return 0
  make_above "\${1%/*}" $(($2 - 1))
  if ! [ -d "\${1%/*}" ]; then
    mkdir -m 0700 -- "\${1%/*}" || rt_fail "cannot make \${1%/*}"
    own "\${1%/*}" "\${p_above_own-}" "$p_above_mode"
  fi
}
drop_above() {
  above=\${p_path%/*}
  count=$p_above
  while [ "$count" -gt 0 ] && rmdir -- "$above" 2>/dev/null; do
    above=\${above%/*}
    count=$((count - 1))
  done
}
stage() {
  dir=\${p_path%/*}
  [ -d "\${dir:-/}" ] || rt_fail "Destination directory \${dir:-/} does not exist"
  tmp=
  trap '[ -z "$tmp" ] || rm -f -- "$tmp"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if tmp=$(mktemp "$dir/.rota.XXXXXX" 2>/dev/null); then return; fi
  # Into a folder that takes no new file only the file itself can be written.
  if [ "$p_unsafe" = 1 ] && tmp=$(mktemp "\${TMPDIR:-/tmp}/.rota.XXXXXX"); then return; fi
  rt_fail "Destination \${dir:-/} not writable"
}
# For a file that is a mount of its own. Its owner and mode change too.
overwrite() {
  cat <"$tmp" >"$p_path" || rt_fail "cannot write $p_path"
  own "$p_path" "$p_own" "$p_mode"
  rm -f -- "$tmp"
}
# Over a link to a directory a plain mv would move into it.
swap() {
  if [ -d "$p_path" ]; then
    mv -fT -- "$tmp" "$p_path" || rt_fail "cannot replace $p_path"
  elif [ "$p_unsafe" = 1 ]; then
    mv -f -- "$tmp" "$p_path" 2>/dev/null || overwrite
  else
    mv -f -- "$tmp" "$p_path" || rt_fail "cannot replace $p_path"
  fi
  tmp=
  sync -- "\${dir:-/}" 2>/dev/null || :
}
validate() {
  set --
  rest=$p_validate
  while [ -n "$rest" ]; do
    word=\${rest%%"$nl"*}
    rest=\${rest#*"$nl"}
    case $word in *%s*) word=\${word%%%s*}$tmp\${word#*%s} ;; esac
    set -- "$@" "$word"
  done
  "$@" </dev/null >&2 || rt_fail "failed to validate: exit status $?"
}
write_content() {
  stage
  case $p_source in
    stdin) cat >"$tmp" ;;
    base64) base64 -d >"$tmp" ;;
    copy) cat <"$p_from" >"$tmp" ;;
  esac || rt_fail "cannot write $tmp"
  sum_of "$tmp"
  [ "$sum" = "$p_sha256" ] || rt_fail "what arrived for $p_path is not what was sent"
  if [ -n "\${p_mtime-}" ]; then set_time m "$p_mtime" "$p_mtime_t" "$tmp"; fi
  own "$tmp" "$p_own" "$p_mode"
  if [ -n "\${p_validate-}" ]; then validate; fi
  sync -- "$tmp" 2>/dev/null || :
  same
  if [ -n "\${p_backup-}" ]; then cp -p -- "$p_path" "$p_backup" || rt_fail "cannot make the backup $p_backup"; fi
  case $p_was in 8*|absent) ;; *) rm -f -- "$p_path" ;; esac
  swap
}
write_attributes() {
  same
  own "$p_path" "$p_own" "$p_mode"
  if [ -n "\${p_mtime-}" ]; then set_time m "$p_mtime" "$p_mtime_t" "$p_path"; fi
}
write_directory() {
  case $p_was in
    4*) write_attributes; return ;;
    absent) same ;;
    *) same; rm -f -- "$p_path" || rt_fail "cannot replace $p_path" ;;
  esac
  mkdir -m 0700 -- "$p_path" || rt_fail "cannot make $p_path"
  own "$p_path" "$p_own" "$p_mode"
}
write_link() {
  stage
  rm -f -- "$tmp"
  case $p_kind in
    link) ln -s -- "$p_target" "$tmp" && if [ -n "$p_own" ]; then chown -h -- "$p_own" "$tmp"; fi ;;
    hard) ln -- "$p_target" "$tmp" ;;
  esac || rt_fail "cannot link $p_path to $p_target"
  same
  case $p_was in 4*) rmdir -- "$p_path" || rt_fail "the directory $p_path is not empty, refusing to convert it" ;; esac
  swap
}
write_absent() {
  same
  case $p_remove in
    tree) rm -rf -- "$p_path" ;;
    empty) rmdir -- "$p_path" 2>/dev/null || { rt_set now "a directory that is not empty"; exit 75; } ;;
    *) rm -f -- "$p_path" ;;
  esac || rt_fail "cannot remove $p_path"
  drop_above
}
write_state() {
  umask 077
  same_marks
  free
  if [ "$p_kind" != absent ]; then make_above "$p_path" "$p_above"; fi
  case $p_kind in
    absent) write_absent ;;
    directory) write_directory ;;
    link|hard) write_link ;;
    owner) same; chown -h -- "$p_own" "$p_path" || rt_fail "chown failed: cannot give $p_path to $p_own" ;;
    fifo) same; mkfifo -- "$p_path" && own "$p_path" "$p_own" "$p_mode" ;;
    *) if [ -n "\${p_source-}" ]; then write_content; else write_attributes; fi ;;
  esac
}

case $p_do in
  read) read_state ;;
  write) write_state; mark ;;
esac
`,
)
