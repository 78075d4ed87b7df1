/* Processes of a scenario: what to do with a child, and how it must have ended. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <sys/types.h>
#include <sys/wait.h>

#include "scenario.h"

/* Waits for the child `pid` and requires that it exited with `expected`. */
static inline void require_exit(pid_t pid, int expected) {
    int status;
    REQUIRE_SAYING(pid > 0, "no child was made");
    while (waitpid(pid, &status, 0) != pid)
        REQUIRE(errno == EINTR);
    REQUIRE_SAYING(WIFEXITED(status) && WEXITSTATUS(status) == expected, "wait status %#x", (unsigned)status);
}

#endif
