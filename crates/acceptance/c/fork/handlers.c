/* Proves that fork handlers of the program (pthread_atfork) may allocate and free, whether they were
 * registered before the first allocation of the program or after, also more of them than libc has room for
 * without allocating. */
#include "../processes.h"
#include "../threads.h"

enum { HANDLERS = 100, ROUNDS = 100 };

static int is_over;
static size_t n_calls;

static void allocate(void) {
    n_calls++;
    for (size_t i = 1; i < 100000; i *= 7)
        free_filled(filled(i, i), i, i);
}

__attribute__((constructor(101))) static void register_early(void) {
    pthread_atfork(allocate, allocate, allocate);
}

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        size_t size = roll_size(&dice, 1, 64 * KIB);
        free_filled(filled(size, size), size, size);
    }
    return NULL;
}

int main(void) {
    scenario_seed();
    for (size_t i = 1; i < HANDLERS; i++)
        REQUIRE(pthread_atfork(allocate, allocate, allocate) == 0);
    pthread_t threads[2] = {start(work, (void *)0), start(work, (void *)1)};
    for (size_t round = 0; round < ROUNDS; round++) {
        n_calls = 0;
        pid_t child = fork();
        REQUIRE_SAYING(n_calls == 2 * HANDLERS, "%zu calls", n_calls);
        if (child == 0)
            _exit(2);
        require_exit(child, 2);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    join(threads[0]);
    join(threads[1]);
    return 0;
}
