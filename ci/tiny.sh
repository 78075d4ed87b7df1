#!/bin/sh
# The allocator's own tests at the small geometry, where full chunks and second regions are common.
# Arguments are passed on to the test programs.
set -eu
cd "$(dirname "$0")/.."

export RUSTFLAGS='--cfg tiny'
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/tiny"

cargo test --package mallow-units --package mallow-ds --package mallow-sys --package mallow-heap -- "$@"
