import { joinScripts, sh } from '../core/script.ts'

/** Entries of the account files, through NSS where the host has it. */
const entries = sh`
PATH=$PATH:/usr/sbin:/sbin
# The entry of $2 (name or number) in $1 (passwd, group): empty when there is none.
entry() {
  if [ "\${p_local-}" != 1 ] && command -v getent >/dev/null 2>&1; then
    getent "$1" "$2"
  else
    while IFS= read -r row || [ -n "$row" ]; do
      rest=\${row#*:*:}
      if [ "\${row%%:*}" = "$2" ] || [ "\${rest%%:*}" = "$2" ]; then printf '%s\n' "$row"; break; fi
    done <"/etc/$1"
  fi
}
# The row of $2 in the file $1.
row_of() {
  while IFS= read -r row || [ -n "$row" ]; do
    case $row in "$2":*) printf '%s\n' "$row"; break ;; esac
  done <"$1"
}
# login.defs' number of that name, else the second argument.
limit() {
  found=
  if [ -r /etc/login.defs ]; then found=$(awk -v n="$1" '$1 == n { v = $2 } END { print v }' /etc/login.defs); fi
  printf '%s' "\${found:-$2}"
}
# A number that no entry of $1 has: behind the highest for people, before the lowest for the system.
free_id() {
  case $1 in passwd) id=UID ;; *) id=GID ;; esac
  if [ "$p_system" = 1 ]; then
    low=$(limit "SYS_\${id}_MIN" 100) high=$(limit "SYS_\${id}_MAX" 999)
  else
    low=$(limit "\${id}_MIN" 1000) high=$(limit "\${id}_MAX" 60000)
  fi
  awk -F: -v low="$low" -v high="$high" -v low_first="$((1 - p_system))" '
    $3 >= low && $3 <= high { used[$3] = 1; if ($3 > top) top = $3 }
    END {
      if (!low_first) { for (i = high; i >= low; i--) if (!(i in used)) { print i; exit } }
      else if (top < high) print (top < low ? low : top + 1)
      else for (i = low; i <= high; i++) if (!(i in used)) { print i; exit }
    }' "/etc/$1"
}
`

export const readUser = joinScripts(
  entries,
  sh`
nl='
'
row=$(entry passwd "$p_name")
case $row in "$p_name":*) rt_set passwd "$row" ;; *) row= ;; esac
if [ -r /etc/shadow ]; then
  rt_set shadow "$(row_of /etc/shadow "$p_name")"
else
  rt_set unreadable 1
fi
set -f
rt_set groups "$(awk -F: -v n="$p_name" '{ k = split($4, m, ","); for (i = 1; i <= k; i++) if (m[i] == n) { print $1; break } }' /etc/group)"
rt_set own "$(row_of /etc/group "$p_name")"
if [ -n "\${p_group-}" ]; then rt_set group "$(entry group "$p_group")"; fi
asked=
for one in \${p_groups-}; do
  found=$(entry group "$one")
  asked="$asked$one:\${found%%:*}$nl"
done
rt_set asked "$asked"
defaults=/etc/default/useradd
if [ -r "$defaults" ]; then rt_set defaults "$(cat "$defaults")"; fi
uid=$(free_id passwd)
rt_set uid "$uid"
gid=\${p_uid:-$uid}
if [ -n "$(entry group "$gid")" ]; then gid=$(free_id group); fi
rt_set gid "$gid"
if [ -n "\${p_uid-}" ]; then rt_set uid_of "$(entry passwd "$p_uid")"; fi
rest=\${row#*:*:*:*:*:}
home=\${rest%%:*}
if [ -z "$home" ]; then home=\${p_home:-/home/$p_name}; fi
if [ -n "\${p_home-}" ] && [ -d "$p_home" ]; then rt_set next_home 1; fi
if [ -d "$home" ]; then rt_set home 1; fi
`,
)

export const readGroup = joinScripts(
  entries,
  sh`
row=$(entry group "$p_name")
case $row in "$p_name":*) rt_set group "$row" ;; esac
rt_set gid "$(free_id group)"
if [ -n "\${p_gid-}" ]; then rt_set gid_of "$(entry group "$p_gid")"; fi
`,
)

