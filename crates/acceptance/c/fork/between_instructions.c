/* Proves that a fork is safe wherever another thread is: a thread allocates, frees and frees blocks of the
 * main thread one instruction at a time, and before each instruction (or before some of them, if the second
 * argument is more than 1) the program forks. The child frees every block that is certainly live; then new
 * threads, which take over what the vanished one left, use up and free blocks of the same size several times.
 *
 * @run 48 2
 * @run 1000 2
 * @run 102400 40
 * @run 5000000 40
 * @soak 48 1
 * @soak 1000 1
 * @soak 102400 1
 * @soak 5000000 1
 * @flags -Wl,-z,now
 * @limit 120
 */
#include <semaphore.h>
#include <signal.h>

#include "../processes.h"
#include "../threads.h"

enum { BLOCKS = 8, REPEATS = 2, PATIENCE_NS = 100000000 };

static size_t size_of_all, stride;
/* Blocks of the stepping thread: those from `n_freed` to `n_made` are live, but for one that is on its way.
 */
static void *volatile own[BLOCKS];
static volatile size_t n_made, n_freed;
/* Blocks of the main thread that the stepping thread frees. */
static void *remote[BLOCKS];
static volatile size_t n_remote_freed;
static sem_t stopped, may_go_on;
static volatile int is_over;
static size_t n_instructions, next_stop = 1;
static int is_fork_due;

/* Stops the stepping thread until the program has forked. If that takes long, the thread holds a lock which
 * the fork needs; then it goes on, and does not stop again before the program has forked. */
static void on_instruction(int signal) {
    (void)signal;
    int error = errno;
    n_instructions++;
    if (is_fork_due)
        is_fork_due = sem_trywait(&may_go_on) != 0;
    if (!is_fork_due && n_instructions >= next_stop) {
        struct dice dice = dice_for(n_instructions);
        next_stop = n_instructions + 1 + roll_below(&dice, 2 * stride - 1);
        struct timespec limit;
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_sec += (limit.tv_nsec += PATIENCE_NS) / 1000000000;
        limit.tv_nsec %= 1000000000;
        sem_post(&stopped);
        is_fork_due = sem_timedwait(&may_go_on, &limit) != 0;
    }
    errno = error;
}

static void set_stepping(int is_on) {
#ifdef __x86_64__
    if (is_on)
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
    else
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
#else
    (void)is_on;
    scenario_skip("no way to stop after each instruction is known for this processor");
#endif
}

static void *step(void *unused) {
    free(filled(size_of_all, 1)); /* the heap of this thread exists before the first step */
    set_stepping(1);
    for (size_t i = 0; i < BLOCKS; i++) {
        own[i] = malloc(size_of_all);
        n_made = i + 1;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        n_remote_freed = i + 1;
        free(remote[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        n_freed = i + 1;
        free(own[i]);
    }
    set_stepping(0);
    while (is_fork_due)
        is_fork_due = sem_wait(&may_go_on) != 0;
    is_over = 1;
    sem_post(&stopped);
    return unused;
}

static void *inherit(void *unused) {
    uint64_t tag = 1;
    size_t n_blocks = 256 * KIB / size_of_all + 2 < 400 ? 256 * KIB / size_of_all + 2 : 400;
    size_t used = size_of_all < 4 * KIB ? size_of_all : 4 * KIB;
    void *blocks[400];
    for (size_t repeat = 0; repeat < REPEATS; repeat++) {
        for (size_t i = 0; i < n_blocks; i++) {
            blocks[i] = malloc(size_of_all);
            REQUIRE(blocks[i] != NULL);
            fill(blocks[i], used, tag);
        }
        for (size_t i = 0; i < n_blocks; i++)
            free_filled(blocks[i], used, tag);
    }
    return unused;
}

static void child_life(void) {
    alarm(20); /* a child that hangs tells where it was forked */
    for (size_t i = n_freed; i < n_made; i++)
        free(own[i]);
    for (size_t i = n_remote_freed; i < BLOCKS; i++)
        free(remote[i]);
    join(start(inherit, NULL));
    _exit(5);
}

int main(int argc, char **argv) {
    REQUIRE(argc == 3);
    scenario_seed();
    size_of_all = strtoul(argv[1], NULL, 10);
    stride = strtoul(argv[2], NULL, 10);
    struct sigaction action = {.sa_handler = on_instruction};
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    REQUIRE(sem_init(&stopped, 0, 0) == 0 && sem_init(&may_go_on, 0, 0) == 0);
    for (size_t i = 0; i < BLOCKS; i++)
        remote[i] = filled(size_of_all, 1);
    pthread_t stepping = start(step, NULL);
    size_t n_forks = 0;
    for (;; n_forks++) {
        while (sem_wait(&stopped) != 0)
            ;
        if (is_over)
            break;
        pid_t child = fork();
        if (child == 0)
            child_life();
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE_SAYING(
            WIFEXITED(status) && WEXITSTATUS(status) == 5,
            "wait status %#x: forked at instruction %zu, %zu made, %zu of the main thread's freed, %zu freed",
            (unsigned)status, n_instructions, n_made, n_remote_freed, n_freed);
        sem_post(&may_go_on);
    }
    join(stepping);
    printf("%zu instructions, %zu forks\n", n_instructions, n_forks);
    return 0;
}
