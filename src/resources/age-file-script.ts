import { joinScripts, sh } from '../core/script.ts'

/** Values size, real; on stdout the first 64 KiB: no header is longer. */
export const readAgeScript = sh`
[ -f "$p_path" ] || { rt_set problem 'is no file'; exit 1; }
[ -r "$p_path" ] || { rt_set problem 'cannot be read'; exit 1; }
real=$(readlink -f -- "$p_path" && printf x) || { rt_set problem 'is a link that leads nowhere'; exit 1; }
rt_set real "\${real%??}"
rt_set size "$(stat -c %s -- "$p_path")"
dd if="$p_path" bs=65536 count=1 2>/dev/null
`

/** From byte $p_skip on, to stdout. */
export const sendAgeData = sh`exec tail -c "+$((p_skip + 1))" -- "$p_path"`
/** What comes on stdin to $p_temp. */
export const keepAgeDraft = sh`umask 077; exec cat >"$p_temp"`

/*
 * path, size and head (sha256 of the first $p_skip bytes) say what the file was when it was read. Exit 75: it is not that any more.
 * A draft is named for the session that writes it, so that the next one can tell a dead one's from a living one's.
 */
const shared = sh`
sum_of() { sum=$(sha256sum); sum=\${sum%% *}; }
head_of() { dd if="$1" bs="$2" count=1 2>/dev/null; }
same() {
  size=$(stat -c %s -- "$p_path" 2>/dev/null) || exit 75
  [ "$size" = "$p_size" ] || exit 75
  sum=$(head_of "$p_path" "$p_skip" | sha256sum)
  [ "\${sum%% *}" = "$p_head" ] || exit 75
}
drafts=\${p_path%/*}/.\${p_path##*/}.rota-age
clean() {
  for draft in "$drafts".*; do
    if [ -e "$draft" ] && ! [ -d "/proc/\${draft##*.}" ]; then rm -f -- "$draft"; fi
  done
}
# The draft becomes the file, with its owner, mode and time: only when it is whole on the disk and the file is still what it was.
replace() {
  owner=$(stat -c %u:%g -- "$p_path")
  if [ "$(stat -c %u:%g -- "$1")" != "$owner" ]; then chown -- "$owner" "$1" || rt_fail "cannot give $1 to $owner"; fi
  chmod -- "$(stat -c %a -- "$p_path")" "$1" || rt_fail "cannot set the mode of $1"
  touch -r "$p_path" -- "$1"
  sync -- "$1" 2>/dev/null || sync
  same
  mv -f -- "$1" "$p_path" || rt_fail "cannot rename $1"
  sync -- "\${p_path%/*}/" 2>/dev/null || :
}
`

/**
 * The file with the header that comes on stdin ($p_new_skip bytes with the nonce, sha256 $p_new_head) and the data that it had.
 * The data is compared as it then lies on the disk.
 */
export const rewrapScript = joinScripts(
  shared,
  sh`
same
clean
draft=$drafts.$$
umask 077
{ cat && tail -c "+$((p_skip + 1))" -- "$p_path"; } >"$draft" || { rm -f -- "$draft"; rt_fail "cannot write $draft"; }
old=$(tail -c "+$((p_skip + 1))" -- "$p_path" | sha256sum)
new=$(tail -c "+$((p_new_skip + 1))" -- "$draft" | sha256sum)
sum=$(head_of "$draft" "$p_new_skip" | sha256sum)
if [ "$old" != "$new" ] || [ "\${sum%% *}" != "$p_new_head" ]; then
  rm -f -- "$draft"
  rt_fail "$draft is not what was written into it: check the disk"
fi
replace "$draft"
`,
)

/** Value draft: where the file's next content is to be written. */
export const beginDraft = joinScripts(
  shared,
  sh`
same
clean
rt_set draft "$drafts.$$"
`,
)
export const finishDraft = joinScripts(shared, sh`replace "$p_temp"`)
export const dropDraft = sh`rm -f -- "$p_temp"`

/**
 * Every file below $p_folder whose name matches one of $p_patterns (a line each): a line "F SIZE MTIME PATH", and the lines of its header
 * when it is an age file. Lines of anything else are left out, so that no content can pass for a file's name.
 */
export const listAgeFiles = sh`
[ -d "$p_folder" ] || { rt_set problem 'is no folder'; exit 1; }
nl='
'
if [ -n "$(find "$p_folder" -type f -name "*$nl*" | head -n 1)" ]; then
  rt_set problem 'has a file with a newline in its name'
  exit 1
fi
is_wanted() {
  printf '%s\n' "$p_patterns" | while IFS= read -r pattern; do
    # shellcheck disable=SC2254 # patterns are meant as such
    case $1 in $pattern) exit 7 ;; esac
  done
  [ "$?" = 7 ]
}
find "$p_folder" -type f | sort | while IFS= read -r file; do
  name=\${file##*/}
  case $name in .*.rota-age.*) continue ;; esac
  is_wanted "$name" || continue
  printf 'F %s %s\n' "$(stat -c '%s %Y' -- "$file")" "$file"
  dd if="$file" bs=65536 count=1 2>/dev/null | sed -n -e '1{/^age-encryption\.org\/v1$/!q;p;d;}' -e '/^--- [A-Za-z0-9+/]*$/{p;q;}' -e '/^-> [!-~ ]*$/p' -e '/^[A-Za-z0-9+/]*$/p'
  printf '\n'
done
`
