#!/usr/bin/env bash
# Boots a real systemd as PID 1 with its own system bus, runs a command in there, and leaves nothing behind.
#   system-manager.sh COMMAND [ARGUMENT…]
# Needs root, a kernel with overlayfs, and Debian's packages systemd, dbus and util-linux. Up in about 2 s; exits with
# the command's status. Inside: a copy of this root in which everything may be written, `systemctl` works, units go to
# /etc/systemd/system. The folder of the command, the working directory and those in $SANDBOX_BIND (separated by ':')
# are the real ones. Processes, mounts, host name and cgroups are its own; all of it dies with this script, even when
# that is killed. The network is shared, unless this runs inside `ip netns exec NAME`.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"

if [ -z "${DIXMGR_SANDBOX_STAGE:-}" ]; then
  command=$(type -P -- "${1:?a command}") || sandbox_die "no such command: $1"
  command=$(realpath "$command"); shift
  outer=
  clean_up() {
    if [ -n "$outer" ]; then kill -KILL "$outer" && wait "$outer" || true; fi 2>/dev/null
    wait_for rmdir "$base"
    leave_cgroup
  }
  base=$(mktemp -d "${TMPDIR:-/tmp}/dixmgr-sandbox.XXXXXX")
  enter_cgroup
  trap clean_up EXIT
  DIXMGR_SANDBOX_STAGE=inner DIXMGR_SANDBOX_BASE=$base SANDBOX_BIND="$(dirname "$command"):$PWD:${SANDBOX_BIND:-}" \
    setpriv --pdeathsig KILL \
    unshare --mount --propagation private --pid --fork --kill-child --uts --ipc "$0" </dev/null >/dev/null & outer=$!
  booted() {
    inner=$(cut -d' ' -f1 "/proc/$outer/task/$outer/children")
    grep -q dixmgr-sandbox "/proc/$inner/root/run/systemd/container" && test -S "/proc/$inner/root/run/dbus/system_bus_socket"
  }
  wait_for booted
  inside() { nsenter --target "$inner" --mount --pid --uts --ipc --root --wd="/proc/$inner/root$PWD" "$@"; }
  export -f systemd_on_bus
  wait_for inside bash -c 'systemd_on_bus --system'
  inside systemctl is-system-running --wait >/dev/null || true # `degraded` is good enough
  status=0
  inside env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR "$command" "$@" || status=$?
  exit "$status"
fi

base=$DIXMGR_SANDBOX_BASE root=$DIXMGR_SANDBOX_BASE/root
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
IFS=: read -ra folders <<<"$SANDBOX_BIND"
for folder in "${folders[@]}"; do
  case $folder in "" | / | /usr | /usr/* | /bin | /sbin | /etc | /etc/*) continue ;; esac # in the copy already
  mkdir -p "$root$folder" && mount --bind "$folder" "$root$folder"
done

tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/etc/tmpfiles.d" && ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf" # it would empty /tmp, binds included
for unit in getty@tty1 console-getty systemd-{udevd,udev-trigger,logind,timesyncd,networkd,resolved,journal-flush}; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
done
unset DIXMGR_SANDBOX_STAGE DIXMGR_SANDBOX_BASE SANDBOX_BIND
exec chroot "$root" env container=dixmgr-sandbox /lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=false
