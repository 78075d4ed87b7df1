/* Proves that vfork and exec work while threads allocate, and that a child which allocates in its parent's
 * memory before it execs (the standard does not allow it, programs do it) harms nothing. */
#include "../processes.h"
#include "../threads.h"

enum { ROUNDS = 300, THREADS = 4 };

static int is_over;

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        size_t size = roll_size(&dice, 1, 64 * KIB);
        free_filled(filled(size, size), size, size);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return 9;
    scenario_seed();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(work, (void *)i);
    char *const arguments[] = {argv[0], (char *)"child", NULL};
    for (size_t round = 0; round < ROUNDS; round++) {
        void *volatile from_child = NULL;
        void *volatile for_child = filled(100, 1);
        pid_t child = vfork();
        if (child == 0) {
            from_child = malloc(1 + round * 10);
            free(for_child);
            execv(argv[0], arguments);
            _exit(1);
        }
        require_exit(child, 9);
        REQUIRE(from_child != NULL);
        fill(from_child, 1 + round * 10, 2);
        free_filled(from_child, 1 + round * 10, 2);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        join(threads[i]);
    return 0;
}
