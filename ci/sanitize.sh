#!/bin/sh
# The heap's tests under ThreadSanitizer and AddressSanitizer, at the normal and at the small geometry.
#
# RUSTC_BOOTSTRAP lets the pinned stable compiler take -Zsanitizer. The standard library stays as it was built, without
# instrumentation: the sanitizers see every access and every atomic of our code, and of std only what it does through libc
# (threads begin and join) or what is compiled into ours. A test that orders two threads by std's own locks or channels
# alone looks like a race to ThreadSanitizer; ci/tsan.supp lists what the harness itself needs.
set -eu
cd "$(dirname "$0")/.."

export RUSTC_BOOTSTRAP=1
target=x86_64-unknown-linux-gnu
built="${CARGO_TARGET_DIR:-target}"
# Without leak checking: the heap under test keeps its memory to the end of the process, on purpose.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:abort_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:suppressions=$PWD/ci/tsan.supp}"

# Instrumented code is some ten times slower; ci/test.sh runs the full number of sequences.
export PROPTEST_CASES="${PROPTEST_CASES:-12}"

for sanitizer in thread address; do
    for geometry in normal tiny; do
        flags="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer"
        [ "$geometry" = normal ] || flags="$flags --cfg $geometry"
        echo "==> the $sanitizer sanitizer, $geometry geometry"
        RUSTFLAGS="$flags" CARGO_TARGET_DIR="$built/sanitize-$sanitizer-$geometry" \
            cargo test --package mallow-heap --test model --test failing_os --test threads --target "$target" -- "$@"
    done
done
