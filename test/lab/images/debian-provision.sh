#!/bin/sh
# What makes a plain Debian a host of the lab; runs inside the new root.
set -eu
useradd -m -s /bin/bash deploy; usermod -p '*' deploy               # key only, sudo without a password
printf 'deploy ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/deploy
useradd -m -s /bin/bash carol; printf 'carol:sudo-pass\n' | chpasswd # password login, sudo asks for it
printf 'carol ALL=(ALL) ALL\n' >/etc/sudoers.d/carol
mkdir -p /run/sshd /root/.ssh /home/deploy/.ssh
chmod 700 /root/.ssh /home/deploy/.ssh; chown deploy: /home/deploy/.ssh
rm -f /etc/ssh/ssh_host_*                                            # each host makes its own at boot
cat >/etc/ssh/sshd_config.d/lab.conf <<'C'
PermitRootLogin prohibit-password
PasswordAuthentication yes
UseDNS no
MaxStartups 200:30:400
MaxSessions 100
C
cat >/etc/postgresql/15/main/conf.d/lab.conf <<'C'
listen_addresses = '*'
shared_buffers = 16MB
max_connections = 20
password_encryption = scram-sha-256
C
printf 'host all all 0.0.0.0/0 scram-sha-256\n' >>/etc/postgresql/15/main/pg_hba.conf
# PostgreSQL's just-in-time compiler is a quarter of the whole root and not needed here.
rm -f /usr/lib/x86_64-linux-gnu/libLLVM* /usr/lib/postgresql/15/lib/llvmjit.so
