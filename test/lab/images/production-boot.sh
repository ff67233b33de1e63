#!/bin/sh
# The first process of the production host: control groups as an engine wants them, the engine, its images, sshd.
set -eu
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  # Version 2: processes may not stay in the root group when it hands out controllers (as Docker's own dind does it).
  mount -o remount,rw /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init
  xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
  sed 's/ / +/g; s/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
else
  mount -o remount,rw /sys; umount -R /sys/fs/cgroup 2>/dev/null || true
  mount -t tmpfs cgroup /sys/fs/cgroup
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir -p "/sys/fs/cgroup/$controller"; mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
  done
fi
rm -f /run/docker.pid /run/docker/containerd/containerd.pid
dockerd --storage-driver overlay2 --bip 10.214.0.1/24 --default-address-pool base=10.214.128.0/17,size=26 \
  --log-level warn >/var/log/dockerd.log 2>&1 </dev/null &
until docker version >/dev/null 2>&1; do sleep 0.1; done
for image in /images/*.tar; do docker load -qi "$image"; done
printf 'DOCKER_BUILDKIT=0\n' >>/etc/environment
exec /debian-entrypoint.sh
