/* The paths through an allocator that count.sh counts.
 *
 * Runs under callgrind with the library preloaded. A window is a number of calls, and callgrind writes down how
 * many instructions ran inside it. Every path is measured in windows of some length and of twice that length, and
 * so is a function that only returns, in its place. The difference of two lengths has nothing of what surrounds
 * the loop, and the difference to the function that only returns has nothing of the loop. count.sh does this
 * arithmetic, with one window of each name: "path length", or "path length nothing".
 *
 * Of each window, the cheapest one counts. A path is fast if all its calls can go the same short way: its windows are
 * short and follow each other with the lists in different states, so the cheapest has no visit to a slow path. Pairs
 * and remote frees are averages over so many blocks that a visit to a slow path more or less does not show; there the
 * cheapest has no work that is due by the clock. On a busy machine most of them have some.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <valgrind/callgrind.h>

/* On x86-64 and AArch64, every function that is measured can be called as one from two words to a word. */
typedef uintptr_t function(uintptr_t first, uintptr_t second);

/* The allocator's, found by their names. */
static function *allocate, *allocate_zeroed, *release, *release_sized, *resize;

function nothing;
__asm__(".text\n.type nothing, @function\nnothing: ret\n.size nothing, . - nothing");

enum { WINDOWS = 24, FAST_CALLS = 8, WARM_BLOCKS = 512, REMOTE_BLOCKS = 1024 };

static uintptr_t arguments[2 * REMOTE_BLOCKS], results[2 * REMOTE_BLOCKS];

static char window_name[64];

static inline void begin_window(const char *path, int length, int is_nothing) {
    snprintf(window_name, sizeof window_name, "%s %d%s", path, length, is_nothing ? " nothing" : "");
    CALLGRIND_ZERO_STATS;
}

static inline void end_window(void) {
    CALLGRIND_DUMP_STATS_AT(window_name);
}

/* Calls with each of the arguments, and keeps the results. */
__attribute__((noinline)) static void call_each(function *callee, uintptr_t second, int calls) {
    for (int i = 0; i < calls; i++)
        results[i] = callee(arguments[i], second);
}

static void measure_calls(const char *path, function *callee, uintptr_t second, int calls) {
    begin_window(path, calls, callee == nothing);
    call_each(callee, second, calls);
    end_window();
}

static void set_arguments(uintptr_t value, int count) {
    for (int i = 0; i < count; i++)
        arguments[i] = value;
}

/* Fills the arguments with new blocks. */
static void set_blocks(uintptr_t bytes, int count) {
    for (int i = 0; i < count; i++)
        arguments[i] = allocate(bytes, 0);
}

static void release_all(const uintptr_t *blocks, int count) {
    for (int i = 0; i < count; i++)
        release(blocks[i], 0);
}

/* As in a program that has run for a while: there are free blocks, and their memory has been in use before. */
static void warm_up(uintptr_t bytes) {
    set_blocks(bytes, WARM_BLOCKS);
    release_all(arguments, WARM_BLOCKS);
}

/* Calls that give a block: the path of their arguments. */
static void measure_new(const char *path, function *callee, uintptr_t first, uintptr_t second) {
    uintptr_t bytes = second == 0 ? first : first * second;

    warm_up(bytes);
    for (int i = 0; i < WINDOWS; i++)
        for (int calls = FAST_CALLS; calls <= 2 * FAST_CALLS; calls += FAST_CALLS) {
            set_arguments(first, calls);
            measure_calls(path, nothing, second, calls);
            measure_calls(path, callee, second, calls);
            release_all(results, calls);
        }
}

/* Calls that take a block of so many bytes. */
static void measure_old(const char *path, function *callee, uintptr_t second, uintptr_t bytes) {
    warm_up(bytes);
    for (int i = 0; i < WINDOWS; i++)
        for (int calls = FAST_CALLS; calls <= 2 * FAST_CALLS; calls += FAST_CALLS) {
            set_blocks(bytes, calls);
            measure_calls(path, nothing, second, calls);
            measure_calls(path, callee, second, calls);
            if (callee == resize)
                release_all(results, calls);
        }
}

