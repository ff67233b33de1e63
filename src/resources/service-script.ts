import { joinScripts, sh } from '../core/script.ts'

/** Which service manager the host has, and how it is asked. `$p_use` names one, or is empty. */
const managers = sh`
PATH=$PATH:/usr/sbin:/sbin
has() { command -v "$1" >/dev/null 2>&1; }
find_manager() {
  if [ -n "$p_use" ]; then manager=$p_use
  elif [ -d /run/systemd/system ] && has systemctl; then manager=systemd
  elif has rc-service; then manager=openrc
  elif has service || [ -d /etc/init.d ]; then manager=sysv
  else rt_fail "this host has no service manager that is known: systemd, OpenRC or init scripts"
  fi
  if [ "$manager" = systemd ] && ! has systemctl; then
    rt_fail "this host has no systemctl, so it is not run by systemd: use the service module"
  fi
}
ctl() {
  case $p_scope in
    user) if [ -z "$XDG_RUNTIME_DIR" ]; then XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR; fi; systemctl --user "$@" ;;
    global) systemctl --global "$@" ;;
    *) systemctl "$@" ;;
  esac
}
init() {
  if has service; then service "$@"
  elif [ -x "/etc/init.d/$1" ]; then "/etc/init.d/$1" "$2"
  else return 127
  fi
}
`

export const readService = joinScripts(
  managers,
  sh`
manager=
find_manager
rt_set manager "$manager"
case $manager in
  systemd)
    if [ "$p_reload" = 1 ]; then ctl daemon-reload || rt_fail "failure during daemon-reload"; fi
    if [ "$p_reexec" = 1 ]; then ctl daemon-reexec || rt_fail "failure during daemon-reexec"; fi
    if [ -z "$p_name" ]; then exit 0; fi
    rt_set show "$(ctl show "$p_name" -p Id,Names,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,FragmentPath,ActiveEnterTimestamp,InvocationID,NRestarts,Result 2>/dev/null)"
    rt_set active "$(ctl is-active "$p_name" 2>/dev/null)"
    rt_set enabled "$(ctl is-enabled "$p_name" 2>/dev/null)" ;;
  openrc)
    rc-service --exists "$p_name" && rt_set there 1
    if rc-service "$p_name" status >/dev/null 2>&1; then rt_set active active; fi
    rc-update show "$p_runlevel" 2>/dev/null | while read -r name bar rest; do
      if [ "$name" = "$p_name" ]; then rt_set enabled enabled; fi
    done ;;
  *)
    if [ -e "/etc/init.d/$p_name" ]; then rt_set there 1; fi
    if [ -n "$p_pattern" ]; then
      # shellcheck disable=SC2009 # pgrep is not everywhere, and the pattern is text
      if ps -ef 2>/dev/null | grep -F -- "$p_pattern" | grep -v grep >/dev/null; then rt_set active active; fi
    elif init "$p_name" status >/dev/null 2>&1; then rt_set active active
    fi
    for link in /etc/rc[2345].d/S[0-9][0-9]"$p_name"; do
      if [ -e "$link" ]; then rt_set enabled enabled; break; fi
    done ;;
esac
exit 0
`,
)

export const writeService = joinScripts(
  managers,
  sh`
manager=
find_manager
boot() {
  case $manager in
    systemd) if [ "$p_force" = 1 ]; then ctl "$1" --force "$p_name"; else ctl "$1" "$p_name"; fi ;;
    openrc)
      case $1 in
        enable) rc-update add "$p_name" "$p_runlevel" ;;
        *) rc-update delete "$p_name" "$p_runlevel" ;;
      esac ;;
    *)
      if has update-rc.d; then
        if [ "$1" = enable ]; then update-rc.d "$p_name" defaults; fi
        update-rc.d "$p_name" "$1"
      elif has chkconfig; then
        case $1 in enable) chkconfig "$p_name" on ;; *) chkconfig "$p_name" off ;; esac
      else
        rt_fail "this host has neither update-rc.d nor chkconfig, so services cannot be enabled"
      fi ;;
  esac >&2 || rt_fail "cannot $1 the service $p_name"
}
act() {
  case $manager in
    systemd) if [ "$p_no_block" = 1 ]; then ctl --no-block "$1" "$p_name"; else ctl "$1" "$p_name"; fi ;;
    openrc)
      # 32: it has crashed, and OpenRC would not start it, since it has been started (openrc-run.sh, _status).
      if [ "$1" = start ]; then
        rc-service "$p_name" status
        if [ "$?" = 32 ]; then rc-service "$p_name" zap; fi
      fi
      rc-service "$p_name" "$1" ;;
    *)
      if [ "$1" = restart ] && [ "$p_sleep" -gt 0 ]; then
        init "$p_name" stop
        sleep "$p_sleep"
        init "$p_name" start
      else
        init "$p_name" "$1"
      fi ;;
  esac </dev/null >&2 8>&- || rt_fail "Unable to $1 service $p_name"
}
if [ -n "$p_mask" ]; then ctl "$p_mask" "$p_name" >&2 || rt_fail "cannot $p_mask the service $p_name"; fi
if [ -n "$p_enable" ]; then boot "$p_enable"; fi
if [ -n "$p_act" ]; then act "$p_act"; fi
exit 0
`,
)

/** Every service of the host, a line each, behind the kind of list that it is from. */
export const listServices = joinScripts(
  managers,
  sh`
manager='' p_use='' p_scope=system
find_manager
rt_set manager "$manager"
case $manager in
  systemd)
    systemctl list-units --no-pager --type=service --all --plain --no-legend | sed 's/^/unit /'
    systemctl list-unit-files --no-pager --type=service --no-legend | sed 's/^/file /' ;;
  openrc)
    rc-status --nocolor --all 2>/dev/null | sed 's/^/status /'
    rc-update show 2>/dev/null | sed 's/^/level /' ;;
  *)
    if has service; then service --status-all 2>&1 | sed 's/^/init /'; fi ;;
esac
exit 0
`,
)
