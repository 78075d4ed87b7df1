#!/bin/sh
# Every interleaving of the protocols between threads. Arguments are passed on to the test program.
set -eu
cd "$(dirname "$0")/.."

export RUSTFLAGS='--cfg loom'
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
# Exploring wants speed and the protocols' own assertions, and no whole-program link.
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_LTO=off

cargo test --release --package mallow-ds --package mallow-buddy --test loom -- "$@"
cargo test --release --package mallow-kslab --test loom -- "$@"
