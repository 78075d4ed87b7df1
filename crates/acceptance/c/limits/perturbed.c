/* Proves that poisoning works, asked for by mallopt, by libc's variable or by libc's tunable: a new block
 * holds the complement of the byte, a freed one the byte, and calloc still gives zeroes.
 *
 * @run mallopt
 * @run MALLOC_PERTURB_=165
 * @run GLIBC_TUNABLES=glibc.malloc.perturb=165
 */
#include <malloc.h>

#include "../scenario.h"

enum { BYTE = 165, LINKS = 48, WARM = 2000, HELD = 40 };

static void require_poisoned(size_t size) {
    unsigned char *block = (unsigned char *)opaque(malloc(size));
    REQUIRE_SAYING(holds(block, size, BYTE ^ 0xff), "%zu new bytes begin with %#x", size, block[0]);
    fill(block, size, 1);
    free(block);
    /* The allocator may keep a few words of its own in a free block. Nothing has reused the rest yet. */
    block = (unsigned char *)opaque(block);
    if (size > 2 * LINKS)
        REQUIRE_SAYING(holds(block + LINKS, size - 2 * LINKS, BYTE), "%zu freed bytes hold %#x", size,
                       block[LINKS]);
    unsigned char *zeroed = (unsigned char *)opaque(calloc(1, size));
    REQUIRE_SAYING(holds(zeroed, size, 0), "calloc(%zu)", size);
    free(zeroed);
    unsigned char *aligned = (unsigned char *)opaque(memalign(64, size));
    REQUIRE_SAYING(holds(aligned, size, BYTE ^ 0xff), "%zu new aligned bytes begin with %#x", size,
                   aligned[0]);
    free(aligned);
}

/* An allocator that has been busy with a size has blocks of it at hand that were made ready before. */
static void warm(size_t size) {
    static void *held[HELD];
    for (int turn = 0; turn < WARM; turn++) {
        int place = turn % HELD;
        free(held[place]);
        held[place] = opaque(malloc(size));
    }
    for (int place = 0; place < HELD; place++) {
        free(held[place]);
        held[place] = NULL;
    }
}

static void require_all_poisoned(size_t size) {
    static unsigned char *held[4 * HELD];
    for (int place = 0; place < 4 * HELD; place++) {
        held[place] = (unsigned char *)opaque(malloc(size));
        REQUIRE_SAYING(holds(held[place], size, BYTE ^ 0xff), "block %d of %zu new bytes begins with %#x", place, size,
                       held[place][0]);
    }
    for (int place = 0; place < 4 * HELD; place++)
        free(held[place]);
}

int main(int argc, char **argv) {
    (void)argv;
    static const size_t WARM_SIZES[] = {16, 200, 1000, 4000};
    enum { WARM_COUNT = sizeof WARM_SIZES / sizeof *WARM_SIZES };
    for (int size = 0; size < WARM_COUNT; size++)
        warm(WARM_SIZES[size]);
    if (argc > 1)
        REQUIRE(mallopt(M_PERTURB, BYTE) == 1);
    for (int size = 0; is_mallow() && size < WARM_COUNT; size++)
        require_all_poisoned(WARM_SIZES[size]);
    void *keep_from_top = opaque(malloc(100));
    /* libc does not poison what goes through its thread cache. */
    for (size_t size = is_mallow() ? 1 : 1100; size < 60 * KIB; size = size * 3 / 2 + 1) {
        void *before = opaque(malloc(size));
        void *behind = opaque(malloc(size));
        require_poisoned(size);
        free(before);
        free(behind);
    }
    free(keep_from_top);
    return 0;
}
