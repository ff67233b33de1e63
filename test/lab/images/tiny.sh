#!/usr/bin/env bash
# The root file system "tiny": the smallest SSH host, static busybox and dropbear and nothing else. No bash, Python, perl,
# scp, sftp, sudo. labhosts boots it.
# shellcheck source=test/lab/lab.sh
. "$(dirname "$0")/../lab.sh"
HERE=$(cd "$(dirname "$0")" && pwd) FOLDER=$LAB/tiny
want=$(stamp "$0" "$HERE/tiny-init.sh" "$(dpkg-query -W busybox-static dropbear-bin)")
if is_fresh "$FOLDER" "$want"; then exit 0; fi
log 'root file system tiny'
rm -rf --one-file-system "$FOLDER" "$FOLDER.stamp"
mkdir -p "$FOLDER"/{bin,sbin,usr/bin,usr/sbin,etc/dropbear,root/.ssh,home/deploy/.ssh,proc,sys,dev/pts,tmp,run,var/log}
chmod 1777 "$FOLDER/tmp"; chmod 700 "$FOLDER/root" "$FOLDER/root/.ssh" "$FOLDER/home/deploy/.ssh"
# By dpkg-query, not by PATH: another busybox may come first there.
cp "$(dpkg-query -L busybox-static | grep -m1 '/bin/busybox$')" "$FOLDER/bin/busybox"
chroot "$FOLDER" /bin/busybox --install -s
# su needs the setuid bit: on a copy, as distributions do it.
cp "$FOLDER/bin/busybox" "$FOLDER/bin/busybox-suid"; chmod 4755 "$FOLDER/bin/busybox-suid"; ln -sf busybox-suid "$FOLDER/bin/su"
copy_program "$FOLDER" /usr/sbin/dropbear
copy_program "$FOLDER" /usr/bin/dropbearkey
cp -L --parents /lib/x86_64-linux-gnu/libnss_files.so.2 "$FOLDER"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\ndeploy:x:1000:1000:deploy:/home/deploy:/bin/sh\n' >"$FOLDER/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\ndeploy:x:1000:\n' >"$FOLDER/etc/group"
printf 'root:*:19000:0:99999:7:::\ndeploy:*:19000:0:99999:7:::\n' >"$FOLDER/etc/shadow"; chmod 600 "$FOLDER/etc/shadow"
printf '/bin/sh\n' >"$FOLDER/etc/shells"
printf 'passwd: files\ngroup: files\nshadow: files\n' >"$FOLDER/etc/nsswitch.conf"
chown -R 1000:1000 "$FOLDER/home/deploy"
install -m755 "$HERE/tiny-init.sh" "$FOLDER/init"
printf '%s\n' "$want" >"$FOLDER.stamp"
