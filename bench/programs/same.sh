#!/bin/sh
# Runs a command and prints "same" if it prints what FILE holds. For programs whose output differs from version to
# version, such as compilers: their prepare script makes FILE with the same command and no allocator.
# Usage: same.sh FILE COMMAND [ARGUMENT...]
set -eu
expected=$1
shift
"$@" </dev/null >"$expected.now"
cmp "$expected" "$expected.now" >&2
echo same
