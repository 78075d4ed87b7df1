/* Proves that a program survives running out of memory: it allocates until NULL with ENOMEM, alone or in four
 * threads, gets a fair part of what the limit allows, frees everything and can then have as much again. The
 * limits are `ulimit -v 200000` and the same for data.
 *
 * @run space 1
 * @run space 4
 * @run data 1
 * @run data 4
 * @limit 120
 */
#include <sys/resource.h>

#include "../threads.h"

enum { THREADS = 4, ROUNDS = 3 };

static const size_t limit = 200000 * KIB;
static size_t n_threads, size_of_round;
static pthread_barrier_t all_full;

/* Allocates until there is nothing left, and returns how much that was. */
static void *allocate_all(void *unused) {
    void **newest = NULL;
    size_t n_bytes = 0;
    for (;;) {
        errno = 0;
        void **block = (void **)malloc(size_of_round);
        if (block == NULL)
            break;
        fill(block, size_of_round, 1);
        *block = newest;
        newest = block;
        n_bytes += size_of_round;
    }
    REQUIRE(errno == ENOMEM);
    if (n_threads > 1)
        pthread_barrier_wait(&all_full);
    (void)unused;
    while (newest != NULL) {
        void **next = (void **)*newest;
        REQUIRE(holds(newest + 1, size_of_round - sizeof *newest, 1));
        free(newest);
        newest = next;
    }
    return (void *)n_bytes;
}

static size_t exhaust(void) {
    if (n_threads == 1)
        return (size_t)allocate_all(NULL);
    pthread_t threads[THREADS];
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_threads; i++)
        threads[i] = start(allocate_all, NULL);
    for (size_t i = 0; i < n_threads; i++)
        n_bytes += (size_t)join(threads[i]);
    return n_bytes;
}

int main(int argc, char **argv) {
    if (argc == 3) {
        struct rlimit bytes = {limit, limit};
        REQUIRE(setrlimit(argv[1][0] == 's' ? RLIMIT_AS : RLIMIT_DATA, &bytes) == 0);
        execl("/proc/self/exe", argv[0], argv[1], argv[2], "limited", (char *)NULL);
    }
    REQUIRE(argc == 4);
    n_threads = strtoul(argv[2], NULL, 10);
    pthread_barrier_init(&all_full, NULL, (unsigned)n_threads);
    const size_t sizes[] = {100, 5000, 40 * KIB, 300 * KIB, 3 * MIB};
    /* libc reserves 64 MiB for each thread; everyone must be able to use half of what there is. */
    size_t fair = n_threads == 1 || is_mallow() ? limit / 2 : limit / 8;
    for (size_t i = 0; i < COUNT(sizes) * ROUNDS; i++) {
        size_of_round = sizes[i % COUNT(sizes)];
        size_t n_bytes = exhaust();
        REQUIRE_SAYING(n_bytes >= fair, "%zu KiB in blocks of %zu bytes, round %zu", n_bytes / KIB,
                       size_of_round, i);
    }
    return 0;
}
