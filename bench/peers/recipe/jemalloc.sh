# shellcheck shell=sh disable=SC2034,SC2154 # what it sets and reads belongs to build.sh
# jemalloc: upstream's own configure and make without any option that changes it, so with no prefix and upstream's
# -O3 -funroll-loops. The crate carries the configure script that is otherwise generated, and its version names the
# release.

crate=tikv-jemalloc-sys

build() {
    cp -R "$source/jemalloc" tree
    cp "$source/configure/configure" tree/
    described=$(basename "$source" | sed 's/^.*+//')
    (
        cd tree || exit
        sh ./configure --disable-doc "--with-version=$described" CC="$CC" CXX="$CXX"
        make -j "$(nproc)" build_lib_shared
    ) >&2
    mv tree/lib/libjemalloc.so.2 lib.so
    echo "${described%%-*} (crate tikv-jemalloc-sys $(crate_version))"
}
