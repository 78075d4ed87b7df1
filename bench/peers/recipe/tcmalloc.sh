# shellcheck shell=sh disable=SC2034,SC2154 # what it sets and reads belongs to build.sh
# Google's tcmalloc, with upstream's defaults: pages of 8 KiB, per-CPU caches, the flags of `bazel build -c opt`.
#
# The crate's own list of files is used, and two things of the crate are not: its bridges to Rust, in place of
# which upstream's file that replaces malloc is compiled, and its patch that asks for huge pages everywhere.

crate=libtcmalloc-sys

build() {
    grep --only-matching '"c_src/[^"]*\.\(cc\|S\)"' "$source/build.rs" | tr -d '"' |
        sed '/malloc_extension_bridge.cc/d; s|malloc_bridge.cc|tcmalloc/tcmalloc/tcmalloc.cc|' |
        sed "s|^|$source/|" |
        compile_each "$CXX" -g -O2 -DNDEBUG -std=gnu++17 -fPIC -fno-omit-frame-pointer -fstack-protector \
            -ffunction-sections -fdata-sections -fno-canonical-system-headers -w \
            -DTCMALLOC_INTERNAL_8K_PAGES \
            -I "$source/c_src/tcmalloc" -I "$source/c_src/abseil-cpp"
    "$CXX" -shared -o lib.so ./*.o -Wl,--gc-sections -Wl,--no-undefined -pthread -lrt
    echo "snapshot of $(date_of_crate) (crate libtcmalloc-sys $(crate_version))"
}

# tcmalloc has no versions: prints the date at which the crate took its source.
date_of_crate() {
    sed -n "s/^## \[$(crate_version)\].* - //p" "$source/CHANGELOG.md"
}
