/* Random sizes: each thread replaces random blocks of its table by blocks of random size, log-uniform between two
 * powers of two, and writes and reads a word of every half KiB. The table is sized so that all threads together
 * keep LIVE_MIB.
 *
 *     random_sizes SMALLEST_ORDER LARGEST_ORDER LIVE_MIB THREADS BLOCKS */
#include "workload.h"

enum { STEP = 512 };

struct worker {
    unsigned order, n_orders;
    size_t n_live, n_blocks;
    uint64_t seed, sum;
};

static void *work(void *with) {
    struct worker *worker = (struct worker *)with;
    struct dice dice = dice_for(worker->seed);
    void **blocks = (void **)allocate_zeroed(worker->n_live * sizeof(void *));
    uint64_t sum = 0;
    for (size_t i = 0; i < worker->n_blocks; i++) {
        void **place = &blocks[roll_below(&dice, worker->n_live)];
        if (*place != NULL)
            sum += free_stamped(*place, STEP);
        size_t size = roll_size(&dice, worker->order, worker->n_orders);
        *place = stamped(size, STEP, dice.state >> 32);
    }
    for (size_t i = 0; i < worker->n_live; i++)
        if (blocks[i] != NULL)
            sum += free_stamped(blocks[i], STEP);
    free(blocks);
    worker->sum = sum;
    return NULL;
}

int main(int argc, char **argv) {
    size_t order = argument(argc, argv, 1, "log2 of the smallest size");
    size_t end = argument(argc, argv, 2, "log2 of the largest size");
    size_t n_live_bytes = argument(argc, argv, 3, "live MiB") * MIB;
    size_t n_threads = argument(argc, argv, 4, "threads"), n_blocks = argument(argc, argv, 5, "blocks");
    if (order < 3 || end <= order || end > STAMP_SIZE_BITS)
        fail("sizes must go from 2^3 or more up to 2^%d or less", STAMP_SIZE_BITS);
    /* The mean of a size that is uniform within each order is one and a half times the order's base. */
    size_t mean = 3 * (((size_t)1 << end) - ((size_t)1 << order)) / 2 / (end - order);
    struct worker *workers = (struct worker *)allocate_zeroed(n_threads * sizeof *workers);
    pthread_t *threads = (pthread_t *)allocate(n_threads * sizeof *threads);
    for (size_t i = 0; i < n_threads; i++) {
        workers[i].order = (unsigned)order;
        workers[i].n_orders = (unsigned)(end - order);
        workers[i].n_live = n_live_bytes / mean / n_threads + 1;
        workers[i].n_blocks = n_blocks / n_threads;
        workers[i].seed = i;
    }
    for (size_t i = 1; i < n_threads; i++)
        threads[i] = start_thread(work, &workers[i], 0);
    /* The main thread is the first worker, so one worker means a process without threads. */
    work(&workers[0]);
    uint64_t sum = workers[0].sum;
    for (size_t i = 1; i < n_threads; i++) {
        join(threads[i]);
        sum += workers[i].sum;
    }
    free(threads);
    free(workers);
    printf("%zu blocks, sum %016llx\n", n_blocks, (unsigned long long)sum);
    return 0;
}
