#!/usr/bin/env bash
# Runs a command beside a real `systemd --user` and its own D-Bus, and leaves nothing behind.
#   user-manager.sh COMMAND [ARGUMENT…]
# Needs root, and Debian's packages systemd, dbus and util-linux. Ready in about 0.2 s; exits with the command's status.
# Inside: XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS are set, `systemctl --user` works, units go to
# $XDG_RUNTIME_DIR/systemd/user. Processes, mounts, /run and cgroups are its own, so that many run side by side, and
# all of it dies with this script, even when that is killed. The network is shared. The folder $SANDBOX_KEEP below /run,
# if given, is the real one.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"

if [ -z "${DIXMGR_SANDBOX_STAGE:-}" ]; then
  enter_cgroup
  status=0
  DIXMGR_SANDBOX_STAGE=inner setpriv --pdeathsig KILL \
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@" || status=$?
  leave_cgroup
  exit "$status"
fi
unset DIXMGR_SANDBOX_STAGE

if [ -n "${SANDBOX_KEEP:-}" ]; then mount --bind "$SANDBOX_KEEP" /mnt; fi
mount -t tmpfs tmpfs /run
if [ -n "${SANDBOX_KEEP:-}" ]; then mkdir -p "$SANDBOX_KEEP" && mount --move /mnt "$SANDBOX_KEEP"; fi
export XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus
units=$XDG_RUNTIME_DIR/systemd/user
mkdir -p /run/systemd/system "$units/sockets.target.wants" # the first makes libsystemd believe that it was booted
chmod 700 "$XDG_RUNTIME_DIR"

# systemd joins only a bus that it runs itself. No default dependencies, no slice: the bus outlives everything else.
cat >"$units/dbus.socket" <<'UNIT'
[Unit]
DefaultDependencies=no
[Socket]
Slice=-.slice
ListenStream=%t/bus
UNIT
cat >"$units/dbus.service" <<'UNIT'
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
Requires=dbus.socket
[Service]
Slice=-.slice
ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --nosyslog --systemd-activation
UNIT
ln -s ../dbus.socket "$units/sockets.target.wants/dbus.socket"

/lib/systemd/systemd --user --log-target=null >/dev/null 2>&1 &
wait_for systemd_on_bus --user
systemctl --user is-system-running --wait >/dev/null || true # `degraded` is good enough

status=0
"$@" || status=$?
exit "$status"
