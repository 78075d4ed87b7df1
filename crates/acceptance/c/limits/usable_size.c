/* Proves that malloc_usable_size tells the truth: at least what was asked for, the same every time, every
 * byte of it can be written without harm to a neighbour, and realloc preserves all of it. */
#include <malloc.h>

#include "../scenario.h"

static void use_all(void *block, size_t asked) {
    size_t usable = malloc_usable_size(block);
    REQUIRE_SAYING(block != NULL && usable >= asked, "%zu usable of %zu", usable, asked);
    void *neighbour = filled(asked, 0xaa);
    size_t usable_of_neighbour = malloc_usable_size(neighbour);
    fill(neighbour, usable_of_neighbour, 0xaa);
    fill(block, usable, 0x55);
    REQUIRE(malloc_usable_size(block) == usable);
    REQUIRE_SAYING(holds(neighbour, usable_of_neighbour, 0xaa), "asked %zu, usable %zu", asked, usable);
    block = realloc(block, usable + asked + 1);
    REQUIRE_SAYING(block != NULL && holds(block, usable, 0x55), "asked %zu, usable %zu", asked, usable);
    free(block);
    free_filled(neighbour, usable_of_neighbour, 0xaa);
}

int main(void) {
    for (size_t size = 1; size < 5000; size++) {
        use_all(malloc(size), size);
        use_all(calloc(1, size), size);
    }
    for (size_t size = 5000; size < 40 * MIB; size = size * 5 / 4) {
        use_all(malloc(size), size);
        use_all(memalign(256, size), size);
        use_all(memalign(64 * KIB, size), size);
        use_all(realloc(filled(size / 2, 1), size), size);
        use_all(realloc(filled(size * 2, 1), size), size);
    }
    return 0;
}
