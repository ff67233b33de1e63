#!/usr/bin/env bash
# setup.sh [hosts|engine|shop] - makes what the tests on real hosts need: packages, root file systems, images, an engine.
#   setup.sh hosts    root file systems for labhosts: Debian with sshd and PostgreSQL, busybox with dropbear
#   setup.sh engine   the same, and a private container engine with the production host's and the panel's images
#   setup.sh shop     hosts, the engine, and the image of the shop's host, which boots systemd
#   setup.sh down     ends the engine and all hosts; what was built stays
# Idempotent: what is there and made by the same recipe is kept. Says what it does; needs root and a Debian machine.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/lab.sh"
HERE=$ROOT/test/lab

hosts() {
  [ "$(id -u)" = 0 ] || die 'the lab needs root: namespaces, overlay mounts'
  need mmdebstrap busybox-static dropbear-bin openssh-client iproute2 iptables
  [ -s "$LAB/id" ] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB/id"
  "$HERE/images/debian.sh"
  "$HERE/images/tiny.sh"
}

engine() {
  hosts
  need docker.io
  eval "$("$HERE/engine.sh" up)"
  "$HERE/images/node.sh"
  "$HERE/images/postgres.sh"
  "$HERE/images/production.sh"
  log 'ready'
}

shop() {
  hosts
  need docker.io
  eval "$("$HERE/engine.sh" up)"
  "$HERE/images/shop.sh"
}

# One at a time: test files that run beside each other ask for the same things.
exec 9>"$LAB/.lock"; flock 9
case ${1:-engine} in
  hosts) hosts ;;
  engine) engine ;;
  shop) shop ;;
  down) "$HERE/labhosts" down; "$HERE/engine.sh" down ;;
  *) sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//'; exit 64 ;;
esac
