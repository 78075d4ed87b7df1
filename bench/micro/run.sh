#!/bin/sh
# Nanoseconds per operation, allocator by allocator: run.sh [--only TEXT] [ROUNDS] [NAME[=LIBRARY]]...
#
# Runs micro with each allocator in turn, ROUNDS (5) times over, and prints a table of the best figures. The
# fastest of a line is marked with a star, and so is what is within 1 % of it. NAME alone is mallow, glibc, or a
# peer that bench/peers can build; without any, all of them. NAME=LIBRARY is any other library that replaces malloc
# when it is preloaded. --only limits the lines to those that have TEXT in their names. The table goes to standard
# output, progress to standard error.
set -eu

fail() {
    echo "micro: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=$root/bench/peers
target=$(cd "$root" && mkdir -p "${CARGO_TARGET_DIR:-target}" && realpath "${CARGO_TARGET_DIR:-target}")
CC=${CC:-gcc}
command -v "$CC" >/dev/null || fail "$CC is not installed"

only=
if [ "${1:-}" = --only ]; then
    [ $# -ge 2 ] || fail '--only needs a text'
    only=$2
    shift 2
fi
rounds=5
case ${1:-} in
*[!0-9]* | '') ;;
*)
    rounds=$1
    shift
    ;;
esac
[ "$rounds" -gt 0 ] || fail 'at least one round is needed'
# shellcheck disable=SC2046 # one word per allocator is meant
[ $# -gt 0 ] || set -- $(sed -n 's/^\[\(.*\)\]$/\1/p' "$peers/peers.toml") glibc

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# Prints the library of an allocator, which is built if need be; nothing for glibc, which is in every process.
library_of() {
    case $1 in
    *=*) realpath "${1#*=}" ;;
    glibc) ;;
    mallow)
        (cd "$root" && cargo build --quiet --release --package mallow-malloc) >&2
        echo "$target/release/libmallow.so"
        ;;
    *)
        "$peers/build.sh" "$1" "$target/bench/peers" >&2
        echo "$target/bench/peers/lib$1.so"
        ;;
    esac
}

# Prints the variables that an allocator needs, one NAME=VALUE per line, from `env = { NAME = "VALUE", ... }`.
environment_of() {
    awk -v section="[$1]" '
        /^\[/ { is_here = $0 == section }
        is_here && sub(/^env *= *\{ */, "") {
            sub(/ *\} *$/, "")
            gsub(/"/, "")
            gsub(/ *, */, "\n")
            gsub(/ *= */, "=")
            print
        }' "$peers/peers.toml"
}

# Without -fno-builtin, the compiler may leave out a malloc whose block is freed at once. The C++ library is for
# glibc, which has no operators.
"$CC" -O2 -Wall -Wextra -fno-builtin -pthread -o "$scratch/micro" "$here"/*.c -Wl,--no-as-needed -lstdc++
"$CC" -O2 -static -o "$scratch/runner" "$root/bench/runner/runner.c"
for allocator in "$@"; do
    name=${allocator%%=*}
    if ! library=$(library_of "$allocator") || { [ -n "$library" ] && [ ! -f "$library" ]; }; then
        fail "there is no library of $name"
    fi
    echo "$library" >"$scratch/$name.library"
    environment_of "$name" >"$scratch/$name.environment"
done

for round in $(seq "$rounds"); do
    for allocator in "$@"; do
        name=${allocator%%=*}
        echo "micro: round $round of $rounds: $name" >&2
        # A virtual machine's memory that nobody has used for a while is slow at first.
        "$scratch/runner" --warm 1024
        # shellcheck disable=SC2046 # one word per variable is meant
        env $(cat "$scratch/$name.environment") LD_PRELOAD="$(cat "$scratch/$name.library")" \
            "$scratch/micro" "$only" >"$scratch/figures" || fail "micro failed with $name"
        sed "s/^/$name\t/" "$scratch/figures" >>"$scratch/all"
    done
done
[ -s "$scratch/all" ] || fail "no benchmark has $only in its name"

echo "Nanoseconds per operation, best of $rounds rounds; * is the fastest, or within 1 % of it."
awk -F '\t' '
    function text(ns) { return sprintf(ns < 99.95 ? "%.1f" : "%.0f", ns) }
    !($1 in is_allocator) { is_allocator[$1] = 1; allocators[++allocator_count] = $1 }
    !($2 in fastest) { lines[++line_count] = $2; fastest[$2] = $3 }
    !(($1, $2) in best) || $3 + 0 < best[$1, $2] { best[$1, $2] = $3 + 0 }
    $3 + 0 < fastest[$2] { fastest[$2] = $3 + 0 }
    length($2) > width { width = length($2) }
    END {
        printf "%-" width "s", ""
        for (i = 1; i <= allocator_count; i++) printf " %12s ", allocators[i]
        print ""
        for (line = 1; line <= line_count; line++) {
            name = lines[line]
            printf "%-" width "s", name
            for (i = 1; i <= allocator_count; i++) {
                ns = best[allocators[i], name]
                printf " %12s%s", text(ns), ns <= fastest[name] * 1.01 ? "*" : " "
            }
            print ""
        }
    }
' "$scratch/all" | sed 's/ *$//'
