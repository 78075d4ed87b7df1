/* Proves that a thread may be cancelled between any two allocations: malloc and free are no cancellation
 * points, so each call is either done or not, and the clean-up handler may allocate and free. */
#include "../threads.h"

enum { ROUNDS = 400, THREADS = 4, SLOTS = 8 };

static size_t n_cleaned;

static void clean_up(void *argument) {
    void **slots = (void **)argument;
    void *note = filled(500, 1);
    for (size_t i = 0; i < SLOTS; i++)
        free(slots[i]);
    free_filled(note, 500, 1);
    __atomic_add_fetch(&n_cleaned, 1, __ATOMIC_RELAXED);
}

static void *work(void *number) {
    void *slots[SLOTS] = {NULL};
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    pthread_cleanup_push(clean_up, slots);
    for (;;) {
        void **slot = &slots[roll_below(&dice, SLOTS)];
        *slot = realloc(*slot, roll_size(&dice, 1, 32 * KIB));
        REQUIRE(*slot != NULL);
        pthread_testcancel();
    }
    pthread_cleanup_pop(1);
    return NULL;
}

int main(void) {
    scenario_seed();
    for (size_t round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            threads[i] = start(work, (void *)(round * THREADS + i));
        sleep_us((long)(round % 10) * 100);
        for (size_t i = 0; i < THREADS; i++)
            pthread_cancel(threads[i]);
        for (size_t i = 0; i < THREADS; i++)
            REQUIRE(join(threads[i]) == PTHREAD_CANCELED);
    }
    REQUIRE_SAYING(n_cleaned == ROUNDS * THREADS, "%zu", n_cleaned);
    size_t resident = in_time(resident_bytes, 64 * MIB);
    REQUIRE_SAYING(resident < 64 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
