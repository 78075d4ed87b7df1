/* Proves that blocks outlive the thread that allocated them: they keep their contents, and the main thread, a
 * thread of the same age and a thread that was born later may each free them, also while new threads take
 * over the dead one's memory.
 */
#include "../threads.h"

enum { BLOCKS = 2000, ROUNDS = 100, THREADS = 4 };

struct legacy {
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    uint64_t tag;
};

static void *bequeath(void *argument) {
    struct legacy *legacy = (struct legacy *)argument;
    struct dice dice = dice_for(legacy->tag);
    for (size_t i = 0; i < BLOCKS; i++) {
        legacy->sizes[i] = roll_size(&dice, 1, roll_below(&dice, 50) ? 2 * KIB : 128 * KIB);
        legacy->blocks[i] = filled(legacy->sizes[i], legacy->tag + i);
    }
    return NULL;
}

/* Frees every third block of a legacy, from the given one on. */
static void free_third(struct legacy *legacy, size_t first) {
    for (size_t i = first; i < BLOCKS; i += 3)
        free_filled(legacy->blocks[i], legacy->sizes[i], legacy->tag + i);
}

static void *inherit(void *argument) {
    free_third((struct legacy *)argument, 1);
    return NULL;
}

/* Allocates blocks of its own while it frees those of the dead. */
static void *inherit_and_live(void *argument) {
    static __thread struct legacy own;
    own.tag = 99;
    bequeath(&own);
    free_third((struct legacy *)argument, 2);
    for (size_t i = 0; i < 3; i++)
        free_third(&own, i);
    return NULL;
}

int main(void) {
    static struct legacy legacies[THREADS];
    pthread_t threads[2 * THREADS];
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            legacies[i].tag = scenario_seed() + round * THREADS + i;
            threads[i] = start(bequeath, &legacies[i]);
        }
        for (size_t i = 0; i < THREADS; i++)
            join(threads[i]);
        for (size_t i = 0; i < THREADS; i++) {
            threads[2 * i] = start(inherit, &legacies[i]);
            threads[2 * i + 1] = start(inherit_and_live, &legacies[i]);
        }
        for (size_t i = 0; i < THREADS; i++)
            free_third(&legacies[i], 0);
        for (size_t i = 0; i < 2 * THREADS; i++)
            join(threads[i]);
    }
    size_t resident = in_time(resident_bytes, 128 * MIB);
    REQUIRE_SAYING(resident < 128 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
