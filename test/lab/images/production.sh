#!/usr/bin/env bash
# Image rota-lab/production: a production host with sshd, a container engine of its own and `docker compose` v2.
# The panel's images wait in /images and are loaded by the host's own engine when it boots.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
import_root "$LAB/debian" rota-lab/debian "$(cat "$LAB/debian.stamp")"
plugins=$("$HERE/compose-plugin.sh")
want=$(stamp "$0" "$HERE/production-boot.sh" "$LAB/debian.stamp" "$plugins/docker-compose")
[ "$(docker image inspect -f '{{index .Config.Labels "rota.stamp"}}' rota-lab/production 2>/dev/null)" != "$want" ] || exit 0
log 'image rota-lab/production'
context=$(mktemp -d "$LAB/context.XXXXXX"); trap 'rm -rf "$context"' EXIT
cp "$HERE/production-boot.sh" "$plugins/docker-compose" "$context/"
cat >"$context/Dockerfile" <<'D'
FROM rota-lab/debian
COPY docker-compose /usr/libexec/docker/cli-plugins/docker-compose
COPY production-boot.sh /boot.sh
VOLUME /var/lib/docker
EXPOSE 22
CMD ["/boot.sh"]
D
docker build -q --label "rota.stamp=$want" -t rota-lab/production "$context" >/dev/null
