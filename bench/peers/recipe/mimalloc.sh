# shellcheck shell=sh disable=SC2034,SC2154 # what it sets and reads belongs to build.sh
# mimalloc 2 and 3: the shared library of upstream's CMakeLists.txt with its default options and build type
# Release. Its list of files is read from there; the crate carries both versions.

crate=libmimalloc-sys

build() {
    tree=$source/c_src/mimalloc/v${name#mimalloc}
    sed -n '/^set(mi_sources/,/)/p' "$tree/CMakeLists.txt" | grep --only-matching 'src/[a-z/-]*\.c' |
        sed "s|^|$tree/|" |
        compile_each "$CC" -g -O3 -DNDEBUG -std=gnu11 -fPIC -fvisibility=hidden -ftls-model=initial-exec \
            -fno-builtin-malloc -Wno-unknown-pragmas -DMI_MALLOC_OVERRIDE -DMI_SHARED_LIB -DMI_SHARED_LIB_EXPORT \
            -DMI_CMAKE_BUILD_TYPE=release -DMI_BUILD_RELEASE -I "$tree/include"
    "$CC" -shared -o lib.so ./*.o -pthread -lrt -latomic
    number=$(sed -n 's/^#define MI_MALLOC_VERSION *\([0-9]*\).*/\1/p' "$tree/include/mimalloc.h")
    echo "$((number / 10000)).$((number / 100 % 100)).$((number % 100)) (crate libmimalloc-sys $(crate_version))"
}
