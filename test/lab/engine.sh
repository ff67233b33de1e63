#!/usr/bin/env bash
# engine.sh up|down|purge|env - a private container engine for the tests.
#   eval "$(./engine.sh up)"   starts it when needed and prints `export DOCKER_HOST=...`
#   down                       ends it with its containers, bridge and rules; images stay for the next time
#   purge                      down, and the images go too
# Own socket, data, process id and bridge: it never meets the machine's own dockerd.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/lab.sh"

RUN=$LAB/engine DATA=$LAB/docker
SOCKET=$RUN/docker.sock PIDFILE=$RUN/dockerd.pid
BRIDGE=rotalab0 BRIDGE_CIDR=10.213.0.1/17 POOL=10.213.128.0/17 RANGE=10.213.0.0/16

alive() { [ -s "$PIDFILE" ] && kill -0 "$(cat "$PIDFILE")" 2>/dev/null; }
answers() { DOCKER_HOST=unix://$SOCKET docker version >/dev/null 2>&1; }

up() {
  [ "$(id -u)" = 0 ] || die 'the engine needs root'
  need docker.io iptables iproute2
  alive || start
  environment
}

start() {
  local i
  mkdir -p "$RUN" "$DATA"
  # Nothing meant for a lab address may leave by the machine's own uplink: without a bridge the range is unreachable.
  ip route replace unreachable $RANGE metric 4294967295
  # dockerd keeps an old bridge's address in there and would put it over ours.
  rm -rf "$DATA/network"
  ip link show $BRIDGE >/dev/null 2>&1 || ip link add $BRIDGE type bridge
  ip addr replace $BRIDGE_CIDR dev $BRIDGE; ip link set $BRIDGE up
  # setsid, no stdin, no lock: it outlives the shell that starts it and holds nothing of it open.
  setsid dockerd --host "unix://$SOCKET" --data-root "$DATA" --exec-root "$RUN/exec" --pidfile "$PIDFILE" \
    --bridge $BRIDGE --default-address-pool "base=$POOL,size=26" --storage-driver overlay2 --ip 127.0.0.1 \
    --live-restore=false --shutdown-timeout 3 --log-level warn </dev/null >"$RUN/dockerd.log" 2>&1 9>&- &
  for ((i = 0; i < 600; i++)); do
    ! answers || { log 'engine up'; return 0; }
    [ $i -lt 40 ] || alive || break
    sleep 0.05
  done
  tail -20 "$RUN/dockerd.log" >&2; die 'the engine did not start'
}

down() {
  local ids table rule
  if alive; then
    ids=$(DOCKER_HOST=unix://$SOCKET docker ps -aq)
    # shellcheck disable=SC2086 # one id a word
    [ -z "$ids" ] || DOCKER_HOST=unix://$SOCKET docker rm -fv $ids >/dev/null
    DOCKER_HOST=unix://$SOCKET docker network prune -f >/dev/null
    stop_pid "$PIDFILE"
  fi
  # What dockerd leaves behind: a mounted namespace handle, and rules for the bridge (its FORWARD policy stays).
  umount "$RUN/exec/netns/default" 2>/dev/null || true
  for table in filter nat; do
    iptables -w 5 -t $table -S 2>/dev/null | grep -E -- " $BRIDGE( |\$)" | sed 's/^-A/-D/' | while read -r rule; do
      # shellcheck disable=SC2086 # one option a word
      iptables -w 5 -t $table $rule 2>/dev/null || true
    done
  done
  ip link del $BRIDGE 2>/dev/null || true
  ip route del unreachable $RANGE metric 4294967295 2>/dev/null || true
  log 'engine down'
}

environment() {
  printf 'export DOCKER_HOST=unix://%s\n' "$SOCKET"
  printf 'export DOCKER_API_VERSION=1.41\n'           # a newer docker client against Debian 12's engine
  printf 'export DOCKER_BUILDKIT=0\n'                 # the classic builder needs no plugin
  printf 'export TESTCONTAINERS_RYUK_DISABLED=true\n' # no registry: the reaper's image cannot be pulled
  printf 'export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1\n'
}

case ${1:-} in
  up) up ;;
  down) down ;;
  env) alive || die 'the engine is down'; environment ;;
  purge) down; rm -rf --one-file-system "$DATA" "$RUN" ;;
  *) sed -n '2,5p' "$0" | sed 's/^# \{0,1\}//'; exit 64 ;;
esac
