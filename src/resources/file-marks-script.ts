import { sh } from '../core/script.ts'

/**
 * Part of the script that reads and writes files: attributes of chattr(1), the context of SELinux, times. Uses its functions `climb`
 * and `same`, its variables `real` and `now`, and the parameters that are named there.
 */
export const marksScript = sh`
# Sets flags: the letters of lsattr that a user may set, without those that the file system sets by itself. Fails where there are none.
flags_of() {
  flags=$(lsattr -d -- "$1" 2>/dev/null) || return 1
  flags=$(printf '%s' "\${flags%% *}" | tr -cd 'aAcCdDijmPsStTux')
}
# Sets context: that of SELinux, user:role:type:level. Fails on a host without.
context_of() {
  context=$(stat -c %C -- "$1" 2>/dev/null) || return 1
  case $context in *:*:*) ;; *) return 1 ;; esac
}
# shellcheck disable=SC2154 # now, real and up are of the script that this is a part of
read_marks() {
  if [ "$p_flags" = 1 ] && [ "$now" != absent ] && flags_of "$real"; then rt_set flags "$flags"; fi
  if [ "$p_times" = 1 ]; then
    case $(stat -c %.9Y /) in *.*) rt_set fractions 1 ;; esac
    if [ "$now" != absent ]; then rt_set mtime "$(stat -c %.9Y -- "$real")"; fi
  fi
  if [ "$p_accessed" = 1 ] && [ "$now" != absent ]; then rt_set atime "$(stat -c %.9X -- "$real")"; fi
  if [ "$p_context" != 1 ]; then return; fi
  if [ "$now" != absent ] && context_of "$real"; then rt_set context "$context"; fi
  # What something new gets: by the policy, or the type of the folder that it is in.
  climb "$real"
  if context=$(matchpathcon -n -- "$real" 2>/dev/null) || context_of "$up"; then rt_set fresh_context "$context"; fi
}

same_marks() {
  if [ -n "\${p_was_flags+x}" ]; then
    if ! { flags_of "$p_path" && [ "$flags" = "$p_was_flags" ]; }; then rt_set now "other attributes"; exit 75; fi
  fi
  if [ -n "\${p_was_context+x}" ]; then
    if ! { context_of "$p_path" && [ "$context" = "$p_was_context" ]; }; then rt_set now "another SELinux context"; exit 75; fi
  fi
}
# Fractions of a second are GNU's.
set_time() {
  touch "-$1" -d "@$2" -- "$4" 2>/dev/null && return
  TZ=UTC0 touch "-$1" -t "$3" -- "$4" 2>/dev/null && return
  # Who may write a file that is another's can only set both times to now (utimensat(2)).
  if [ "$p_is_now" = 1 ] && touch -- "$4"; then return; fi
  rt_fail "cannot set the time of $p_path"
}
# An immutable file has to be made mutable before anything else.
free() {
  if [ -n "\${p_free-}" ]; then
    same
    chattr "-$p_free" "$p_path" || rt_fail "chattr failed: cannot take $p_free from $p_path"
  fi
}
mark() {
  if [ -n "\${p_atime-}" ]; then set_time a "$p_atime" "$p_atime_t" "$p_path"; fi
  if [ -n "\${p_mark_context-}" ]; then
    chcon -h -- "$p_mark_context" "$p_path" || rt_fail "cannot set the SELinux context $p_mark_context of $p_path"
  fi
  if [ -n "\${p_mark_flags-}" ]; then
    chattr "+$p_mark_flags" "$p_path" || rt_fail "chattr failed: cannot give $p_mark_flags to $p_path"
  fi
}
`
