#!/usr/bin/env bash
# Builds what is shipped and measures it beside a private systemd and a Temporal dev server. Arguments go to bench/bench.py;
# bench/fleet.py measures the fleet, bench/senses.py the senses, bench/alerts.py alerts, bench/agree.py lays its figures beside those
# of ps and pidstat.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/lib.sh"

"$here/setup.sh"
cd "$root"
has monit || unpack monit usr/bin/monit || note "no Monit to compare with"
heading "building what is shipped: some minutes, for its size"
cargo build --profile dist --workspace --bin dixmgr --example cost --example check_cost --example rules_cost
may_be_root || die "the private systemd needs root: run this as root, or install sudo"
heading "measuring"
measure() { # PROGRAM [ARGUMENT…]
  as_root env "PATH=$PATH" "BENCH_IDLE=${BENCH_IDLE:-60}" "$root/tests/sandbox/user-manager.sh" \
    python3 "$root/bench/$1" --dixmgr "$target/dist/dixmgr" --results "$target/bench" "${@:2}"
}
measure bench.py "$@"
measure fleet.py
measure senses.py --examples "$target/dist/examples"
measure alerts.py --examples "$target/dist/examples"
measure agree.py
