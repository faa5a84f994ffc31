#!/usr/bin/env bash
# Two versions of dixmgr in one fleet: builds the one of a revision, and runs the end-to-end test of an upgrade with it.
#   upgrade.sh REVISION
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/lib.sh"

revision=${1:?the revision of the version before, such as a tag}
"$here/setup.sh"
cd "$root"
before=$target/upgrade
heading "building $revision"
git worktree remove --force "$before" 2>/dev/null || true
git worktree add --quiet --detach "$before" "$revision"
trap 'git worktree remove --force "$before"' EXIT
(cd "$before" && CARGO_TARGET_DIR=$target/upgrade-target cargo build --workspace --bin dixmgr)
heading "building this one"
cargo build --workspace --bin dixmgr
DIXMGR_OTHER=$target/upgrade-target/debug/dixmgr cargo test --workspace --test e2e upgrade::
