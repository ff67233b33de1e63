#!/usr/bin/env bash
# Image proxpanel/postgres: PostgreSQL 15 from the Debian root on busybox, with the official image's manners (see
# postgres-entrypoint.sh). Also as postgres.tar for the production host's own engine.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
HERE=$(cd "$(dirname "$0")" && pwd) FOLDER=$LAB/postgres DEBIAN=$LAB/debian
want=$(stamp "$0" "$HERE/postgres-entrypoint.sh" "$DEBIAN.stamp")
if ! is_fresh "$FOLDER" "$want"; then
  log 'image proxpanel/postgres'
  rm -rf --one-file-system "$FOLDER" "$FOLDER.stamp"
  mkdir -p "$FOLDER"/{bin,sbin,usr/bin,usr/sbin,usr/local/bin,etc,tmp,root,run,var/lib/postgresql}; chmod 1777 "$FOLDER/tmp"
  cp "$(dpkg-query -L busybox-static | grep -m1 '/bin/busybox$')" "$FOLDER/bin/busybox"
  chroot "$FOLDER" /bin/busybox --install -s
  tar -C "$DEBIAN" -c usr/lib/postgresql/15 usr/share/postgresql/15 usr/share/zoneinfo | tar -C "$FOLDER" -x
  # the libraries of every program and extension, asked of the Debian root's own loader
  (cd "$DEBIAN" && find usr/lib/postgresql/15 -type f \( -path '*/bin/*' -o -name '*.so' \)) | sed 's,^,/,' |
    xargs chroot "$DEBIAN" ldd 2>/dev/null | grep -o '/[^ ):]*\.so[^ ):]*' | sort -u |
    while read -r file; do mkdir -p "$FOLDER$(dirname "$file")"; cp -L "$DEBIAN$file" "$FOLDER$file"; done
  for program in "$FOLDER"/usr/lib/postgresql/15/bin/*; do ln -s "../lib/postgresql/15/bin/$(basename "$program")" "$FOLDER/usr/bin/"; done
  printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh\n' >"$FOLDER/etc/passwd"
  printf 'root:x:0:\npostgres:x:999:\n' >"$FOLDER/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$FOLDER/etc/nsswitch.conf"
  install -d -o 999 -g 999 "$FOLDER/var/lib/postgresql" "$FOLDER/run/postgresql"
  ln -s ../run "$FOLDER/var/run"
  install -m755 "$HERE/postgres-entrypoint.sh" "$FOLDER/entrypoint.sh"
  printf '%s\n' "$want" >"$FOLDER.stamp"
fi
import_root "$FOLDER" proxpanel/postgres "$want" --change 'ENTRYPOINT ["/entrypoint.sh"]' --change 'CMD ["postgres"]' \
  --change 'VOLUME /var/lib/postgresql/data' --change 'EXPOSE 5432'
is_fresh "$LAB/postgres.tar" "$want" || { docker save -o "$LAB/postgres.tar" proxpanel/postgres; printf '%s\n' "$want" >"$LAB/postgres.tar.stamp"; }
