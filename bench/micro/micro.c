/* Nanoseconds per operation of the allocator in this process, which is the preloaded one: micro [TEXT].
 *
 * Prints one line per benchmark, "NAME<tab>NANOSECONDS"; with TEXT, those alone that have it in their names. Each
 * is repeated for some milliseconds, and the best repetition counts: whatever else runs on a machine only ever
 * adds. run.sh starts this with one allocator after the other and makes a table. A block that is "touched" has one
 * byte written in each page.
 *
 * If LD_PRELOAD is set, its first library must be the one that malloc comes from: the dynamic loader only warns
 * about a library that it cannot load.
 */
#define _GNU_SOURCE
#include "micro.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A repetition lasts so long at least; clocks are exact to some 30 ns. */
static const double LEAST_SECONDS = 0.001;
/* Repetitions go on for so long. */
static const double ALL_SECONDS = 0.012;

static const char *wanted = "";

_Noreturn void fail(const char *message) {
    fprintf(stderr, "micro: %s\n", message);
    exit(EXIT_FAILURE);
}

const char *size_text(size_t bytes) {
    static char text[32];
    static const struct {
        size_t bytes;
        const char *name;
    } units[] = {{1024 * MIB, "GiB"}, {MIB, "MiB"}, {KIB, "KiB"}, {1000, "KB"}, {1, "B"}};
    size_t i = 0;
    while (bytes % units[i].bytes != 0)
        i++;
    snprintf(text, sizeof text, "%zu %s", bytes / units[i].bytes, units[i].name);
    return text;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double seconds(benchmark *run, void *subject, size_t times) {
    double start = now();
    for (size_t i = 0; i < times; i++)
        run(subject);
    return now() - start;
}

/* The shorter of two repetitions, so that one disturbance does not pass for a long operation. */
static double seconds_at_best(benchmark *run, void *subject, size_t times) {
    double first = seconds(run, subject, times);
    double second = first > ALL_SECONDS ? first : seconds(run, subject, times);
    return first < second ? first : second;
}

void measure(const char *name, benchmark *run, void *subject, size_t operations) {
    if (strstr(name, wanted) == NULL)
        return;
    /* The first run finds memory that is not there yet. */
    run(subject);
    size_t times = 1;
    double best = seconds_at_best(run, subject, times);
    while (best < LEAST_SECONDS) {
        times *= 2;
        best = seconds_at_best(run, subject, times);
    }
    for (double all = 0, spent; all < ALL_SECONDS; all += spent) {
        spent = seconds(run, subject, times);
        if (spent < best)
            best = spent;
    }
    printf("%s\t%.2f\n", name, best * 1e9 / (double)times / (double)operations);
    fflush(stdout);
}

/* Makes sure that the preloaded library is in effect. */
static void check_allocator(void) {
    const char *preload = getenv("LD_PRELOAD");
    if (preload == NULL || *preload == '\0')
        return;
    char first[4096];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(preload, ": "), preload);
    const char *names[] = {"malloc", "free", "realloc", "calloc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info info;
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        if (symbol == NULL || dladdr(symbol, &info) == 0 || strcmp(info.dli_fname, first) != 0) {
            fprintf(stderr, "micro: %s is not %s's\n", names[i], first);
            exit(EXIT_FAILURE);
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 2)
        fail("usage: micro [TEXT]");
    if (argc == 2)
        wanted = argv[1];
    check_allocator();
    measure_blocks();
    measure_remote_frees();
    measure_resizes();
    return EXIT_SUCCESS;
}
