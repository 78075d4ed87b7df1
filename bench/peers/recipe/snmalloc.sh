# shellcheck shell=sh disable=SC2034,SC2154 # what it sets and reads belongs to build.sh
# snmalloc: the target `snmallocshim` of upstream's CMakeLists.txt with its default options and build type Release,
# as its probes come out for gcc on glibc. Upstream links with lld and folds equal functions where lld is found; it
# is not needed.

crate=snmalloc-sys

build() {
    tree=$source/upstream/src
    printf '%s\n' "$tree/snmalloc/override/malloc.cc" "$tree/snmalloc/override/new.cc" |
        compile_each "$CXX" -g -O3 -DNDEBUG -std=gnu++20 -fPIC -fvisibility=hidden -ftls-model=initial-exec \
            -fomit-frame-pointer -ffunction-sections -fno-rtti -mcx16 -mprfchw \
            -DSNMALLOC_USE_CXX11_THREAD_ATEXIT_DIRECT -DSNMALLOC_USE_WAIT_ON_ADDRESS=1 \
            -DSNMALLOC_NO_REALLOCARRAY -DSNMALLOC_NO_REALLOCARR -DSNMALLOC_PLATFORM_HAS_GETENTROPY \
            -DSNMALLOC_PTHREAD_ATFORK_WORKS -DSNMALLOC_HAS_LINUX_RANDOM_H -DSNMALLOC_HAS_LINUX_FUTEX_H \
            -DSNMALLOC_CHECK_LOADS=false -DSNMALLOC_PAGEID=false \
            '-DSNMALLOC_EXPORT=__attribute__((visibility("default")))' -I "$tree"
    "$CXX" -shared -o lib.so ./*.o -static-libstdc++ -Wl,--no-undefined -rdynamic -pthread -latomic
    echo "$(crate_version) (crate snmalloc-sys $(crate_version))"
}
