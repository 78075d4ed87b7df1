/* The runner: starts one program, waits for its end, and says what the kernel counted.
 *
 *   runner MILLISECONDS OUTPUT ERRORS PROGRAM [ARGUMENT]...
 *   runner --warm MEBIBYTES
 *
 * A process inherits the peak of its parent's resident set over exec, so whoever starts a program must be smaller than
 * anything that is to be measured. Hence this one is static and allocates nothing before the fork.
 *
 * The program gets no input, the files OUTPUT and ERRORS, the environment of the runner, and a process group of its own.
 * It is killed with all its descendants when its time is up, when the runner is told to stop, or when whoever started
 * the runner ends. The report is one line on standard output, in nanoseconds, microseconds, KiB and counts:
 *
 *   WALL USER SYSTEM PEAK_RSS MINOR_FAULTS MAJOR_FAULTS exit|signal|timeout|stopped NUMBER
 *
 * `--warm` touches memory in one process per processor and gives it back: a virtual machine's memory that was not used for
 * a while is slow to touch, and that must not hit the program that happens to come next.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { REPORT = STDOUT_FILENO };

static void fail(const char *what) {
    dprintf(STDERR_FILENO, "runner: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Replaces a standard stream. */
static void stream(int number, const char *path, int flags) {
    int file = open(path, flags, 0644);
    if (file < 0 || dup2(file, number) < 0) {
        fail(path);
    }
    if (file != number) {
        close(file);
    }
}

static _Noreturn void become(char **program, const sigset_t *mask, const char *output, const char *errors) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setpgid(0, 0);
    stream(STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC);
    stream(STDIN_FILENO, "/dev/null", O_RDONLY);
    stream(STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(program[0], program);
    fail(program[0]);
    __builtin_unreachable();
}

/* Kills what the program left behind: its group, and whoever left the group and became our child by its death. */
static void clear_away(pid_t group) {
    char path[64], children[4096];
    kill(-group, SIGKILL);
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (;;) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? 0 : read(file, children, sizeof children - 1);
        if (file >= 0) {
            close(file);
        }
        children[length > 0 ? length : 0] = '\0';
        for (char *at = children, *end; strtol(at, &end, 10) > 0; at = end) {
            kill((pid_t)strtol(at, NULL, 10), SIGKILL);
        }
        if (wait4(-1, NULL, 0, NULL) < 0 && errno == ECHILD) {
            return;
        }
    }
}

/* Waits until the program has ended or must; returns NULL or the word for why it must. */
static const char *await(pid_t program, const sigset_t *signals, long long deadline) {
    for (;;) {
        siginfo_t state = {0};
        if (waitid(P_PID, (id_t)program, &state, WEXITED | WNOHANG | WNOWAIT) < 0) {
            fail("waitid");
        }
        if (state.si_pid == program) {
            return NULL;
        }
        long long left = deadline - now_ns();
        if (left <= 0) {
            return "timeout";
        }
        const struct timespec patience = {left / 1000000000, left % 1000000000};
        int got = sigtimedwait(signals, NULL, &patience);
        if (got > 0 && got != SIGCHLD) {
            return "stopped";
        }
    }
}

static long long micros(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static int run(long long milliseconds, const char *output, const char *errors, char **program) {
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);

    long long start = now_ns();
    pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        become(program, &before, output, errors);
    }
    setpgid(child, child);
    const char *why = await(child, &signals, start + milliseconds * 1000000);
    if (why) {
        kill(-child, SIGKILL);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) {
        fail("wait4");
    }
    long long wall = now_ns() - start;
    clear_away(child);

    const char *word = why ? why : WIFSIGNALED(status) ? "signal" : "exit";
    int number = why ? 0 : WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    dprintf(REPORT, "%lld %lld %lld %ld %ld %ld %s %d\n", wall, micros(usage.ru_utime), micros(usage.ru_stime),
            usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt, word, number);
    return 0;
}

static _Noreturn void touch(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fail("mmap");
    }
    /* Huge pages where they are allowed: a quarter of the time for the same memory. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) < 0) {
        for (size_t at = 0; at < bytes; at += 4096) {
            ((volatile char *)memory)[at] = 1;
        }
    }
    _exit(0);
}

static int warm(size_t mebibytes) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int status, failed = 0;
    for (long one = 0; one < processors; one++) {
        pid_t child = fork();
        if (child < 0) {
            fail("fork");
        }
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            touch((mebibytes << 20) / (size_t)processors + 4096);
        }
    }
    while (wait(&status) > 0) {
        failed |= status != 0;
    }
    return failed;
}

int main(int count, char **words) {
    if (count == 3 && strcmp(words[1], "--warm") == 0) {
        return warm(strtoul(words[2], NULL, 10));
    }
    if (count < 5) {
        dprintf(STDERR_FILENO, "usage: runner MILLISECONDS OUTPUT ERRORS PROGRAM [ARGUMENT]...\n");
        return 125;
    }
    return run(strtoll(words[1], NULL, 10), words[2], words[3], words + 4);
}
