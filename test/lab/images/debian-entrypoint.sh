#!/bin/sh
# The first process of a lab host: host key, the caller's public key, services asked for, then sshd in the foreground.
#   AUTHORIZED_KEY  public key for root and deploy
#   SERVICES        "postgres" starts the cluster
#   SSH_LISTEN      address:port, default 0.0.0.0:22
set -eu
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for home in /root /home/deploy; do
  printf '%s\n' "${AUTHORIZED_KEY:-}" >"$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
done
chown deploy: /home/deploy/.ssh/authorized_keys
case " ${SERVICES:-} " in *' postgres '*) pg_ctlcluster 15 main start ;; esac
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -o "ListenAddress=${SSH_LISTEN:-0.0.0.0:22}"
