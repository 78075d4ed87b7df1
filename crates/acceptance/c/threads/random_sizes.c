/* Proves that any number of threads can allocate, resize and free blocks of all sizes at once, and that
 * nobody ever finds another's bytes in a block.
 *
 * @run 1
 * @run 2
 * @run 8
 * @run 64
 * @run 1000
 * @soak 64 100
 */
#include "../threads.h"

enum { SLOTS = 24, STEPS_OF_ALL = 1600000 };

struct slot {
    unsigned char *block;
    size_t size;
};

static size_t n_threads, n_rounds = 1;

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    struct slot slots[SLOTS] = {{NULL, 0}};
    uint64_t tag = (uint64_t)(uintptr_t)number * 7;
    for (size_t step = 0; step < STEPS_OF_ALL * n_rounds / n_threads; step++) {
        size_t nth = roll_below(&dice, SLOTS);
        struct slot *slot = &slots[nth];
        size_t size = roll_size(&dice, 1, roll_below(&dice, 64) ? 8 * KIB : 256 * KIB);
        REQUIRE(holds(slot->block, slot->size, tag + nth));
        if (slot->block != NULL && roll_below(&dice, 4) == 0) {
            slot->block = (unsigned char *)realloc(slot->block, size);
            REQUIRE(slot->block != NULL);
            REQUIRE(holds(slot->block, size < slot->size ? size : slot->size, tag + nth));
        } else {
            free(slot->block);
            slot->block = (unsigned char *)malloc(size);
            REQUIRE(slot->block != NULL);
        }
        slot->size = size;
        fill(slot->block, size, tag + nth);
    }
    for (size_t nth = 0; nth < SLOTS; nth++)
        free_filled(slots[nth].block, slots[nth].size, tag + nth);
    return NULL;
}

int main(int argc, char **argv) {
    scenario_seed();
    n_threads = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        n_rounds = strtoul(argv[2], NULL, 10);
    pthread_t threads[1000];
    for (size_t i = 0; i < n_threads; i++)
        threads[i] = start(work, (void *)(uintptr_t)i);
    for (size_t i = 0; i < n_threads; i++)
        join(threads[i]);
    return 0;
}
