/* What workloads share: random numbers that are the same on every machine, blocks that tell whether they have
 * been damaged, threads, readings of the process's own memory, and figures for the suite. Nothing in here
 * allocates but what says so.
 *
 * A workload does a fixed amount of work, prints the same for every allocator and every order of its threads,
 * and exits with status 1 and one sentence when something is wrong. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the workload with a printf message as its reason. */
__attribute__((noreturn, cold, format(printf, 1, 2))) static inline void fail(const char *format, ...) {
    char message[256];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(message, sizeof message - 1, format, values);
    va_end(values);
    if (length > (int)sizeof message - 2)
        length = (int)sizeof message - 2;
    message[length] = '\n';
    ssize_t ignored = write(STDERR_FILENO, message, (size_t)length + 1);
    (void)ignored;
    _exit(1);
}

/* The `nth` argument as a number: a workload's amount of work, or its number of threads. */
static inline size_t argument(int argc, char **argv, int nth, const char *what) {
    char *end = NULL;
    unsigned long long value = nth < argc ? strtoull(argv[nth], &end, 10) : 0;
    if (value == 0 || *end != 0)
        fail("argument %d must be a number above zero: %s", nth, what);
    return (size_t)value;
}

/* --- random numbers
 * --------------------------------------------------------------------------------------------------------- */

/* A linear congruential generator; only its upper bits are random, so draw with roll_below. */
struct dice {
    uint64_t state;
};

/* Dice of their own for each thread or lane. */
static inline struct dice dice_for(uint64_t seed) {
    struct dice dice = {(seed + 1) * 0x9e3779b97f4a7c15u};
    return dice;
}

static inline uint64_t roll(struct dice *dice) {
    return dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
}

/* A number below `limit`, from the upper bits. */
static inline size_t roll_below(struct dice *dice, size_t limit) {
    return (size_t)((unsigned __int128)roll(dice) * limit >> 64);
}

/* A size of at least 2^order bytes and below 2^(order + n_orders), its logarithm uniform: as many blocks
 * between 16 and 32 as between 16384 and 32768. */
static inline size_t roll_size(struct dice *dice, unsigned order, unsigned n_orders) {
    size_t position = roll_below(dice, (size_t)n_orders << 16);
    size_t base = (size_t)1 << (order + (position >> 16));
    return base + (base * (position & 0xffff) >> 16);
}

/* --- blocks
 * --------------------------------------------------------------------------------------------------------- */

static inline void *allocate(size_t size) {
    void *block = malloc(size);
    if (__builtin_expect(block == NULL, 0))
        fail("malloc of %zu bytes gave nothing", size);
    return block;
}

static inline void *allocate_zeroed(size_t size) {
    void *block = calloc(1, size);
    if (__builtin_expect(block == NULL, 0))
        fail("calloc of %zu bytes gave nothing", size);
    return block;
}

static inline void *resize(void *block, size_t size) {
    block = realloc(block, size);
    if (__builtin_expect(block == NULL, 0))
        fail("realloc to %zu bytes gave nothing", size);
    return block;
}

/* A stamp is a word that holds the size of its block, below 16 MiB, under 40 bits made from a tag. A stamped
 * block carries it at its start and after every `step` bytes, and the top byte of it as its own last byte: the
 * block says itself how large it is, and an overlap or a lost page shows. */
enum { STAMP_SIZE_BITS = 24 };

static inline size_t stamp_size(uint64_t stamp) { return stamp & (((size_t)1 << STAMP_SIZE_BITS) - 1); }

/* Writes a stamp into `size` >= 8 bytes and gives it. */
static inline uint64_t write_stamp(void *block, size_t size, size_t step, uint64_t tag) {
    uint64_t stamp = (tag + 1) * 0x9e3779b97f4a7c15u << STAMP_SIZE_BITS | size;
    char *bytes = (char *)block;
    for (size_t at = 0; at + sizeof stamp <= size; at += step)
        memcpy(bytes + at, &stamp, sizeof stamp);
    bytes[size - 1] = (char)(stamp >> 56);
    return stamp;
}

/* Reads a stamped block all through and gives its stamp. */
static inline uint64_t read_stamp(const void *block, size_t step) {
    const char *bytes = (const char *)block;
    uint64_t stamp, copy;
    memcpy(&stamp, bytes, sizeof stamp);
    size_t size = stamp_size(stamp);
    for (size_t at = step; at + sizeof copy <= size; at += step) {
        memcpy(&copy, bytes + at, sizeof copy);
        if (copy != stamp)
            fail("byte %zu of a block of %zu bytes is damaged", at, size);
    }
    if (size < sizeof stamp || bytes[size - 1] != (char)(stamp >> 56))
        fail("the end of a block of %zu bytes is damaged", size);
    return stamp;
}

/* Allocates a block and stamps it. */
static inline void *stamped(size_t size, size_t step, uint64_t tag) {
    void *block = allocate(size);
    write_stamp(block, size, step, tag);
    return block;
}

/* Frees a block after reading it, and gives its stamp. */
static inline uint64_t free_stamped(void *block, size_t step) {
    uint64_t stamp = read_stamp(block, step);
    free(block);
    return stamp;
}

/* Memory that no allocator hands out, so that only blocks are measured; in ordinary pages. */
static inline void *outside(size_t n_bytes) {
    void *memory =
        mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap of %zu bytes failed: %s", n_bytes, strerror(errno));
    madvise(memory, n_bytes, MADV_NOHUGEPAGE);
    return memory;
}

/* --- threads
 * --------------------------------------------------------------------------------------------------------- */

/* Starts a thread with a stack of `stack_bytes`, or of the usual size if 0. */
static inline pthread_t start_thread(void *(*work)(void *), void *with, size_t stack_bytes) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack_bytes != 0)
        pthread_attr_setstacksize(&attributes, stack_bytes);
    int error = pthread_create(&thread, &attributes, work, with);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        fail("a thread did not start: %s", strerror(error));
    return thread;
}

static inline void *join(pthread_t thread) {
    void *result;
    int error = pthread_join(thread, &result);
    if (error != 0)
        fail("a thread could not be joined: %s", strerror(error));
    return result;
}

/* --- readings and figures
 * --------------------------------------------------------------------------------------------------------- */

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_us(long microseconds) {
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&pause, &pause) != 0) {
    }
}

/* Page faults of this process so far. */
static inline uint64_t faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* KiB of one line such as "\nRss:" of /proc/self/smaps_rollup, which counts page by page. */
static inline size_t rollup_kib(const char *key) {
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0)
        fail("/proc/self/smaps_rollup cannot be read: %s", strerror(errno));
    close(file);
    text[length] = 0;
    const char *line = strstr(text, key);
    if (line == NULL)
        fail("/proc/self/smaps_rollup has no line%s", key);
    return strtoul(line + strlen(key), NULL, 10);
}

/* Appends a figure to the file that BENCH_FIGURES names, if it does. */
static inline void figure(const char *name, double value, const char *unit) {
    const char *path = getenv("BENCH_FIGURES");
    if (path == NULL)
        return;
    char line[128];
    int length = snprintf(line, sizeof line, "%s %.9g %s\n", name, value, unit);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || write(file, line, (size_t)length) != length)
        fail("the figure %s cannot be written to %s: %s", name, path, strerror(errno));
    close(file);
}

#endif