/** Where the shadow tools are missing (Alpine, busybox) the files are edited, under the lock that those tools use. */
const files = sh`
nl='
'
lock() {
  tries=0
  until (set -C; printf '%s' "$$" >/etc/passwd.lock) 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -ge 15 ]; then rt_fail "the account files are locked: /etc/passwd.lock is there"; fi
    sleep 1
  done
  trap 'rm -f -- /etc/passwd.lock; [ -z "$tmp" ] || rm -f -- "$tmp"' EXIT
}
# Puts stdin in the place of the file $1, which keeps its owner and mode.
replace_file() {
  if ! { tmp=$(mktemp "$1.XXXXXX") && cp -p -- "$1" "$tmp" && cat >"$tmp" && mv -f -- "$tmp" "$1"; }; then
    rt_fail "cannot write $1"
  fi
  tmp=
}
# The file $1 with the row $3 for $2; with no row it is taken away.
with_row() {
  is=
  while IFS= read -r row || [ -n "$row" ]; do
    case $row in
      "$2":*) if [ -n "$3" ] && [ -z "$is" ]; then printf '%s\n' "$3"; fi; is=1 ;;
      *) printf '%s\n' "$row" ;;
    esac
  done <"$1"
  if [ -z "$is" ] && [ -n "$3" ]; then printf '%s\n' "$3"; fi
}
put() {
  if [ -e "$1" ] || [ -n "$3" ]; then
    text=$(with_row "$1" "$2" "$3")
    printf '%s\n' "$text" | replace_file "$1"
  fi
}
# /etc/group with the user $1 in the groups $2 (one a line) and in no other.
with_member() {
  while IFS=: read -r group pass id members; do
    out=
    IFS=,
    for one in $members; do if [ "$one" != "$1" ]; then out=$out\${out:+,}$one; fi; done
    unset IFS
    case "$nl$2$nl" in *"$nl$group$nl"*) out=$out\${out:+,}$1 ;; esac
    printf '%s\n' "$group:$pass:$id:$out"
  done </etc/group
}
# A field of a shadow row: $1 the row, $2 which.
field() { printf '%s\n' "$1" | cut -d : -f "$2"; }
`

