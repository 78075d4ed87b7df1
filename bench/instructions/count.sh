#!/bin/sh
# Counts the instructions of an allocator's hot paths with callgrind: count.sh LIBRARY.
#
# Prints one line per path: its name and the instructions of one call, from the first of the exported function to
# its return, both included; for a pair, of both calls. paths.c says how they are measured. The figures depend on
# the library alone, so they can be compared between machines: tabs separate, and baseline.txt has the committed
# ones.
set -eu

fail() {
    echo "count: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail 'usage: count.sh LIBRARY, a library that replaces malloc when it is preloaded'
[ -f "$1" ] || fail "there is no library $1"
library=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
for tool in "${CC:=gcc}" valgrind; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# The C++ library is linked for allocators that leave the sized delete to it.
"$CC" -O2 -Wall -Wextra -pthread -o "$scratch/paths" "$here/paths.c" -Wl,--no-as-needed -lstdc++
if ! env LD_PRELOAD="$library" valgrind --quiet --tool=callgrind --combine-dumps=yes \
    --callgrind-out-file="$scratch/counts" "$scratch/paths" 2>"$scratch/log"; then
    tail -n 20 "$scratch/log" >&2
    fail "the paths of $library could not be counted; the end of the messages is above"
fi

# Each window ends as a part of the file that says its name first and its instructions afterwards.
awk '
    sub(/^desc: Trigger: Client Request: /, "") { window = $0; path = $1; calls = $2; next }
    /^desc: Trigger: / { window = ""; next }
    $1 == "totals:" && window != "" {
        if (!(path in shorter)) {
            paths[++path_count] = path
            shorter[path] = calls
        } else if (calls > shorter[path])
            longer[path] = calls
        # The cheapest: what is due by the clock comes on top of what the calls need.
        if (!(window in kept) || $2 < kept[window]) kept[window] = $2
        window = ""
    }
    function per_call(path, what) {
        return (kept[path " " longer[path] what] - kept[path " " shorter[path] what]) \
            / (longer[path] - shorter[path])
    }
    END {
        for (i = 1; i <= path_count; i++) {
            path = paths[i]
            # A function that only returns is one instruction, which goes missing in the subtraction.
            returns = path ~ /^pair/ ? 2 : 1
            printf "%s\t%.0f\n", path, per_call(path, "") - per_call(path, " nothing") + returns
        }
    }
' "$scratch/counts"
