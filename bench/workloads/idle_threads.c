/* Idle threads: each of them allocates a few blocks of several sizes, frees some, and sleeps, as the workers of a
 * server's pool do most of their time. Figures: what the process holds once all sleep, and 2 seconds later.
 *
 *     idle_threads THREADS */
#include "workload.h"

enum { STEP = 512 };

static const size_t kept_sizes[] = {24, 64, 200, 1000}, freed_sizes[] = {16, 48, 500, 3000, 20000};
static pthread_barrier_t settled, over;

static void *work(void *with) {
    uint64_t *sum = (uint64_t *)with;
    void *kept[COUNT(kept_sizes)], *freed[COUNT(freed_sizes)];
    for (size_t i = 0; i < COUNT(freed); i++)
        freed[i] = stamped(freed_sizes[i], STEP, i);
    for (size_t i = 0; i < COUNT(kept); i++)
        kept[i] = stamped(kept_sizes[i], STEP, i);
    for (size_t i = 0; i < COUNT(freed); i++)
        *sum += free_stamped(freed[i], STEP);
    pthread_barrier_wait(&settled);
    pthread_barrier_wait(&over);
    for (size_t i = 0; i < COUNT(kept); i++)
        *sum += free_stamped(kept[i], STEP);
    return NULL;
}

int main(int argc, char **argv) {
    size_t n_threads = argument(argc, argv, 1, "threads");
    pthread_t *threads = (pthread_t *)outside(n_threads * sizeof *threads);
    uint64_t *sums = (uint64_t *)outside(n_threads * sizeof *sums), sum = 0;
    pthread_barrier_init(&settled, NULL, (unsigned)n_threads + 1);
    pthread_barrier_init(&over, NULL, (unsigned)n_threads + 1);
    for (size_t i = 0; i < n_threads; i++)
        threads[i] = start_thread(work, &sums[i], 0);
    pthread_barrier_wait(&settled);
    size_t at_once_kib = rollup_kib("\nRss:");
    sleep_us(2000000);
    figure("rss", (double)at_once_kib, "KiB");
    figure("rss_after", (double)rollup_kib("\nRss:"), "KiB");
    pthread_barrier_wait(&over);
    for (size_t i = 0; i < n_threads; i++) {
        join(threads[i]);
        sum += sums[i];
    }
    printf("%zu threads, sum %016llx\n", n_threads, (unsigned long long)sum);
    return 0;
}
