#!/usr/bin/env bash
# All tests: one build of the workspace in one profile, then everything. Arguments go to cargo test.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/lib.sh"

"$here/setup.sh"
cd "$root"
heading "building the workspace and its tests"
cargo build --workspace --bin dixmgr # what the end-to-end tests run
cargo test --workspace --no-run "$@"
if [ "$EUID" != 0 ]; then note "not root: tests that start a systemd of their own will say SKIPPED"; fi
heading "running the tests"
# Those that take long wait more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
# One failure does not hide another.
cargo test --workspace --no-fail-fast "$@"
