# shellcheck shell=sh disable=SC2034,SC2154 # what it sets and reads belongs to build.sh
# rpmalloc: the library `rpmallocwrap` of upstream's configure.py with the flags of its configuration `release` for
# gcc. The newest crate has 1.4.3 and some; upstream has since released 2.0.

crate=rpmalloc-sys

build() {
    tree=$source/rpmalloc/rpmalloc
    # Compiled and linked apart, as upstream does it: -ffast-math on the command that links would add code that
    # changes how the whole program computes with tiny numbers.
    echo "$tree/rpmalloc.c" |
        compile_each "$CC" -g -O3 -funroll-loops -std=c11 -fPIC -m64 -funit-at-a-time -fstrict-aliasing \
            -fno-math-errno -ffinite-math-only -funsafe-math-optimizations -fno-trapping-math -ffast-math \
            -D_GNU_SOURCE=1 -DRPMALLOC_COMPILE=1 -DBUILD_RELEASE=1 -DBUILD_DYNAMIC_LINK=1 \
            -DENABLE_PRELOAD=1 -DENABLE_OVERRIDE=1 -I "$tree"
    "$CC" -shared -m64 -pthread -o lib.so ./*.o -ldl
    release=$(sed -n '1p' "$source/rpmalloc/CHANGELOG")
    commit=$(basename "$source" | sed 's/^.*+//')
    echo "$release and later, commit $commit (crate rpmalloc-sys $(crate_version))"
}
