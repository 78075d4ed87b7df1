#!/bin/sh
# Builds one peer as a library that replaces malloc when it is preloaded: build.sh NAME OUTDIR.
#
# Leaves OUTDIR/libNAME.so and OUTDIR/NAME.version. Does nothing if the library was built by the same recipe from
# the same pinned crate with the same compilers. README.md says which flags each peer gets and why.
set -eu

fail() {
    echo "peers: $*" >&2
    exit 1
}

names='mimalloc3 mimalloc2 jemalloc snmalloc rpmalloc tcmalloc gperftools'
[ $# -eq 2 ] || fail "usage: build.sh NAME OUTDIR, where NAME is one of: $names"
name=$1
case $name in
    mimalloc[23]) recipe=mimalloc ;;
    jemalloc | snmalloc | rpmalloc | tcmalloc | gperftools) recipe=$name ;;
    *) fail "there is no peer $name; there are: $names" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)

# The same two compilers for every peer.
CC=${CC:-gcc}
CXX=${CXX:-g++}
for tool in "$CC" "$CXX" cargo make; do
    command -v "$tool" >/dev/null || fail "$name cannot be built: $tool is not installed"
done

made_of() {
    cat "$here/build.sh" "$here/recipe/$recipe.sh" "$here/Cargo.lock"
    "$CC" --version
    "$CXX" --version
}
key=$(made_of | sha256sum)
made=$(cat "$out/$name.key" 2>/dev/null) || made=
if [ "$made" = "$key" ] && [ -f "$out/lib$name.so" ] && [ -f "$out/$name.version" ]; then
    exit 0
fi

# Prints the folder of a pinned crate, which Cargo downloads if need be.
source_of() {
    cd "$here"
    cargo metadata --quiet --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
        grep --only-matching "\"manifest_path\":\"[^\"]*/$1-[0-9][^\"/]*/Cargo.toml\"" |
        sed 's/^"manifest_path":"//; s/\/Cargo.toml"$//'
}

# Prints the version of the crate in $source, without what follows a plus sign.
crate_version() {
    basename "$source" | sed 's/+.*$//; s/^.*-\([0-9][0-9.]*\)$/\1/'
}

# Compiles the files named on standard input, one per line, each to an object in the scratch folder; several at a
# time. The arguments are the compiler and its flags.
compile_each() {
    # shellcheck disable=SC2016 # the inner shell expands these
    xargs -P "$(nproc)" -I FILE sh -c '
        file=$1
        shift
        exec "$@" -c "$file" -o "$(echo "$file" | tr / _).o"
    ' sh FILE "$@"
}

scratch=$(mktemp -d "$out/.$name.XXXXXX")
finish() {
    status=$?
    trap - EXIT
    if [ "$status" -ne 0 ]; then
        [ ! -f "$scratch/log" ] || tail -n 20 "$scratch/log" >&2
        echo "peers: $name could not be built; what went wrong is above" >&2
    fi
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# A recipe names its crate and has a function `build`, which runs in the scratch folder, finds the crate in
# $source, leaves lib.so and prints the line for NAME.version.
crate=
# shellcheck source=/dev/null # one of several
. "$here/recipe/$recipe.sh"
source=
if [ -n "$crate" ]; then
    source=$(source_of "$crate")
    [ -d "$source" ] || fail "Cargo did not say where the crate $crate is"
fi
cd "$scratch"
build >version 2>log
nm --dynamic --defined-only lib.so | grep -q ' malloc$' || fail "what was built for $name has no malloc"
mv lib.so "$out/lib$name.so"
mv version "$out/$name.version"
echo "$key" >"$out/$name.key"
