/* Thread churn: thousands of short threads, a few at a time. Each allocates a little of everything, frees most of
 * it, and leaves one block as its result to whoever joins it.
 *
 *     thread_churn AT_A_TIME THREADS */
#include "workload.h"

enum { BLOCKS = 200, STEP = 64, STACK_BYTES = 128 << 10 };

struct task {
    uint64_t seed, sum;
};

/* The request that a short thread serves; its result is a stamped block. */
static void *serve(void *with) {
    struct task *task = (struct task *)with;
    struct dice dice = dice_for(task->seed);
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = stamped(roll_size(&dice, 4, 7), STEP, dice.state >> 32);
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCKS; i++)
        sum += free_stamped(blocks[i], STEP);
    task->sum = sum;
    return stamped(100, STEP, sum);
}

int main(int argc, char **argv) {
    size_t n_lanes = argument(argc, argv, 1, "threads at a time"), n_threads = argument(argc, argv, 2, "threads");
    struct task *tasks = (struct task *)allocate_zeroed(n_lanes * sizeof *tasks);
    pthread_t *threads = (pthread_t *)allocate(n_lanes * sizeof *threads);
    uint64_t sum = 0;
    for (size_t i = 0; i < n_threads + n_lanes; i++) {
        size_t lane = i % n_lanes;
        if (i >= n_lanes && i - n_lanes < n_threads) {
            sum += free_stamped(join(threads[lane]), STEP);
            sum += tasks[lane].sum;
        }
        if (i < n_threads) {
            tasks[lane].seed = i;
            threads[lane] = start_thread(serve, &tasks[lane], STACK_BYTES);
        }
    }
    free(threads);
    free(tasks);
    printf("%zu threads, sum %016llx\n", n_threads, (unsigned long long)sum);
    return 0;
}
