#!/usr/bin/env bash
# The root file system "debian": sshd, sudo, PostgreSQL 15 and a container engine, in one step and without a registry.
# labhosts boots hosts from it, production.sh makes the production host's image of it, postgres.sh takes the database.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
HERE=$(cd "$(dirname "$0")" && pwd) FOLDER=$LAB/debian
PACKAGES=openssh-server,sudo,procps,curl,iproute2,iptables,netcat-openbsd,postgresql-15,docker.io,ca-certificates
want=$(stamp "$HERE/debian.sh" "$HERE/debian-provision.sh" "$HERE/debian-entrypoint.sh")
if is_fresh "$FOLDER" "$want"; then exit 0; fi
log "root file system debian: $PACKAGES (about a minute)"
rm -rf --one-file-system "$FOLDER" "$FOLDER.stamp"
# shellcheck disable=SC2016 # $1 is mmdebstrap's, for its own shell
mmdebstrap --quiet --variant=minbase --mode=root --format=directory --include="$PACKAGES" \
  --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --customize-hook="copy-in $HERE/debian-provision.sh $HERE/debian-entrypoint.sh /" \
  --customize-hook='chroot "$1" sh /debian-provision.sh' \
  bookworm "$FOLDER" /etc/apt/sources.list.d/debian.sources >"$LAB/debian.log" 2>&1 ||
  { tail -20 "$LAB/debian.log" >&2; die 'mmdebstrap failed'; }
printf '%s\n' "$want" >"$FOLDER.stamp"
