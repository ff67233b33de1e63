# What the lab's scripts share. Source it: . "$(dirname "$0")/lab.sh"
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Everything the lab makes lies in one folder: `setup.sh down` and `rm -rf` leave nothing behind.
LAB=${ROTA_LAB:-$ROOT/.lab}
mkdir -p "$LAB"

log() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# need PACKAGE... - Debian packages, installed when missing; waits for another apt, never asks.
need() {
  local name missing=()
  for name in "$@"; do
    case $(dpkg-query -W -f='${db:Status-Abbrev}' "$name" 2>/dev/null) in ii*) ;; *) missing+=("$name") ;; esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "missing packages, and not root: apt-get install ${missing[*]}"
  log "apt: ${missing[*]}"
  local options=(-qq -y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
  export DEBIAN_FRONTEND=noninteractive
  apt-get "${options[@]}" install "${missing[@]}" >"$LAB/apt.log" 2>&1 ||
    { apt-get -qq update >>"$LAB/apt.log" 2>&1 && apt-get "${options[@]}" install "${missing[@]}" >>"$LAB/apt.log" 2>&1; } ||
    { tail -20 "$LAB/apt.log" >&2; die "apt-get install failed: ${missing[*]}"; }
}

# stamp FILE... WORD... - a short hash of everything that decides what is built.
stamp() { for part in "$@"; do if [ -f "$part" ]; then cat "$part"; else printf '%s\n' "$part"; fi; done | sha256sum | cut -c1-16; }
is_fresh() { [ "$(cat "$1.stamp" 2>/dev/null)" = "$2" ]; }

# import_root FOLDER TAG STAMP [docker import options...] - a root file system as an image, unless that image is there.
import_root() {
  local folder=$1 tag=$2 want=$3; shift 3
  [ "$(docker image inspect -f '{{index .Config.Labels "rota.stamp"}}' "$tag" 2>/dev/null)" != "$want" ] || return 0
  log "importing $tag"
  tar -C "$folder" --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . |
    docker import "$@" --change "LABEL rota.stamp=$want" - "$tag" >/dev/null
}

# copy_program ROOT BINARY - a program and the libraries it needs, at the same places below ROOT.
copy_program() {
  local root=$1 file
  for file in "$2" $(ldd "$2" | grep -o '/[^ )]*'); do
    mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"
  done
}

# stop_pid FILE - ends one process that the lab started, by its id, and waits for it.
stop_pid() {
  local file=$1 pid i
  [ -s "$file" ] || return 0
  pid=$(cat "$file"); kill -TERM "$pid" 2>/dev/null || { rm -f "$file"; return 0; }
  for ((i = 0; i < 200; i++)); do kill -0 "$pid" 2>/dev/null || { rm -f "$file"; return 0; }; sleep 0.05; done
  kill -KILL "$pid" 2>/dev/null || true; rm -f "$file"
}
