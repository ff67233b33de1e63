import { joinScripts, sh } from '../core/script.ts'
import { policyRc } from './policy-rc-script.ts'

/**
 * One set of functions for each package manager: installed and candidate print name and version of one package (nothing: there is none;
 * the name is another where dnf was asked for a version, an architecture or what a package provides), refresh, install, remove, pending
 * (what an upgrade would change), upgrade, orphans (what autoremove would remove). Their output is made for programs or is as their
 * manuals show it. `$p_use` names one, or is empty.
 */
const managers = sh`
PATH=$PATH:/usr/sbin:/sbin
nl='
'
has() { command -v "$1" >/dev/null 2>&1; }
DEBIAN_FRONTEND=noninteractive
APT_LISTCHANGES_FRONTEND=none
export DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND
find_manager() {
  manager=$p_use
  if [ -z "$manager" ]; then
    for one in apt apk dnf yum; do
      case $one in apt) program=apt-get ;; *) program=$one ;; esac
      if has "$program"; then manager=$one; break; fi
    done
  fi
  case $manager in
    apt) has apt-get || rt_fail "this host has no apt-get" ;;
    '') rt_fail "this host has no package manager that is known: apt, apk, dnf or yum" ;;
    *) has "$manager" || rt_fail "this host has no $manager" ;;
  esac
}
apt_get() {
  IFS=$nl
  # shellcheck disable=SC2086 # one option a line
  set -f -- -y -q -o DPkg::Lock::Timeout=60 $p_options "$@"
  unset IFS
  if [ "\${p_simulate-}" = 1 ]; then set -- -s "$@"; fi
  apt-get "$@" </dev/null 8>&-
}
dnf_do() {
  IFS=$nl
  # shellcheck disable=SC2086 # one option a line
  set -f -- -y -q $p_options "$@"
  unset IFS
  "$manager" "$@" </dev/null 8>&-
}
apk_do() {
  IFS=$nl
  # shellcheck disable=SC2086 # one option a line
  set -f -- $p_options "$@"
  unset IFS
  apk "$@" </dev/null 8>&-
}
# Puts the name before a version.
named() { if read -r version; then printf '%s %s\n' "$1" "$version"; fi; }
version_format='%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n'
# Not rpm -q: busybox has an rpm of its own, which knows less.
rpm_query() { if [ -n "\${p_root-}" ]; then set -- --root "$p_root" "$@"; fi; found=$(rpmquery --qf "$version_format" "$@" 2>/dev/null) && printf '%s\n' "$found" | tail -n 1; }
installed() {
  case $manager in
    apt) dpkg-query -W -f '\${db:Status-Status} \${Version}\n' -- "$1" 2>/dev/null | sed -n 's/^installed //p' | named "$1" ;;
    apk) apk list --installed "$1" 2>/dev/null | sed -n 's/ .*//; 1p' | sed 's/^.*-\([^-]*-r[0-9]*\)$/\1/' | named "$1" ;;
    *)
      case $1 in
        @*) group installed "$1" ;;
        *) rpm_query "$1" || rpm_query --whatprovides "$1" ;;
      esac ;;
  esac
}
# A group or an environment by its id or its name, as dnf(8) lists it: three blanks, the name, the id in brackets.
group() {
  dnf_do group list hidden "$1" ids 2>/dev/null | awk -v asked="$2" '
    BEGIN { want = asked; sub(/^@\^?/, "", want) }
    /^   / {
      id = $NF; gsub(/[()]/, "", id)
      name = $0; sub(/^ +/, "", name); sub(/ [^ ]*$/, "", name)
      if (want == id || want == name) { print asked " installed"; exit }
    }'
}
# A package file of apt that is elsewhere is brought into $folder; sets file.
bring() {
  file=$1
  case $manager$1 in apt*://*) ;; *) return ;; esac
  { folder=$(mktemp -d) && chmod 755 "$folder"; } || rt_fail "cannot make a folder for $1"
  file=$folder/\${1##*/}
  /usr/lib/apt/apt-helper download-file "$1" "$file" >&2 </dev/null 8>&- || rt_fail "cannot fetch $1"
}
listed_at() {
  stamp=/var/lib/apt/periodic/update-success-stamp
  [ -e "$stamp" ] || stamp=/var/lib/apt/lists
  rt_set listed "$(stat -c %Y "$stamp" 2>/dev/null)"
}
# yum of before dnf has no repoquery of its own.
repoquery() {
  found=$(dnf_do repoquery --latest-limit=1 --qf '%{name} %{evr}' "$@" 2>/dev/null | grep . | tail -n 1)
  [ -n "$found" ] && printf '%s\n' "$found"
}
listed() { dnf_do list available "$1" 2>/dev/null | sed -n 's/^[^ ]*\.[a-z0-9_]*  *\([^ ]*[0-9][^ ]*\)  *[^ ]*$/\1/p' | tail -n 1 | named "$1"; }
candidate() {
  case $manager in
    apt)
      if [ -n "\${p_release-}" ]; then apt-cache -t "$p_release" policy "$1"; else apt-cache policy "$1"; fi 2>/dev/null |
        sed -n '/^  Candidate: (none)/!s/^  Candidate: //p' | named "$1" ;;
    apk)
      apk_do add --simulate --upgrade "$1" 2>/dev/null |
        sed -n "s/^([0-9/]*) [A-Z][a-z]* \([^ ]*\) (\(.* -> \)\{0,1\}\([^ )]*\)).*/\1 \3/p" |
        while read -r new version; do if [ "$new" = "\${1%%[=<>~]*}" ]; then printf '%s %s\n' "$new" "$version"; fi; done ;;
    *)
      case $1 in @*) group available "$1"; return ;; esac
      # Of what is installed only what is newer: a host may have more than its repositories.
      if [ -n "$2" ]; then repoquery --upgrades "$1" || listed "$1"
      else repoquery "$1" || repoquery --whatprovides "$1" || listed "$1"
      fi ;;
  esac
}
refresh() {
  tries=1 delay=1
  until
    case $manager in
      apt) apt_get update ;;
      apk) apk update ;;
      *) "$manager" -y -q makecache ;;
    esac >&2
  do
    if [ "$tries" -ge "\${p_retries:-1}" ]; then rt_fail "Failed to update the package lists"; fi
    sleep "$delay"
    tries=$((tries + 1)) delay=$((delay * 2))
    if [ "$delay" -gt "$p_max_delay" ]; then delay=$p_max_delay; fi
  done
}
# What apt is to have for a name with >= or a pattern of versions behind =; sets real, found and newest.
apt_resolve() {
  case $name in
    *'>='*) real=\${name%%>=*} least=\${name#*>=} glob='*' ;;
    *) real=\${name%%=*} least='' glob=\${name#*=} ;;
  esac
  found=$(installed "$real")
  newest=$found
  if [ "$p_newest" != 1 ] && fits "\${found##* }"; then return; fi
  newest=
  if [ -n "$least" ]; then newest=$(candidate "$real" ''); if ! fits "\${newest##* }"; then newest=; fi
  else
    for version in $(apt-cache madison "$real" 2>/dev/null | awk '{ print $3 }'); do
      if fits "$version"; then newest="$real $version"; break; fi
    done
  fi
  if [ -z "$newest" ] && [ "$p_wanted" = 1 ]; then rt_fail "no available installation candidate for $name"; fi
}
fits() {
  # shellcheck disable=SC2254 # it is a pattern
  case $1 in '') return 1 ;; $glob) ;; *) return 1 ;; esac
  [ -z "$least" ] || /usr/bin/dpkg --compare-versions "$1" ge "$least"
}
# Package files that were fetched, and that $1 (autoclean, clean) would remove.
stale() {
  case $1 in
    autoclean) apt_get -s autoclean 2>/dev/null | sed -n 's/^Del //p' ;;
    *) find /var/cache/apt/archives -type f -name '*.deb' 2>/dev/null ;;
  esac
}
pending() {
  case $manager in
    apt)
      IFS=$nl
      # shellcheck disable=SC2086 # one word a line
      set -f -- $1
      unset IFS
      said=$(apt_get -s "$@") || rt_fail "cannot $1"
      printf '%s\n' "$said" | sed -n 's/^Inst \([^ ]*\) .*/\1/p' ;;
    apk) apk_do upgrade --simulate 2>/dev/null | sed -n 's/^([0-9/]*) [A-Z][a-z]* \([^ ]*\) .*/\1/p' ;;
    *) dnf_do check-update 2>/dev/null | sed -n '/^Obsoleting/q; s/^\([^ ]*\)\.[a-z0-9_]* .*[0-9].*/\1/p' ;;
  esac
}
orphans() {
  case $manager in
    apt) apt_get -s autoremove 2>/dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p' ;;
    apk) ;;
    *) dnf_do repoquery --unneeded --qf '%{name}\n' 2>/dev/null ;;
  esac
}
`

