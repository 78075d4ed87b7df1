#!/bin/sh
# Builds the Rust program with one allocator crate: build.sh ALLOCATOR OUTFILE.
#
# ALLOCATOR is a name of the suite. Exits with 3 and the reason if there is no program for it here. Cargo's files
# go to rust-program in CARGO_TARGET_DIR, which is target/bench if it is not set.
set -eu

fail() {
    echo "rust-program: $*" >&2
    exit "$status"
}

status=2
[ $# -eq 2 ] || fail 'usage: build.sh ALLOCATOR OUTFILE'
allocator=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$2")" "${CARGO_TARGET_DIR:=$here/../../target/bench}"
outfile=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
# One folder for each, or every build would throw the last one's program away.
CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)/rust-program/$allocator
export CARGO_TARGET_DIR

status=3
case $allocator in
    glibc) features= ;;
    mallow | mimalloc3 | mimalloc2 | jemalloc) features=$allocator ;;
    snmalloc)
        command -v cmake >/dev/null || fail 'the crate snmalloc-rs needs cmake, which is not installed'
        features=$allocator
        ;;
    *) fail "$allocator is not compared as a crate; mallow, mimalloc, tikv-jemallocator and snmalloc-rs are" ;;
esac

status=1
cd "$here"
cargo build --quiet --locked --release --features "$features" ||
    fail "the program could not be built with $allocator"
cp "$CARGO_TARGET_DIR/release/rust-program" "$outfile"
