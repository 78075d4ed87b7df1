/* Proves that `_Fork`, which runs no fork handlers and may be called in a signal handler, does not hang when
 * the signal interrupted an allocation: the child does what is allowed there (writes to a pipe) and ends, the
 * parent goes on.
 *
 * @run 400
 * @soak 10000
 * @limit 60
 */
#include <signal.h>
#include <sys/time.h>

#include "../processes.h"

enum { SLOTS = 256 };

static volatile sig_atomic_t n_forks;
static int channel[2];

static void on_timer(int signal) {
    int error = errno, status;
    pid_t child = _Fork();
    if (child == 0) {
        char mark = (char)signal;
        _exit(write(channel[1], &mark, 1) == 1 ? 3 : 4);
    }
    while (waitpid(child, &status, 0) != child)
        if (errno != EINTR)
            _exit(1);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 3)
        _exit(2);
    n_forks++;
    errno = error;
}

int main(int argc, char **argv) {
    int n_rounds = argc > 1 ? atoi(argv[1]) : 1;
    struct dice dice = dice_for(0);
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval period = {{0, 1000}, {0, 1000}};
    void *slots[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    REQUIRE(pipe2(channel, O_NONBLOCK) == 0);
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    REQUIRE(setitimer(ITIMER_REAL, &period, NULL) == 0);
    while (n_forks < n_rounds) {
        size_t slot = roll_below(&dice, SLOTS);
        char drained[256];
        if (slots[slot] != NULL)
            free_filled(slots[slot], sizes[slot], slot);
        sizes[slot] = roll_size(&dice, 1, 256 * KIB);
        slots[slot] = filled(sizes[slot], slot);
        while (read(channel[0], drained, sizeof drained) > 0)
            ;
    }
    return 0;
}