/* Allocates some blocks and frees them in the same order, again and again. */
__attribute__((noinline)) static void cycle(function *new, function *old, uintptr_t bytes, int held, int rounds) {
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < held; i++)
            results[i] = new(bytes, 0);
        for (int i = 0; i < held; i++)
            old(results[i], 0);
    }
}

static void measure_cycles(const char *path, function *new, function *old, uintptr_t bytes, int held, int rounds) {
    for (int i = 0; i < WINDOWS; i++)
        for (int times = 1; times <= 2; times++) {
            /* What is due because callgrind has just spent time on a file is done before the window. */
            cycle(new, old, bytes, held, rounds);
            begin_window(path, times * rounds * held, new == nothing);
            cycle(new, old, bytes, held, times * rounds);
            end_window();
        }
}

static void measure_pairs(const char *path, uintptr_t bytes, int held, int rounds) {
    measure_cycles(path, nothing, nothing, bytes, held, rounds);
    measure_cycles(path, allocate, release, bytes, held, rounds);
}

struct remote_frees {
    const char *path;
    function *callee;
    int calls;
};

static void *free_remotely(void *argument) {
    const struct remote_frees *frees = argument;

    measure_calls(frees->path, frees->callee, 0, frees->calls);
    return NULL;
}

/* Frees by a thread of its own. */
static void start_and_join(struct remote_frees frees) {
    pthread_t thread;

    if (pthread_create(&thread, NULL, free_remotely, &frees) != 0 || pthread_join(thread, NULL) != 0) {
        fputs("paths: no second thread can be started\n", stderr);
        exit(EXIT_FAILURE);
    }
}

/* Blocks of this thread that another one frees. */
static void measure_remote(const char *path, uintptr_t bytes) {
    for (int i = 0; i < WINDOWS; i++)
        for (int calls = REMOTE_BLOCKS; calls <= 2 * REMOTE_BLOCKS; calls += REMOTE_BLOCKS) {
            set_blocks(bytes, calls);
            start_and_join((struct remote_frees){path, nothing, calls});
            start_and_join((struct remote_frees){path, release, calls});
        }
}

static function *find(const char *name) {
    void *symbol = dlsym(RTLD_DEFAULT, name);

    if (symbol == NULL) {
        fprintf(stderr, "paths: there is no function %s\n", name);
        exit(EXIT_FAILURE);
    }
    return (function *)(uintptr_t)symbol;
}

int main(void) {
    allocate = find("malloc");
    allocate_zeroed = find("calloc");
    release = find("free");
    release_sized = find("_ZdlPvm");
    resize = find("realloc");

    /* The averages come first, because what the allocator still has of earlier paths depends on the clock. As many
     * blocks as several lists hold, but few enough to be done before anything is due. */
    measure_pairs("pair-20000", 20000, 1, 16);
    measure_pairs("pair-1000", 1000, 64, 32);
    measure_pairs("pair-64", 64, 512, 8);
    measure_pairs("pair-16", 16, 1024, 8);
    measure_remote("remote-free-64", 64);

    measure_new("malloc-16", allocate, 16, 0);
    measure_new("malloc-64", allocate, 64, 0);
    measure_new("malloc-1000", allocate, 1000, 0);
    measure_new("malloc-2000", allocate, 2000, 0);
    measure_new("calloc-64", allocate_zeroed, 1, 64);
    measure_old("free-16", release, 0, 16);
    measure_old("free-64", release, 0, 64);
    measure_old("free-1000", release, 0, 1000);
    measure_old("free-2000", release, 0, 2000);
    measure_old("sized-delete-64", release_sized, 64, 64);
    measure_old("realloc-in-place", resize, 104, 100);
    return EXIT_SUCCESS;
}
