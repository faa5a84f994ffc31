#!/usr/bin/env bash
# `make demo`: installs what is missing, builds, chooses a systemd, and runs tour.sh beside it.
# Nothing of it stays: units, processes and state are gone when it ends, also by Ctrl-C.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$root/tests/sandbox/lib.sh"

own_manager_works() {
  # `sudo` and `su` leave the variables of another user behind.
  [ -O "${XDG_RUNTIME_DIR:-/run/user/$EUID}" ] && has busctl && systemd_on_bus --user >/dev/null 2>&1
}

cd "$root"
heading "what the demo needs"
need_rust
need setpriv=util-linux setsid=util-linux
has temporal || [ -n "${DIXMGR_TEMPORAL:-}" ] || note "no temporal on the PATH: dixmgr will fetch one, or build it with Go"
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$EUID}
sandbox=() private=
if own_manager_works; then
  note "the units run under your own systemd (systemctl --user)"
else
  note "no user manager answers here: the units run under a private systemd, which ends with the demo"
  need systemctl=systemd dbus-daemon=dbus unshare=util-linux
  may_be_root || die "a private systemd needs root: run this as root, or install sudo"
  private=1 sandbox=("$root/tests/sandbox/user-manager.sh")
  if [ "$EUID" != 0 ]; then sandbox=(sudo env "PATH=$PATH" "DIXMGR_TEMPORAL=${DIXMGR_TEMPORAL:-}" "${sandbox[@]}"); fi
fi

heading "building dixmgr"
cargo build --workspace --bin dixmgr

# Ctrl-C is for the tour, which cleans up and comes back here.
trap : INT TERM
"${sandbox[@]}" env ONCE="${ONCE:-}" PRIVATE=$private DIXMGR="$target/debug/dixmgr" "$root/conf/demo/tour.sh"
