#!/usr/bin/env bash
# Runs the end-to-end tests N times in a row and stops at the first failure, whose output it shows.
#   flake.sh [N] [ARGUMENT OF cargo test…]
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/lib.sh"

times=${1:-10}
if (($#)); then shift; fi
[[ $times =~ ^[1-9][0-9]*$ ]] || die "how often? A number, not '$times'"
"$here/setup.sh"
cd "$root"
heading "building"
cargo build --workspace --bin dixmgr # what they run
cargo test --workspace --no-run --test e2e
log=$target/flake.log
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))} # as in test.sh
for ((i = 1; i <= times; i++)); do
  from=$SECONDS
  if ! cargo test --workspace --test e2e "$@" >"$log" 2>&1; then
    cat "$log"
    die "run $i of $times failed after $((SECONDS - from)) s; the output is kept in $log"
  fi
  note "run $i of $times: $(grep '^test result' "$log") ($((SECONDS - from)) s)"
done
