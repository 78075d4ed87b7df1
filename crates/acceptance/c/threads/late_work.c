/* Proves that what a thread needs for the first time when it ends is not kept for it: many threads, one after the other, that
 * share what they have with others, because others have heaps of their own, and do most of their work in a
 * destructor of thread-specific data. */
#include "../threads.h"

enum { OTHERS = 64, THREADS = 400, BLOCKS = 200 };

static const size_t most_left = 8 * MIB;
static pthread_key_t key;
static pthread_barrier_t at_work;

static void destroy(void *unused) {
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled(16 + 40 * i, i);
    for (size_t i = 0; i < BLOCKS; i++)
        free_filled(blocks[i], 16 + 40 * i, i);
    (void)unused;
}

static void *work(void *value) {
    for (size_t i = 0; i < 5; i++)
        free(filled(100, i));
    pthread_setspecific(key, value);
    return NULL;
}

static void *stay(void *unused) {
    free(filled(100, 0));
    pthread_barrier_wait(&at_work);
    pthread_barrier_wait(&at_work);
    return unused;
}

int main(void) {
    pthread_t others[OTHERS];
    free(filled(100, 0));
    REQUIRE(pthread_key_create(&key, destroy) == 0);
    pthread_barrier_init(&at_work, NULL, OTHERS + 1);
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = start(stay, NULL);
    pthread_barrier_wait(&at_work);
    join(start(work, &key));
    size_t before = resident_bytes();
    for (size_t i = 0; i < THREADS; i++)
        join(start(work, &key));
    size_t after = resident_bytes();
    REQUIRE_SAYING(after < before + most_left, "%zu KiB before, %zu KiB after", before / KIB, after / KIB);
    pthread_barrier_wait(&at_work);
    for (size_t i = 0; i < OTHERS; i++)
        join(others[i]);
    return 0;
}
