#!/usr/bin/env bash
# Image proxpanel/node, the base of the panel's: busybox, this machine's Node and its npm, from nothing. Also as node.tar
# for the production host's own engine.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
NODE=$(node -p process.execPath) FOLDER=$LAB/node
want=$(stamp "$0" "$(node -v)" "$(npm -v 2>/dev/null)")
if ! is_fresh "$FOLDER" "$want"; then
  log 'image proxpanel/node'
  rm -rf --one-file-system "$FOLDER" "$FOLDER.stamp"
  mkdir -p "$FOLDER"/{bin,sbin,usr/bin,usr/sbin,usr/local/bin,usr/local/lib/node_modules,etc,tmp,root}; chmod 1777 "$FOLDER/tmp"
  cp "$(dpkg-query -L busybox-static | grep -m1 '/bin/busybox$')" "$FOLDER/bin/busybox"
  chroot "$FOLDER" /bin/busybox --install -s
  copy_program "$FOLDER" "$NODE"
  [ "$NODE" = /usr/local/bin/node ] || ln -s "$NODE" "$FOLDER/usr/local/bin/node"
  # Not beside Node where that came by itself, as `npx -p node@24` brings it.
  cp -a "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$FOLDER/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$FOLDER/usr/local/bin/npm"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$FOLDER/etc/passwd"; printf 'root:x:0:\n' >"$FOLDER/etc/group"
  printf '%s\n' "$want" >"$FOLDER.stamp"
fi
import_root "$FOLDER" proxpanel/node "$want" --change 'CMD ["node"]'
is_fresh "$LAB/node.tar" "$want" || { docker save -o "$LAB/node.tar" proxpanel/node; printf '%s\n' "$want" >"$LAB/node.tar.stamp"; }
