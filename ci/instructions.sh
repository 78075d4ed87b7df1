#!/bin/sh
# The hot paths of the released library: their instruction counts against bench/instructions/baseline.txt, and
# their machine code against bench/golden. With --write, what is found becomes what is expected.
#
# A path may take 1 % more than the baseline, an average of many calls one instruction besides, and never more than
# its bar. Both depend on the compiler, which is pinned, and not on the machine. What is missing on a machine
# (valgrind, binutils, x86-64) is named, and its half is skipped.
set -eu
cd "$(dirname "$0")/.."

write=
case "$*" in
'') ;;
--write) write=--write ;;
*)
    echo 'instructions: usage: ci/instructions.sh [--write]' >&2
    exit 2
    ;;
esac

if [ "$(uname -m)" != x86_64 ]; then
    echo 'skipped: instruction counts and machine code: the expected ones are for x86-64'
    exit 0
fi

# The tools that one half needs; says which are missing.
can() {
    what=$1
    shift
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null; then
            echo "skipped: $what: $tool is not installed"
            return 1
        fi
    done
}

cargo build --quiet --release --package mallow-malloc
library=${CARGO_TARGET_DIR:-target}/release/libmallow.so
baseline=bench/instructions/baseline.txt
holds=true

if can 'instruction counts' "${CC:-gcc}" valgrind; then
    counts=$(mktemp)
    trap 'rm -f "$counts"' EXIT
    bench/instructions/count.sh "$library" >"$counts"
    if [ -n "$write" ]; then
        awk -f bench/instructions/update.awk "$counts" "$baseline" >"$counts.new"
        mv "$counts.new" "$baseline"
    fi
    awk -f bench/instructions/compare.awk "$baseline" "$counts" || holds=false
fi

if can 'machine code of the hot paths' nm objdump; then
    # shellcheck disable=SC2086 # no word if there is nothing to write
    bench/golden/golden.sh $write "$library" || holds=false
fi

$holds || exit 1
echo 'instructions: hold'
