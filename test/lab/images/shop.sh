#!/usr/bin/env bash
# Image rota-lab/shop: a host that boots systemd, with MariaDB, Redis and the shop, a web application that is nothing like the panel.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
import_root "$LAB/debian" rota-lab/debian "$(cat "$LAB/debian.stamp")"
want=$(stamp "$0" "$LAB/debian.stamp" "$HERE"/../shop/*)
[ "$(docker image inspect -f '{{index .Config.Labels "rota.stamp"}}' rota-lab/shop 2>/dev/null)" != "$want" ] || exit 0
log 'image rota-lab/shop (a minute)'
context=$(mktemp -d "$LAB/context.XXXXXX"); trap 'rm -rf "$context"' EXIT
cp "$HERE"/../shop/* "$context/"
cat >"$context/Dockerfile" <<'D'
FROM rota-lab/debian
RUN export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && \
    apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 \
      systemd systemd-sysv dbus mariadb-server redis-server python3 python3-pymysql python3-redis >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && \
    systemctl mask systemd-udevd systemd-resolved systemd-logind getty@tty1 console-getty dev-hugepages.mount sys-kernel-debug.mount \
      e2scrub_reap docker.service docker.socket containerd.service postgresql.service && \
    systemctl enable ssh mariadb redis-server && systemctl set-default multi-user.target
# A container has no user namespaces of its own to give away.
RUN mkdir -p /etc/systemd/system/redis-server.service.d && \
    printf '[Service]\nPrivateUsers=no\n' >/etc/systemd/system/redis-server.service.d/lab.conf
COPY server.py install.sh /opt/shop/
COPY shop.service /etc/systemd/system/shop.service
COPY boot.sh /boot.sh
EXPOSE 22
STOPSIGNAL SIGRTMIN+3
CMD ["/boot.sh"]
D
docker build -q --label "rota.stamp=$want" -t rota-lab/shop "$context" >/dev/null