export const readPackages = joinScripts(
  managers,
  sh`
nl='
'
manager=
find_manager
rt_set manager "$manager"
if [ "$p_refresh" = 1 ]; then refresh; rt_set refreshed 1; fi
set -f
IFS=$nl
for name in $p_names; do
  unset IFS
  case $manager$name in
    apt*/*.deb|apt*://*|dnf*/*.rpm|yum*/*.rpm|dnf*://*|yum*://*)
      bring "$name"
      case $manager in
        apt) newest=$(dpkg-deb -f "$file" | sed -n 's/^Package: *//p; s/^Version: *//p' | tr '\n' ' ') newest=\${newest% } ;;
        *) newest=$(rpm_query -p "$file") ;;
      esac
      if [ -n "$folder" ]; then rm -r -- "$folder"; fi
      [ -n "$newest" ] || rt_fail "Unable to install package: $name is no package file"
      found=$(installed "\${newest% *}")
      printf '%s\t%s\t%s\t%s\n' "\${newest% *}" "\${found##* }" "\${newest##* }" "$name"
      continue ;;
    apt*'>='*|apt*=*)
      apt_resolve
      printf '%s\t%s\t%s\t%s\n' "$real" "\${found##* }" "\${newest##* }" "$name"
      continue ;;
  esac
  found=$(installed "$name")
  newest=
  if [ -n "$found" ]; then real=\${found% *}; else real=$name; fi
  if [ "$p_newest" = 1 ] || { [ -z "$found" ] && [ "$p_wanted" = 1 ]; }; then newest=$(candidate "$real" "$found"); fi
  if [ -z "$found" ] && [ -n "$newest" ] && [ "\${newest% *}" != "$name" ]; then
    real=\${newest% *}
    found=$(installed "$real")
  fi
  printf '%s\t%s\t%s\t%s\n' "$real" "\${found##* }" "\${newest##* }" "$name"
done
unset IFS
if [ -n "$p_upgrade" ]; then said=$(pending "$p_upgrade") || exit; rt_set pending "$said"; fi
if [ "$p_autoremove" = 1 ]; then rt_set orphans "$(orphans)"; fi
if [ -n "\${p_clean-}" ]; then rt_set stale "$(stale "$p_clean")"; fi
if [ "$manager" = apt ]; then
  listed_at
  rt_set now "$(date +%s)"
fi
exit 0
`,
)

