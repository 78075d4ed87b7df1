/* Proves that idle threads are cheap: each of 1,000 that keeps a few blocks and sleeps costs less than 16
 * KiB, its stack and libc's share included.
 *
 * @only mallow
 */
#include "../threads.h"

enum { THREADS = 1000 };

static pthread_barrier_t settled, over;

static void *work(void *unused) {
    static const size_t sizes[] = {24, 64, 200, 1000};
    void *kept[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(kept); i++)
        kept[i] = filled(sizes[i], i);
    pthread_barrier_wait(&settled);
    pthread_barrier_wait(&over);
    for (size_t i = 0; i < COUNT(kept); i++)
        free_filled(kept[i], sizes[i], i);
    return unused;
}

int main(void) {
    static pthread_t threads[THREADS];
    pthread_barrier_init(&settled, NULL, THREADS + 1);
    pthread_barrier_init(&over, NULL, THREADS + 1);
    size_t before = resident_bytes();
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start_thread(work, NULL, 64 * KIB, 0);
    pthread_barrier_wait(&settled);
    size_t each = (resident_bytes() - before) / THREADS;
    printf("%zu bytes each\n", each);
    REQUIRE_SAYING(each < 16 * KIB, "%zu bytes each", each);
    pthread_barrier_wait(&over);
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
    return 0;
}
