#!/usr/bin/env bash
# Formatting and clippy, as CI has them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_rust
cd "$root"
heading "formatting"
cargo fmt --all --check
heading "clippy"
cargo clippy --workspace --all-targets -- -D warnings
