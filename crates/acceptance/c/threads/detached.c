/* Proves that detached threads leave nothing behind, though nobody waits for the end of one. */
#include "../threads.h"

enum { THREADS = 20000, AT_ONCE = 50 };

static size_t n_running, n_ended;

static void *work(void *number) {
    void *blocks[20];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = filled(1 + i * i * 50, i);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free_filled(blocks[i], 1 + i * i * 50, i);
    __atomic_add_fetch(&n_ended, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&n_running, 1, __ATOMIC_RELEASE);
    return number;
}

static void run_threads(size_t n_threads) {
    for (size_t i = 0; i < n_threads; i++) {
        while (__atomic_load_n(&n_running, __ATOMIC_ACQUIRE) >= AT_ONCE)
            sleep_us(20);
        __atomic_add_fetch(&n_running, 1, __ATOMIC_RELAXED);
        start_thread(work, NULL, 64 * KIB, 1);
    }
}

int main(void) {
    run_threads(THREADS / 4);
    size_t before = resident_bytes();
    run_threads(THREADS - THREADS / 4);
    while (__atomic_load_n(&n_running, __ATOMIC_ACQUIRE) > 0)
        sleep_us(100);
    sleep_us(20000);
    size_t after = resident_bytes();
    REQUIRE_SAYING(n_ended == THREADS, "%zu", n_ended);
    REQUIRE_SAYING(after < before + 4 * MIB, "%zu KiB after, %zu KiB before", after / KIB, before / KIB);
    return 0;
}
