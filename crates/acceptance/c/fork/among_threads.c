/* Proves that a program may fork while its other threads allocate: the child finds a heap in order, frees
 * blocks of its parent (of living and of vanished threads), allocates, starts threads and forks again. 1,000
 * rounds without a hang.
 *
 * @run 1000
 * @soak 20000
 * @limit 120
 */
#include "../processes.h"
#include "../threads.h"

enum { THREADS = 8, SLOTS = 64, SHARED = 512, SHARED_BYTES = 200 };

static void *slots[THREADS][SLOTS];
static void *shared[SHARED];
static int is_over;

static void *work(void *number) {
    size_t nth = (size_t)number;
    struct dice dice = dice_for(nth);
    for (size_t step = 0; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); step++) {
        if (step % 400 == 0)
            sleep_us(200); /* the forking thread needs a processor too */
        size_t slot = roll_below(&dice, SLOTS);
        free(slots[nth][slot]);
        slots[nth][slot] = malloc(roll_size(&dice, 1, roll_below(&dice, 100) ? 4 * KIB : 256 * KIB));
        REQUIRE(slots[nth][slot] != NULL);
        /* One block at a time goes to whichever thread comes next, so that frees of others' blocks are always
         * on the way. */
        free(__atomic_exchange_n(&shared[roll_below(&dice, SHARED)], filled(SHARED_BYTES, 3),
                                 __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static void *work_in_child(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    for (size_t i = 0; i < 50; i++) {
        size_t size = roll_size(&dice, 1, 64 * KIB);
        free_filled(filled(size, i), size, i);
    }
    return NULL;
}

/* What a child does before it ends. */
static void live(size_t round) {
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i] != NULL)
            free_filled(shared[i], SHARED_BYTES, 3);
    work_in_child((void *)round);
    pthread_t thread = start(work_in_child, (void *)(round + 1));
    join(thread);
}

int main(int argc, char **argv) {
    scenario_seed();
    size_t n_rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(work, (void *)i);
    for (size_t round = 0; round < n_rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            live(round);
            pid_t grandchild = fork();
            if (grandchild == 0) {
                work_in_child((void *)round);
                _exit(7);
            }
            require_exit(grandchild, 7);
            _exit(6);
        }
        require_exit(child, 6);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
    return 0;
}
