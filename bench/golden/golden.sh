#!/bin/sh
# Compares the machine code of the hot paths with the committed one: golden.sh [--write] LIBRARY.
#
# For each exported function below there is a file of assembly here. A difference is shown, to be looked at like
# any other change of code, and accepted with --write. Addresses are left out, so that code which moves makes no
# difference: jumps inside the function go to numbered labels, others to the name of the function; data is named by
# its symbol or section. What a slow function does is its own matter and not shown.
set -eu

fail() {
    echo "golden: $*" >&2
    exit 1
}

write=false
if [ "${1:-}" = --write ]; then
    write=true
    shift
fi
[ $# -eq 1 ] || fail 'usage: golden.sh [--write] LIBRARY, the released libmallow.so'
library=$1
[ -f "$library" ] || fail "there is no library $library"
here=$(cd "$(dirname "$0")" && pwd)
for tool in nm objdump; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# Prints the normalised assembly of an exported function.
assembly_of() {
    range=$(nm --dynamic --print-size --defined-only "$library" |
        awk -v name="$1" '$4 == name { print "0x" $1, "0x" $2 }')
    [ -n "$range" ] || fail "$library exports no function $1"
    first=${range% *}
    objdump --section-headers --wide "$library" >"$scratch/sections"
    objdump --disassemble --demangle --no-show-raw-insn --disassembler-options=intel --section=.text \
        --start-address="$first" --stop-address="$((first + ${range#* }))" "$library" >"$scratch/code"
    awk -f "$here/normalise.awk" "$scratch/sections" "$scratch/code"
}

differs=false
for function in malloc free _ZdlPvm; do
    golden=$here/$function.asm
    assembly_of "$function" >"$scratch/$function.asm"
    [ -s "$scratch/$function.asm" ] || fail "there is no code of $function in $library"
    if $write; then
        cp "$scratch/$function.asm" "$golden"
    elif [ ! -f "$golden" ]; then
        fail "there is no $golden; golden.sh --write makes it"
    elif ! diff -u "$golden" "$scratch/$function.asm"; then
        differs=true
    fi
done
if $differs; then
    fail 'a hot path has other machine code, see above; if that is meant, ci/instructions.sh --write accepts it'
fi
