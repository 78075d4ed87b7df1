/* Proves that the memory of threads which a child does not have is in order, wherever they were when it was
 * forked: in the child as many new threads use up and free blocks of the sizes that those were busy with,
 * several times.
 *
 * @run 200
 * @soak 5000
 * @limit 120
 */
#include "../processes.h"
#include "../threads.h"

enum { THREADS = 8, SLOTS = 64, BLOCKS = 2000, REPEATS = 3 };

static const size_t sizes[] = {48, 200, 1000};
/* The blocks of the working threads. A slot is emptied before its block is freed. */
static void *volatile slots[THREADS][SLOTS];
static int is_over;
static pthread_barrier_t all_here;

static void *work(void *number) {
    void *volatile *own = slots[(size_t)number];
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    for (size_t step = 0; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); step++) {
        if (step % 4000 == 0)
            sleep_us(100); /* the forking thread needs a processor too */
        size_t slot = roll_below(&dice, SLOTS);
        void *block = own[slot];
        own[slot] = NULL;
        free(block);
        own[slot] = malloc(sizes[roll_below(&dice, COUNT(sizes))]);
    }
    return NULL;
}

static void free_slots(void) {
    for (size_t i = 0; i < THREADS; i++)
        for (size_t slot = 0; slot < SLOTS; slot++)
            free(slots[i][slot]);
}

static void *inherit(void *number) {
    uint64_t tag = (uint64_t)(uintptr_t)number + 1;
    void *blocks[BLOCKS];
    pthread_barrier_wait(&all_here);
    for (size_t repeat = 0; repeat < REPEATS; repeat++) {
        for (size_t i = 0; i < BLOCKS; i++)
            blocks[i] = filled(sizes[i % COUNT(sizes)], tag);
        for (size_t i = 0; i < BLOCKS; i++)
            free_filled(blocks[i], sizes[i % COUNT(sizes)], tag);
    }
    return NULL;
}

static void child_life(void) {
    pthread_t threads[THREADS];
    free_slots();
    pthread_barrier_init(&all_here, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(inherit, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
    _exit(5);
}

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    scenario_seed();
    size_t n_rounds = strtoul(argv[1], NULL, 10);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(work, (void *)i);
    for (size_t round = 0; round < n_rounds; round++) {
        pid_t child = fork();
        if (child == 0)
            child_life();
        require_exit(child, 5);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
    free_slots();
    return 0;
}
