/* Proves that blocks are aligned as asked, from 1 byte to 1 GiB, by every function that takes an alignment,
 * and that such blocks neither overlap nor lose their contents.
 *
 * @limit 120
 */
#include <malloc.h>

#include "../scenario.h"

enum { BLOCKS = 200 };

static void require_many(size_t alignment, size_t largest) {
    struct dice dice = dice_for(alignment);
    static void *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = roll_below(&dice, largest);
        blocks[i] = memalign(alignment, sizes[i]);
        REQUIRE_SAYING(blocks[i] != NULL, "memalign(%zu, %zu)", alignment, sizes[i]);
        REQUIRE_SAYING((uintptr_t)blocks[i] % alignment == 0, "memalign(%zu, %zu) gave %p", alignment,
                       sizes[i], blocks[i]);
        fill(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        /* realloc promises the contents, not the alignment. */
        size_t kept = sizes[i] / 2 + 1 < sizes[i] ? sizes[i] / 2 + 1 : sizes[i];
        blocks[i] = realloc(blocks[i], sizes[i] / 2 + 1);
        REQUIRE(blocks[i] != NULL && holds(blocks[i], kept, i));
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        REQUIRE(holds(blocks[i], i % 2 ? sizes[i] : sizes[i] / 2, i));
        free(blocks[i]);
    }
}

static void require_one(void *block, size_t alignment, size_t size) {
    REQUIRE_SAYING(block != NULL && (uintptr_t)block % alignment == 0, "%p for %zu aligned to %zu", block,
                   size, alignment);
    fill(block, size, alignment);
    free_filled(block, size, alignment);
}

int main(void) {
    scenario_seed();
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        void *out;
        for (size_t size = 1; size < 4 * MIB; size = size * 9 + 1) {
            require_one(memalign(alignment, size), alignment, size);
            require_one(aligned_alloc(alignment, alignment * (size / alignment + 1)), alignment, size);
            if (alignment >= sizeof(void *)) {
                REQUIRE(posix_memalign(&out, alignment, size) == 0);
                require_one(out, alignment, size);
            }
        }
        if (alignment <= 64 * KIB)
            require_many(alignment, 2 * alignment + 1000);
    }
    /* An alignment that is no power of two counts as the next one that is. */
    for (size_t alignment = 3; alignment < 64 * KIB; alignment = alignment * 2 + 1)
        require_one(memalign(alignment, 100), alignment + 1, 100);
    require_one(valloc(1), page, 1);
    require_one(valloc(10 * page + 1), page, 10 * page + 1);
    require_one(pvalloc(1), page, page);
    require_one(pvalloc(page + 1), page, 2 * page);
    return 0;
}
