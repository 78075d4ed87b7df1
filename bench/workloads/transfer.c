/* Mixed sizes and lifetimes with blocks that change hands: each thread keeps some blocks for a moment, some for
 * long, and now and then swaps one with a slot that all threads share, so that it soon frees blocks of others
 * among its own. Between rounds all threads end and new ones take their places.
 *
 * Which block meets which thread is left to chance. That what was written is all read again is not: the sums
 * over all blocks agree.
 *
 *     transfer THREADS BLOCKS */
#include "workload.h"

enum { ROUNDS = 16, SLOTS = 1024, KEPT = 4096, BRIEF = 64, STEP = 512 };

struct worker {
    size_t n_blocks;
    uint64_t written, read;
    struct dice dice;
};

static void *slots[SLOTS];

/* Most blocks are small, one in 32 has 1 to 8 KiB, one in 1024 up to 128 KiB. */
static size_t mixed_size(struct dice *dice) {
    size_t kind = roll_below(dice, 1024);
    return kind == 0 ? roll_size(dice, 13, 4) : kind < 32 ? roll_size(dice, 10, 3) : roll_size(dice, 4, 5);
}

static void drop(struct worker *worker, void *block) {
    if (block != NULL)
        worker->read += free_stamped(block, STEP);
}

static void *work(void *with) {
    struct worker *worker = (struct worker *)with;
    struct dice *dice = &worker->dice;
    void **kept = (void **)allocate_zeroed(KEPT * sizeof(void *));
    void *brief[BRIEF] = {NULL};
    for (size_t i = 0; i < worker->n_blocks; i++) {
        size_t size = mixed_size(dice), fate = roll_below(dice, 100);
        void *block = allocate(size);
        worker->written += write_stamp(block, size, STEP, dice->state >> 32);
        if (fate < 20) {
            block = __atomic_exchange_n(&slots[roll_below(dice, SLOTS)], block, __ATOMIC_ACQ_REL);
            drop(worker, block);
        } else {
            void **place = fate < 60 ? &kept[roll_below(dice, KEPT)] : &brief[i % BRIEF];
            drop(worker, *place);
            *place = block;
        }
    }
    for (size_t i = 0; i < BRIEF; i++)
        drop(worker, brief[i]);
    for (size_t i = 0; i < KEPT; i++)
        drop(worker, kept[i]);
    free(kept);
    return NULL;
}

int main(int argc, char **argv) {
    size_t n_threads = argument(argc, argv, 1, "threads"), n_blocks = argument(argc, argv, 2, "blocks");
    struct worker *workers = (struct worker *)allocate_zeroed(n_threads * sizeof *workers);
    pthread_t *threads = (pthread_t *)allocate(n_threads * sizeof *threads);
    for (size_t i = 0; i < n_threads; i++) {
        workers[i].n_blocks = n_blocks / ROUNDS / n_threads;
        workers[i].dice = dice_for(i);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n_threads; i++)
            threads[i] = start_thread(work, &workers[i], 0);
        for (size_t i = 0; i < n_threads; i++)
            join(threads[i]);
    }
    uint64_t written = 0, read = 0;
    for (size_t i = 0; i < SLOTS; i++)
        drop(&workers[0], slots[i]);
    for (size_t i = 0; i < n_threads; i++) {
        written += workers[i].written;
        read += workers[i].read;
    }
    if (written != read)
        fail("what was read is not what was written");
    free(threads);
    free(workers);
    printf("%zu threads, sum %016llx\n", n_threads, (unsigned long long)read);
    return 0;
}
