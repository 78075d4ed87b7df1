/* Proves that threads may come and go for ever: between the 10,000th and the 100,000th, each of which
 * allocates, frees and lets another thread free a block of its own, the process grows by less than 2 MiB.
 *
 * @limit 120
 */
#include "../threads.h"

enum { WARM_UP = 10000, THREADS = 100000, GROWTH = 2 << 20 };

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    for (size_t i = 0; i < 10; i++)
        free(filled(roll_size(&dice, 1, 4 * KIB), i));
    return filled(1 + (size_t)number % 3000, 5);
}

static size_t resident_after(size_t first, size_t end) {
    for (size_t i = first; i < end; i += 2) {
        pthread_t one = start_thread(work, (void *)i, 64 * KIB, 0);
        pthread_t other = start_thread(work, (void *)(i + 1), 64 * KIB, 0);
        free_filled(join(one), 1 + i % 3000, 5);
        free_filled(join(other), 1 + (i + 1) % 3000, 5);
    }
    return resident_bytes();
}

int main(void) {
    scenario_seed();
    size_t early = resident_after(0, WARM_UP);
    size_t late = resident_after(WARM_UP, THREADS);
    REQUIRE_SAYING(late < early + GROWTH, "%zu KiB resident, %zu KiB after %d threads", late / KIB,
                   early / KIB, WARM_UP);
    return 0;
}
