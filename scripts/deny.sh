#!/usr/bin/env bash
# The dependency policy of deny.toml. Its fourth check, advisories, fetches a database from GitHub: see there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_rust
cd "$root"
heading "dependency policy"
if ! has cargo-deny; then
  note "building cargo-deny into $tools: a few minutes, once"
  # Unoptimised: it runs for a second, and builds in half the time. With a target folder of its own, so that the
  # workspace's is not disturbed.
  slowly "building cargo-deny" cargo install cargo-deny --version 0.20.2 --locked --debug --root "$tools" --target-dir "$tools/build" ||
    die "cargo install cargo-deny has failed"
  rm -rf "$tools/build"
fi
cargo deny check bans licenses sources
