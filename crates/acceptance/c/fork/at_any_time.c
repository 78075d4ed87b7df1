/* Proves that fork is safe whatever the other threads are in the middle of: starting and ending threads,
 * large blocks, growing blocks, trimming, reading statistics, and forking themselves.
 *
 * @run 300
 * @soak 5000
 * @limit 120
 */
#include <malloc.h>

#include "../processes.h"
#include "../threads.h"

static int is_over;
static size_t n_rounds;

static int goes_on(void) { return !__atomic_load_n(&is_over, __ATOMIC_RELAXED); }

static void *short_life(void *argument) {
    free(filled(3000, 1));
    return argument;
}

static void *start_and_end_threads(void *unused) {
    while (goes_on())
        join(start(short_life, NULL));
    return unused;
}

static void *large_blocks(void *unused) {
    struct dice dice = dice_for(1);
    while (goes_on()) {
        void *block = opaque(malloc(roll_size(&dice, MIB, 64 * MIB)));
        REQUIRE(block != NULL);
        free(block);
    }
    return unused;
}

static void *growing_blocks(void *unused) {
    while (goes_on()) {
        char *block = NULL;
        for (size_t size = 1; size <= 8 * MIB; size *= 3) {
            block = (char *)realloc(block, size);
            REQUIRE(block != NULL);
            block[size - 1] = 1;
        }
        free(block);
    }
    return unused;
}

static void *housekeeping(void *unused) {
    while (goes_on()) {
        malloc_trim(0);
        REQUIRE(mallinfo2().arena + mallinfo2().hblkhd > 0);
        sleep_us(500);
    }
    return unused;
}

static void child_life(void) {
    void *blocks[100];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = filled(i * 300, i);
    join(start(short_life, NULL));
    for (size_t i = 0; i < COUNT(blocks); i++)
        free_filled(blocks[i], i * 300, i);
    malloc_trim(0);
    _exit(5);
}

static void *forks(void *unused) {
    for (size_t round = 0; round < n_rounds; round++) {
        pid_t child = fork();
        if (child == 0)
            child_life();
        require_exit(child, 5);
    }
    return unused;
}

int main(int argc, char **argv) {
    scenario_seed();
    n_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    void *(*const bodies[])(void *) = {start_and_end_threads, start_and_end_threads, large_blocks,
                                       growing_blocks, housekeeping};
    pthread_t threads[COUNT(bodies)], forking[2];
    for (size_t i = 0; i < COUNT(bodies); i++)
        threads[i] = start(bodies[i], NULL);
    for (size_t i = 0; i < COUNT(forking); i++)
        forking[i] = start(forks, NULL);
    for (size_t i = 0; i < COUNT(forking); i++)
        join(forking[i]);
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < COUNT(bodies); i++)
        join(threads[i]);
    return 0;
}
