/* Proves that calloc gives zeroes whatever the memory held before: after frees of dirty blocks of all sizes,
 * after memory went back to the kernel, and in several threads. */
#include <malloc.h>

#include "../threads.h"

enum { SLOTS = 200, STEPS = 60000 };

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    void *slots[SLOTS] = {NULL};
    for (size_t step = 0; step < STEPS; step++) {
        void **slot = &slots[roll_below(&dice, SLOTS)];
        size_t size = roll_size(&dice, 1, roll_below(&dice, 200) ? 16 * KIB : 3 * MIB);
        free(*slot);
        *slot = roll_below(&dice, 2) ? malloc(size) : calloc(1, size);
        REQUIRE(*slot != NULL);
        fill(*slot, size, 0xff);
        free(*slot);
        *slot = calloc(size, 1);
        REQUIRE_SAYING(*slot != NULL && holds(*slot, size, 0), "calloc(%zu)", size);
        fill(*slot, size, 0xff);
        if (step % 20000 == 0)
            malloc_trim(0);
    }
    for (size_t i = 0; i < SLOTS; i++)
        free(slots[i]);
    return NULL;
}

int main(void) {
    scenario_seed();
    pthread_t threads[3] = {start(work, (void *)1), start(work, (void *)2), start(work, (void *)3)};
    for (size_t i = 0; i < COUNT(threads); i++)
        join(threads[i]);
    return 0;
}