export const writeUser = joinScripts(
  entries,
  files,
  sh`
set -f
tmp=
has() { command -v "$1" >/dev/null 2>&1; }
make_own_group() {
  if [ -z "\${p_own_gid-}" ] || [ -n "$(row_of /etc/group "$p_name")" ]; then return 0; fi
  if has groupadd; then
    groupadd -g "$p_own_gid" -- "$p_name" || rt_fail "cannot make the group $p_name"
  else
    put /etc/group "$p_name" "$p_name:x:$p_own_gid:"
  fi
}
drop_own_group() {
  if [ -n "\${p_own_gid-}" ] || [ -z "\${p_was_own_gid-}" ]; then return 0; fi
  case $(row_of /etc/group "$p_name") in *:) ;; *) return 0 ;; esac
  if has groupdel; then groupdel -- "$p_name" || rt_fail "cannot remove the group $p_name"
  else put /etc/group "$p_name" ""; put /etc/gshadow "$p_name" ""; fi
}
make_home() {
  case $p_home in */*/*) mkdir -p -- "\${p_home%/*}" ;; esac
  umask 077
  mkdir -- "$p_home" || rt_fail "cannot make the home folder $p_home"
  if [ -d "$p_skeleton" ]; then cp -R -- "$p_skeleton/." "$p_home/" || rt_fail "cannot copy $p_skeleton"; fi
  chown -R -- "$p_uid:$p_gid" "$p_home" || rt_fail "cannot give $p_home to $p_name"
  chmod -- "$p_home_mode" "$p_home" || rt_fail "cannot set the mode of $p_home"
}
by_tools() {
  set --
  if [ "$p_non_unique" = 1 ]; then set -- -o; fi
  if [ "$p_was" = absent ]; then
    useradd -M -N "$@" -u "$p_uid" -g "$p_gid" -d "$p_home" -s "$p_shell" -c "$p_comment" "$p_name" || rt_fail "cannot make the user $p_name"
  elif [ "$p_entry" = 1 ]; then
    usermod "$@" -u "$p_uid" -g "$p_gid" -d "$p_home" -s "$p_shell" -c "$p_comment" "$p_name" || rt_fail "cannot change the user $p_name"
  fi
  if [ "$p_set_groups" = 1 ]; then usermod -G "$p_groups_list" "$p_name" || rt_fail "cannot set the groups of $p_name"; fi
  if [ "$p_set_password" = 1 ]; then printf '%s:%s\n' "$p_name" "$p_password" | chpasswd -e || rt_fail "cannot set the password of $p_name"; fi
  if [ "$p_set_aging" = 1 ]; then
    chage -m "\${p_min:--1}" -M "\${p_max:--1}" -E "\${p_expires:--1}" "$p_name" || rt_fail "cannot set the ages of the password of $p_name"
  fi
}
by_files() {
  put /etc/passwd "$p_name" "$p_name:x:$p_uid:$p_gid:$p_comment:$p_home:$p_shell"
  if [ "$p_set_groups" = 1 ]; then
    text=$(with_member "$p_name" "$p_groups")
    printf '%s\n' "$text" | replace_file /etc/group
  fi
  row=$(row_of /etc/shadow "$p_name")
  if [ -z "$row" ]; then row="$p_name:!:$(($(date +%s) / 86400)):0:99999:7:::"; fi
  password=$(field "$row" 2)
  if [ "$p_set_password" = 1 ]; then password=$p_password; fi
  put /etc/shadow "$p_name" "$p_name:$password:$(field "$row" 3):\${p_min-}:\${p_max-}:$(field "$row" 6):$(field "$row" 7):\${p_expires-}:"
}
remove() {
  if has userdel; then
    if [ "$p_force" = 1 ]; then userdel -f -- "$p_name"; else userdel -- "$p_name"; fi
    case $? in 0) ;; 8) exit 8 ;; *) rt_fail "cannot remove the user $p_name" ;; esac
  else
    put /etc/passwd "$p_name" ""
    put /etc/shadow "$p_name" ""
    text=$(with_member "$p_name" "")
    printf '%s\n' "$text" | replace_file /etc/group
  fi
}

if ! has usermod; then lock; fi
if [ "$p_kind" = absent ]; then
  remove
  drop_own_group
  if [ "$p_drop_home" = 1 ]; then rm -rf -- "$p_was_home" || rt_fail "cannot remove $p_was_home"; fi
else
  make_own_group
  if has usermod; then by_tools; else by_files; fi
  if [ "$p_move_home" = 1 ]; then mv -- "$p_was_home" "$p_home" || rt_fail "cannot move $p_was_home to $p_home"; fi
  if [ "$p_make_home" = 1 ]; then make_home; fi
  if [ "$p_drop_home" = 1 ]; then rm -rf -- "$p_was_home"; fi
  drop_own_group
fi
exit 0
`,
)

export const writeGroup = joinScripts(
  entries,
  files,
  sh`
tmp=
has() { command -v "$1" >/dev/null 2>&1; }
if has groupadd; then
  set --
  if [ "$p_non_unique" = 1 ]; then set -- -o; fi
  case $p_do in
    make) groupadd "$@" -g "$p_gid" -- "$p_name" ;;
    change) groupmod "$@" -g "$p_gid" -- "$p_name" ;;
    remove) groupdel -- "$p_name" ;;
  esac || rt_fail "cannot $p_do the group $p_name"
  if [ "$p_do" = make ] && [ -n "$p_members" ]; then gpasswd -M "$p_members" "$p_name" >&2 || rt_fail "cannot set the members of $p_name"; fi
else
  lock
  if [ "$p_do" = remove ]; then
    put /etc/group "$p_name" ""
    put /etc/gshadow "$p_name" ""
  else
    put /etc/group "$p_name" "$p_name:x:$p_gid:$p_members"
  fi
fi
exit 0
`,
)
