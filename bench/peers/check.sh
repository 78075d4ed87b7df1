#!/bin/sh
# Shows that a library that build.sh made is in effect and really serves programs: check.sh NAME OUTDIR.
#
# Prints which object each function of the malloc family resolves to. Fails with a sentence at the first thing that
# is not as it must be. NAME may also be mallow, with the folder that libmallow.so is in.
set -eu

fail() {
    echo "peers: $*" >&2
    exit 1
}

[ $# -eq 2 ] || fail 'usage: check.sh NAME OUTDIR'
name=$1
library=$(cd "$2" && pwd)/lib$name.so
[ -f "$library" ] || fail "$library is not there; build.sh $name OUTDIR makes it"
here=$(cd "$(dirname "$0")" && pwd)

# What the suite gives this allocator as well: NAME=VALUE pairs, which hold no spaces.
variables=$(sed -n "/^\[$name\]/,/^\[/s/^env = { *\(.*\) }\$/\1/p" "$here/peers.toml" | sed 's/ = /=/g; s/[",]//g')

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
"${CC:-gcc}" -O2 -Wall -Wextra -fno-builtin -pthread -o "$scratch/blocks" "$here/check/blocks.c"
"${CXX:-g++}" -O2 -Wall -Wextra -std=c++17 -fno-builtin -pthread -o "$scratch/objects" "$here/check/objects.cpp"

# Runs a program under the library, for at most a minute.
under() {
    # shellcheck disable=SC2086 # one word per variable is meant
    timeout 60 env $variables "LD_PRELOAD=$library" "$@" || fail "$name does not serve $(basename "$1")"
}
under "$scratch/blocks" "$library"
under "$scratch/objects"
if command -v python3 >/dev/null; then
    PYTHONMALLOC=malloc under python3 "$here/check/program.py" "$library" "$name"
else
    echo 'skipped: python3: it is not installed'
fi
echo "$name: works"
