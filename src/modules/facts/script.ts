import { sh } from '../../core/script.ts'

/**
 * What a host says of itself, raw, in one round trip: files of /proc and /etc as they are, and the output of the few programs
 * that every userland has. `p_subsets` are the collectors wanted, each with a blank around it; `p_fact_path` the folder of local facts.
 */
export const factsScript = sh`
wants() { case $p_subsets in *" $1 "*) return 0 ;; esac; return 1; }
has() { command -v "$1" >/dev/null 2>&1; }
# tell NAME FILE: the text of a file, when it can be read.
tell() { if [ -f "$2" ] && [ -r "$2" ]; then rt_set "$1" "$(cat -- "$2" 2>/dev/null | tr -d '\000')"; fi; }

rt_set names "$(uname -snrm)"
rt_set kernel_version "$(uname -v)"

if wants platform; then
  rt_set fqdn "$(hostname -f 2>/dev/null || uname -n)"
  rt_set bits "$(getconf LONG_BIT 2>/dev/null)"
  tell machine_id /etc/machine-id
fi
if wants distribution || wants pkg_mgr || wants service_mgr; then
  for file in /etc/os-release /usr/lib/os-release; do
    if [ -r "$file" ]; then tell os_release "$file"; rt_set os_release_path "$file"; break; fi
  done
  tell debian_version /etc/debian_version
  tell alpine_release /etc/alpine-release
  tell redhat_release /etc/redhat-release
fi
if wants lsb; then
  if has lsb_release; then rt_set lsb "$(lsb_release -a 2>/dev/null)"; else tell lsb_file /etc/lsb-release; fi
fi
if wants pkg_mgr; then
  found=
  for path in /usr/bin/dnf5 /usr/bin/dnf /usr/bin/microdnf /usr/bin/yum /usr/bin/apt-get /usr/bin/zypper /usr/bin/pacman /sbin/apk /usr/bin/apk \
    /usr/bin/xbps-install /usr/bin/emerge /usr/sbin/pkg /opt/homebrew/bin/brew /usr/local/bin/brew /run/current-system/sw/bin/nix-env; do
    if [ -e "$path" ]; then found="$found $path"; fi
  done
  rt_set managers "$found"
fi
if wants service_mgr; then
  tell init /proc/1/comm
  rt_set inits "$(for path in /run/systemd/system /dev/.run/systemd /dev/.systemd /sbin/openrc /etc/init.d /usr/sbin/initctl; do
    if [ -e "$path" ]; then printf '%s ' "$path"; fi
  done)"
fi
if wants user; then
  rt_set ids "$(id -u) $(id -g) $(id -ru) $(id -rg)"
  name=$(id -un 2>/dev/null)
  rt_set user "$name"
  if has getent; then rt_set passwd "$(getent passwd "$name")"; else rt_set passwd "$(grep "^$name:" /etc/passwd)"; fi
fi
if wants env; then
  # The login's own environment, without what rota's shell has set: NUL becomes a line's end, and a line's end \001.
  if [ -r /proc/$$/environ ]; then rt_set environ "$(tr '\000\012' '\012\001' </proc/$$/environ)"; else rt_set environ "$(env)"; fi
fi
if wants date_time; then
  rt_set date "$(date '+%Y %m %d %H %M %S %s %z %w %W %A %Z')"
  rt_set utc "$(date -u '+%Y-%m-%dT%H:%M:%S')"
  rt_set nano "$(date '+%N' 2>/dev/null)"
fi
if wants python; then
  python=\${p_python:-/usr/bin/python3}
  has "$python" || python=python3
fi
if wants python && has "$python"; then
  rt_set python "$("$python" -ISc 'import sys
try:
    from ssl import SSLContext
    ssl = 1
except ImportError:
    ssl = 0
v = sys.version_info
print(sys.executable, sys.implementation.name, ssl, *v)' 2>/dev/null)"
fi
if wants selinux; then
  if has getenforce; then rt_set selinux_mode "$(getenforce 2>/dev/null)"; fi
  tell selinux_config /etc/selinux/config
  tell selinux_policy /sys/fs/selinux/policyvers
fi
if wants fips; then tell fips /proc/sys/crypto/fips_enabled; fi
if wants apparmor && [ -d /sys/kernel/security/apparmor ]; then rt_set apparmor 1; fi
if wants cmdline; then tell cmdline /proc/cmdline; fi
if wants dns; then tell resolv /etc/resolv.conf; fi
if wants loadavg; then tell loadavg /proc/loadavg; fi
if wants ssh_pub_keys; then
  for file in /etc/ssh/ssh_host_*_key.pub; do
    name=\${file##*/ssh_host_}
    if [ -f "$file" ]; then tell "ssh_key_\${name%_key.pub}" "$file"; fi
  done
fi
if wants local && [ -d "$p_fact_path" ]; then
  for file in "$p_fact_path"/*.fact; do
    name=\${file##*/}
    if [ -h "$file" ] && [ ! -e "$file" ]; then rt_set "local_\${name%.fact}" 'dead '; fi
    [ -f "$file" ] || continue
    if [ -x "$file" ]; then
      text=$("$file" 2>&1) && status=0 || status=$?
    else
      text=$(cat -- "$file" 2>&1) && status=0 || status=$?
    fi
    rt_set "local_\${name%.fact}" "$status $text"
  done
fi
if wants hardware; then
  tell meminfo /proc/meminfo
  tell uptime /proc/uptime
  if [ -r /proc/cpuinfo ]; then
    rt_set cpuinfo "$(grep -E '^(processor|vendor_id|model name|Processor|cpu cores|siblings|physical id|core id|cpu|BogoMIPS|Hardware)[[:space:]]*:' /proc/cpuinfo)"
  fi
  rt_set nproc "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)"
  tell mounts /proc/mounts
  if [ -r /proc/mounts ]; then
    rt_set sizes "$(while read -r device place rest; do
      case $device in
        /*|*:/*) printf '%s|%s\n' "$(stat -f -c '%S %b %a %c %d' -- "$(printf '%b' "$place")" 2>/dev/null)" "$place" ;;
      esac
    done </proc/mounts)"
  fi
  rt_set uuids "$(for link in /dev/disk/by-uuid/*; do
    if [ -L "$link" ]; then printf '%s %s\n' "\${link##*/}" "$(readlink -f -- "$link")"; fi
  done)"
  rt_set blocks "$(for block in /sys/block/*; do
    case \${block##*/} in ram*|'*') continue ;; esac
    for key in size removable ro queue/rotational queue/hw_sector_size device/model device/vendor; do
      value=
      if [ -r "$block/$key" ]; then read -r value <"$block/$key" || :; fi
      printf '%s|%s|%s\n' "\${block##*/}" "$key" "$value"
    done
    for part in "$block"/*/partition; do
      [ -f "$part" ] || continue
      part=\${part%/partition}
      read -r start <"$part/start"; read -r size <"$part/size"
      printf '%s|part|%s %s %s\n' "\${block##*/}" "\${part##*/}" "$start" "$size"
    done
  done)"
fi
if wants hardware || wants virtual; then
  rt_set dmi "$(for key in bios_date bios_vendor bios_version board_asset_tag board_name board_serial board_vendor board_version chassis_asset_tag chassis_serial \
    chassis_vendor chassis_version product_name product_serial product_uuid product_version sys_vendor; do
    value=NA
    if [ -r "/sys/devices/virtual/dmi/id/$key" ]; then read -r value 2>/dev/null <"/sys/devices/virtual/dmi/id/$key" || :; fi
    printf '%s|%s\n' "$key" "$value"
  done)"
fi
if wants virtual; then
  tell cgroup /proc/1/cgroup
  if [ -f /.dockerenv ] || [ -f /.dockerinit ]; then rt_set dockerenv 1; fi
  if [ -f /run/.containerenv ]; then rt_set containerenv 1; fi
  if [ -r /proc/1/environ ]; then rt_set container "$(tr '\000' '\012' </proc/1/environ 2>/dev/null | sed -n 's/^container=//p')"; fi
  if [ -d /proc/xen ]; then rt_set xen 1; fi
  if [ -c /dev/kvm ]; then rt_set kvm_host 1; fi
  if grep -q '^flags.* hypervisor' /proc/cpuinfo 2>/dev/null; then rt_set hypervisor 1; fi
fi
if wants network; then
  if has ip; then
    rt_set addresses "$(ip -o addr 2>/dev/null)"
    rt_set route4 "$(ip -4 route get 8.8.8.8 2>/dev/null | head -n 1)"
    rt_set route6 "$(ip -6 route get 2404:6800:400a:800::1012 2>/dev/null | head -n 1)"
  else
    rt_set ifconfig "$(ifconfig -a 2>/dev/null)"
  fi
  rt_set links "$(for link in /sys/class/net/*; do
    [ -d "$link" ] || continue
    for key in address mtu operstate type flags speed; do
      value=
      { read -r value <"$link/$key" || :; } 2>/dev/null
      printf '%s|%s|%s\n' "\${link##*/}" "$key" "$value"
    done
    if [ -d "$link/bridge" ]; then printf '%s|bridge|1\n' "\${link##*/}"; fi
    if [ -d "$link/bonding" ]; then printf '%s|bonding|1\n' "\${link##*/}"; fi
    if [ -e "$link/device" ]; then printf '%s|module|%s\n' "\${link##*/}" "$(readlink -- "$link/device/driver/module" 2>/dev/null)"; fi
  done)"
fi
exit 0
`
