import { sh } from '../core/script.ts'

/**
 * The command that a link starts on the target. It is all that `ps` and sudo's log ever show: one line of sh, read
 * from stdin and evaluated. No login shell (bash, fish, csh) takes exception at it.
 */
export const bootstrap = 'IFS= read -r rt_line;eval "$rt_line"'

/**
 * The loop that a session's shell runs. Each line on stdin is sh text made by frame.ts; longer text follows as
 * counted bytes. Names that begin with `rt_` are the loop's own.
 *
 * - The shell leads a process group of its own, so that a timeout can end all that it started. sshd gives every exec
 *   channel one; under sudo and su `setsid` makes one, which does not fork since the shell leads no group then.
 * - fd 8 is the channel's stdout, so that `rt_set` works where a script has redirected its own.
 * - Counted reads must not take one byte more than asked for. GNU and busybox dd can (`iflag=fullblock`), busybox
 *   head cannot; POSIX dd, byte by byte, is the slow last resort.
 */
export const prelude = sh`
LC_ALL=C
export LC_ALL
umask 022
set +u

rt_target=
if read -r rt_stat 2>/dev/null </proc/$$/stat; then
  # shellcheck disable=SC2086 # the fields are to be split
  set -- \${rt_stat##*) }
  rt_target=$3
else
  rt_target=$(ps -o pgid= -p $$ 2>/dev/null | tr -d ' ')
fi
set --
if [ "$rt_target" = $$ ]; then
  rt_target=-$$
elif [ -z "$rt_again" ] && command -v setsid >/dev/null 2>&1; then
  exec setsid "$rt_shell" -c "rt_again=1;$rt_line"
else
  rt_target=$$
fi

rt_fail() {
  printf '%s\n' "$1" >&2
  exit 99
}
# Ends the script when there is no program of that name. $2: what is said of it.
rt_need() {
  if command -v -- "$1" >/dev/null 2>&1; then return; fi
  for rt_manager in apt-get dnf yum apk ''; do
    if command -v "\${rt_manager:-:}" >/dev/null 2>&1; then break; fi
  done
  rt_set lacks "$1 $rt_manager"
  rt_fail "\${2-this host has no $1}"
}
rt_set() {
  printf '%s v %s %s\n%s' "$rt_nonce" "$1" "\${#2}" "$2" >&8
}
rt_end() {
  printf '%s e %s\n' "$rt_nonce" "$1" >&8
  printf '%s e %s\n' "$rt_nonce" "$1" >&2
}
rt_probe() {
  [ -z "$rt_how" ] || return 0
  if dd if=/dev/null of=/dev/null bs=1 count=1 iflag=fullblock 2>/dev/null; then
    rt_how='dd'
  elif [ "$(printf ab | { head -c 1 >/dev/null; cat; })" = b ]; then
    rt_how='head'
  else
    rt_how=bytes
  fi
}
rt_read() {
  case $rt_how in
    dd) dd bs="$1" count=1 iflag=fullblock 2>/dev/null ;;
    head) head -c "$1" ;;
    *) dd bs=1 count="$1" 2>/dev/null ;;
  esac
}

rt_how=
exec 8>&1
IFS= read -r rt_nonce
printf '%s r %s\n' "$rt_nonce" "$rt_target" >&8
printf '%s r %s\n' "$rt_nonce" "$rt_target" >&2
while IFS= read -r rt_line; do
  eval "$rt_line"
done
`

/**
 * Ends what a session's shell has started: politely, then for certain. `p_target` is a pid, or `-pgid`; without the
 * usual `--` before it, at which busybox's kill takes exception.
 */
export const killGroup = sh`
kill -TERM "$p_target" 2>/dev/null || exit 0
n=0
while [ "$n" -lt 5 ] && kill -0 "$p_target" 2>/dev/null; do
  n=$((n + 1))
  sleep 0.2 2>/dev/null || sleep 1
done
kill -KILL "$p_target" 2>/dev/null
exit 0
`
