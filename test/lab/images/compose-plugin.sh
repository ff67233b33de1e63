#!/usr/bin/env bash
# Prints a folder that holds a real `docker compose` v2 for Debian 12, which has only the Python v1. Debian 13 packages v2 as
# a plugin that needs nothing but libc: just that package is taken, by apt with lists and a cache of its own, signatures
# checked by the keyring that Debian 12 has. The machine's own apt configuration stays as it is.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
FOLDER=$LAB/compose
[ ! -x "$FOLDER/docker-compose" ] || { printf '%s\n' "$FOLDER"; exit 0; }
log 'docker compose v2 from Debian 13'
work=$(mktemp -d "$LAB/trixie.XXXXXX"); trap 'rm -rf "$work"' EXIT; chmod 755 "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,files} "$FOLDER"
# the machine's own mirror: the first stanza is the main archive
awk 'BEGIN{RS=""} NR==1' /etc/apt/sources.list.d/debian.sources | sed '/^#/d; s/^Suites:.*/Suites: trixie/' >"$work/trixie.sources"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/trixie.sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
"${apt[@]}" update >&2
(cd "$work" && "${apt[@]}" download docker-compose/trixie >&2)
for package in "$work"/*.deb; do dpkg -x "$package" "$work/files"; done
install -m755 "$work/files/usr/libexec/docker/cli-plugins/docker-compose" "$FOLDER/"
printf '%s\n' "$FOLDER"
