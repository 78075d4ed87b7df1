/* Proves that free_sized and free_aligned_sized (C23) take back what the functions of the same alignment
 * gave, and null. */
#include <dlfcn.h>

#include "../scenario.h"

int main(void) {
    void (*sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*aligned)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (sized == NULL || aligned == NULL)
        scenario_skip("this libc is too old for free_sized");
    sized(NULL, 100);
    aligned(NULL, 16, 100);
    for (size_t round = 0; round < 20; round++) {
        for (size_t size = 0; size < 5 * MIB; size = size * 3 / 2 + 1) {
            sized(filled(size, 1), size);
            sized(calloc(1, size), size);
            sized(realloc(filled(size / 2, 1), size + 1), size + 1);
            for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 8)
                aligned(aligned_alloc(alignment, size), alignment, size);
        }
    }
    size_t resident = in_time(resident_bytes, 64 * MIB);
    REQUIRE_SAYING(resident < 64 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