export const writePackages = joinScripts(
  managers,
  policyRc,
  sh`
nl='
'
manager=
find_manager
set -f
if [ "\${p_refresh-}" = 1 ]; then refresh; listed_at; fi
folder=''
tidy() {
  if [ -n "$folder" ]; then rm -rf -- "$folder"; fi
  if [ "\${p_simulate-}" != 1 ]; then tidy_policy; fi
}
trap tidy EXIT
trap 'exit 130' INT TERM HUP
if [ "\${p_simulate-}" != 1 ]; then tidy_policy; fi
if [ -n "$p_policy" ] && [ "\${p_simulate-}" != 1 ]; then set_policy; fi
if [ -n "$p_clean" ]; then apt_get "$p_clean" >&2 || rt_fail "cannot $p_clean"; fi
if [ -n "$p_remove" ]; then
  IFS=$nl
  # shellcheck disable=SC2086 # one name a line
  set -- $p_remove
  unset IFS
  case $manager in
    apt) if [ "$p_purge" = 1 ]; then apt_get purge "$@"; else apt_get remove "$@"; fi ;;
    apk) apk_do del "$@" ;;
    *) dnf_do remove --setopt=clean_requirements_on_remove=False "$@" ;;
  esac || rt_fail "cannot remove: $*"
fi
if [ -n "$p_install" ]; then
  IFS=$nl
  set --
  for name in $p_install; do bring "$name"; set -- "$@" "$file"; done
  unset IFS
  case $manager in
    apt)
      if [ -n "\${p_release-}" ]; then set -- -t "$p_release" "$@"; fi
      apt_get -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold --allow-downgrades install "$@" ;;
    apk) apk_do add --upgrade "$@" ;;
    *) dnf_do install "$@" || { if [ "$p_downgrade" = 1 ]; then dnf_do downgrade "$@"; else false; fi; } ;;
  esac || rt_fail "cannot install: $*"
fi
if [ -n "$p_upgrade" ]; then
  case $manager in
    apt)
      IFS=$nl
      # shellcheck disable=SC2086 # one word a line
      set -- $p_upgrade
      unset IFS
      apt_get -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" ;;
    apk) apk_do upgrade ;;
    *) dnf_do upgrade ;;
  esac || rt_fail "cannot upgrade"
fi
if [ "$p_autoremove" = 1 ]; then
  case $manager in apt) apt_get autoremove ;; apk) ;; *) dnf_do autoremove ;; esac || rt_fail "cannot autoremove"
fi
exit 0
`,
)
