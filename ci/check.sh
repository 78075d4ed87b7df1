#!/bin/sh
# Everything that can be said about the sources without running a test. No arguments.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace
cargo xtask all

if command -v shellcheck >/dev/null; then
    shellcheck ci/*.sh .ci/run
else
    echo 'skipped: shellcheck: it is not installed'
fi
if command -v cargo-deny >/dev/null; then
    cargo deny check
else
    echo 'skipped: cargo deny: it is not installed'
fi
