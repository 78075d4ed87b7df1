/* A server whose connections move from thread to thread: each lane owns a table of blocks; a thread replaces
 * random blocks of it, then hands it to a new thread and ends. Every free is of a block that this thread or one
 * of its dead predecessors allocated.
 *
 * The replacements and the threads that start are the same in number however many lanes run side by side, and so
 * is the table of a lane, so the times of different numbers of lanes compare.
 *
 *     server LANES REPLACEMENTS */
#include "workload.h"

enum { BLOCKS = 1024, TURNS = 1024, SMALLEST = 16, LARGEST = 1000, STEP = 128 };

struct lane {
    void **blocks;
    size_t n_turns, n_replacements;
    uint64_t sum;
    struct dice dice;
};

static pthread_mutex_t over_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over_changed = PTHREAD_COND_INITIALIZER;
static size_t n_over;

static void *roll_block(struct lane *lane) {
    size_t size = SMALLEST + roll_below(&lane->dice, LARGEST - SMALLEST);
    return stamped(size, STEP, lane->dice.state >> 32);
}

/* One thread's turn with the lane. */
static void *serve(void *with) {
    struct lane *lane = (struct lane *)with;
    for (size_t i = 0; i < lane->n_replacements; i++) {
        size_t nth = roll_below(&lane->dice, BLOCKS);
        lane->sum += free_stamped(lane->blocks[nth], STEP);
        lane->blocks[nth] = roll_block(lane);
    }
    if (--lane->n_turns > 0) {
        pthread_detach(start_thread(serve, lane, 0));
        return NULL;
    }
    pthread_mutex_lock(&over_lock);
    n_over++;
    pthread_cond_signal(&over_changed);
    pthread_mutex_unlock(&over_lock);
    return NULL;
}

int main(int argc, char **argv) {
    size_t n_lanes = argument(argc, argv, 1, "lanes"), n_all = argument(argc, argv, 2, "replacements");
    if (TURNS % n_lanes != 0)
        fail("the number of lanes must divide %d", TURNS);
    struct lane *lanes = (struct lane *)allocate_zeroed(n_lanes * sizeof *lanes);
    for (size_t i = 0; i < n_lanes; i++) {
        struct lane *lane = &lanes[i];
        lane->n_turns = TURNS / n_lanes;
        lane->n_replacements = n_all / TURNS;
        lane->dice = dice_for(i);
        lane->blocks = (void **)allocate(BLOCKS * sizeof(void *));
        for (size_t j = 0; j < BLOCKS; j++)
            lane->blocks[j] = roll_block(lane);
    }
    for (size_t i = 0; i < n_lanes; i++)
        pthread_detach(start_thread(serve, &lanes[i], 0));
    pthread_mutex_lock(&over_lock);
    while (n_over < n_lanes)
        pthread_cond_wait(&over_changed, &over_lock);
    pthread_mutex_unlock(&over_lock);

    uint64_t sum = 0;
    for (size_t i = 0; i < n_lanes; i++) {
        for (size_t j = 0; j < BLOCKS; j++)
            lanes[i].sum += free_stamped(lanes[i].blocks[j], STEP);
        free(lanes[i].blocks);
        sum += lanes[i].sum;
    }
    free(lanes);
    printf("%zu lanes, sum %016llx\n", n_lanes, (unsigned long long)sum);
    return 0;
}
