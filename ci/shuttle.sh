#!/bin/sh
# The whole heap under random schedules, at the normal geometry and at the small one where rare paths are common.
# SHUTTLE_SCHEDULES says how many schedules of each kind a scenario gets. Arguments are passed on to the test program.
set -eu
cd "$(dirname "$0")/.."

built="${CARGO_TARGET_DIR:-target}"
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_LTO=off

for geometry in normal tiny; do
    flags='--cfg shuttle'
    [ "$geometry" = normal ] || flags="$flags --cfg $geometry"
    echo "==> shuttle, $geometry geometry"
    RUSTFLAGS="$flags" CARGO_TARGET_DIR="$built/shuttle-$geometry" \
        cargo test --release --package mallow-heap --test shuttle -- "$@"
done
