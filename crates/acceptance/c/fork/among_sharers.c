/* Proves that fork is safe while other threads are in the middle of using what they share, because many others have heaps
 * of their own: the child can allocate, free what was there, start threads that share, and fork again.
 *
 * @run 200
 * @soak 5000
 * @limit 120
 */
#include "../processes.h"
#include "../threads.h"

enum { OTHERS = 32, SHARERS = 4, CALLS = 20, KEPT = 64 };

static pthread_barrier_t at_work;
static int is_over;
static void *kept[KEPT]; /* passed from sharer to sharer, and to children */

static void *stay(void *unused) {
    free(filled(100, 0));
    pthread_barrier_wait(&at_work);
    pthread_barrier_wait(&at_work);
    return unused;
}

/* A short life: fewer calls than a heap of its own takes. Half of the blocks are left to whoever comes next. */
static void *live(void *number) {
    struct dice dice = dice_for((size_t)number);
    for (size_t i = 0; i < CALLS; i++) {
        size_t size = roll_size(&dice, 16, 64 * KIB);
        free(filled(size, i));
        void **place = &kept[roll_below(&dice, KEPT)];
        free(__atomic_exchange_n(place, filled(size, i), __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static void *live_again_and_again(void *number) {
    for (size_t i = 0; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); i++)
        join(start(live, (void *)(((size_t)number << 32) + i)));
    return NULL;
}

static void child(size_t round) {
    for (size_t i = 0; i < SHARERS; i++)
        join(start(live, (void *)(round + i)));
    for (size_t i = 0; i < KEPT; i++)
        free(kept[i]);
    pid_t grandchild = fork();
    if (grandchild == 0) {
        for (size_t i = 0; i < 1000; i++)
            free(filled(1 + i * 50, i));
        _exit(0);
    }
    int status;
    REQUIRE(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    exit(0);
}

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    size_t n_rounds = strtoul(argv[1], NULL, 10);
    pthread_t others[OTHERS], sharers[SHARERS];
    scenario_seed();
    pthread_barrier_init(&at_work, NULL, OTHERS + 1);
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = start(stay, NULL);
    pthread_barrier_wait(&at_work);
    for (size_t i = 0; i < SHARERS; i++)
        sharers[i] = start(live_again_and_again, (void *)i);
    for (size_t round = 0; round < n_rounds; round++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0)
            child(round);
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE_SAYING(status == 0, "round %zu: wait status %#x", round, (unsigned)status);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < SHARERS; i++)
        join(sharers[i]);
    pthread_barrier_wait(&at_work);
    for (size_t i = 0; i < OTHERS; i++)
        join(others[i]);
    return 0;
}
