/* Proves that no function is fooled by a request that cannot be met: all say ENOMEM and give NULL, also when
 * a product or a rounding would overflow, and realloc leaves the old block alone.
 */
#include <malloc.h>

#include "../scenario.h"

#define REQUIRE_ENOMEM(call)      \
    do {                          \
        errno = 0;                \
        REQUIRE((call) == NULL);  \
        REQUIRE(errno == ENOMEM); \
    } while (0)

int main(void) {
    const size_t half = opaque_size(SIZE_MAX / 2 + 1), all = opaque_size(SIZE_MAX);
    const size_t root = opaque_size((size_t)1 << 32);
    const size_t sizes[] = {half - 1, half,     half + 1, all - 64 * KIB, all - 4096,
                            all - 64, all - 15, all - 8,  all - 1,        all};
    unsigned char *block = (unsigned char *)filled(100, 9), *large = (unsigned char *)filled(10 * MIB, 8);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t size = sizes[i];
        REQUIRE_ENOMEM(malloc(size));
        REQUIRE_ENOMEM(calloc(1, size));
        REQUIRE_ENOMEM(calloc(size, 1));
        REQUIRE_ENOMEM(realloc(NULL, size));
        REQUIRE_ENOMEM(realloc(block, size));
        REQUIRE_ENOMEM(realloc(large, size));
        REQUIRE_ENOMEM(reallocarray(block, size, 1));
        REQUIRE_ENOMEM(valloc(size));
        REQUIRE_ENOMEM(pvalloc(size));
        for (size_t alignment = 16; alignment <= GIB; alignment *= 4) {
            void *out = block;
            REQUIRE_ENOMEM(memalign(alignment, size));
            REQUIRE_ENOMEM(aligned_alloc(alignment, size));
            REQUIRE(posix_memalign(&out, alignment, size) == ENOMEM && out == block);
        }
    }
    REQUIRE_ENOMEM(calloc(half, 2));
    REQUIRE_ENOMEM(calloc(half + 1, 2));
    REQUIRE_ENOMEM(calloc(all / 3, 4));
    REQUIRE_ENOMEM(calloc(root, root));
    REQUIRE_ENOMEM(calloc(root + 1, root));
    REQUIRE_ENOMEM(reallocarray(block, half, 2));
    REQUIRE_ENOMEM(reallocarray(block, root, root));
    REQUIRE_ENOMEM(reallocarray(NULL, all / 3, 4));
    free_filled(block, 100, 9);
    free_filled(large, 10 * MIB, 8);
    return 0;
}
