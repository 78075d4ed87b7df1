/* Proves that a signal handler which runs on a small stack of its own, taken from malloc, may allocate when
 * no allocation was interrupted: the allocator keeps nothing that belongs to a stack. */
#include <signal.h>

#include "../threads.h"

static __thread size_t n_handled;

static void handle(int signal) {
    (void)signal;
    for (size_t size = 1; size < 16 * MIB; size *= 7)
        free(calloc(1, size));
    n_handled++;
}

static void *work(void *unused) {
    size_t room = 16 * KIB + (size_t)sysconf(_SC_MINSIGSTKSZ);
    stack_t stack = {.ss_sp = malloc(room), .ss_size = room}, none = {.ss_flags = SS_DISABLE};
    REQUIRE(stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0);
    for (size_t i = 0; i < 500; i++) {
        void *block = filled(1 + i * 100, i);
        REQUIRE(raise(SIGUSR1) == 0);
        free_filled(block, 1 + i * 100, i);
    }
    REQUIRE(n_handled == 500);
    REQUIRE(sigaltstack(&none, NULL) == 0);
    free(stack.ss_sp);
    return unused;
}

int main(void) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_t one = start(work, NULL), other = start(work, NULL);
    work(NULL);
    join(one);
    join(other);
    return 0;
}
