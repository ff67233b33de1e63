#!/bin/sh
# The first process of a tiny host: host key, the caller's public key, then dropbear in the foreground.
[ -f /etc/dropbear/ed25519 ] || dropbearkey -t ed25519 -f /etc/dropbear/ed25519 >/dev/null 2>&1
for home in /root /home/deploy; do
  printf '%s\n' "$AUTHORIZED_KEY" >"$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
done
chown 1000:1000 /home/deploy/.ssh/authorized_keys
exec dropbear -F -E -s -r /etc/dropbear/ed25519 -p "${SSH_LISTEN:-22}"
