/* Proves that libc's second names of the functions belong to the same allocator: blocks may be made by one
 * and freed by the other. */
#include <dlfcn.h>

#include "../scenario.h"

int main(void) {
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
    void *(*zeroed)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_DEFAULT, "__libc_calloc");
    void *(*resize)(void *, size_t) = (void *(*)(void *, size_t))dlsym(RTLD_DEFAULT, "__libc_realloc");
    void *(*aligned)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_DEFAULT, "__libc_memalign");
    void (*release)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "__libc_free");
    REQUIRE(allocate != NULL && zeroed != NULL && resize != NULL && aligned != NULL && release != NULL);
    for (size_t size = 1; size < 8 * MIB; size *= 3) {
        void *block = allocate(size);
        REQUIRE(block != NULL);
        fill(block, size, 1);
        block = realloc(block, 2 * size);
        REQUIRE(block != NULL && holds(block, size, 1));
        block = resize(block, 3 * size);
        REQUIRE(block != NULL && holds(block, size, 1));
        free(block);
        release(filled(size, 1));
        block = zeroed(size, 1);
        REQUIRE(block != NULL && holds(block, size, 0));
        free(block);
        block = aligned(4096, size);
        REQUIRE(block != NULL && (uintptr_t)block % 4096 == 0);
        free(block);
    }
    return 0;
}
