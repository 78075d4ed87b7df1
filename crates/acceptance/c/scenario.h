/* What scenarios share: a check that says where it failed, random numbers whose seed is printed on failure,
 * blocks whose contents can be verified, and readings of the process's own memory. Nothing in here allocates.
 *
 * A scenario exits with status 0 when its promise holds, 77 when it cannot run here, and anything else when
 * it fails. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the scenario unless `condition` holds. */
#define REQUIRE(condition) REQUIRE_SAYING(condition, "no more is known")

/* The same, with a printf message that tells the values. */
#define REQUIRE_SAYING(condition, ...)                                  \
    do {                                                                \
        if (!(condition))                                               \
            scenario_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
    } while (0)

static uint64_t scenario_seed_used;

__attribute__((noreturn, format(printf, 4, 5))) static inline void
scenario_fail(const char *file, int line, const char *condition, const char *format, ...) {
    int error = errno;
    char message[512];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    dprintf(STDERR_FILENO, "%s:%d: not so: %s: %s; errno %d, SEED=%llu\n", file, line, condition, message,
            error, (unsigned long long)scenario_seed_used);
    _exit(1);
}

/* Ends the scenario because it cannot run here; the reason becomes part of the report. */
__attribute__((noreturn)) static inline void scenario_skip(const char *reason) {
    dprintf(STDERR_FILENO, "%s\n", reason);
    _exit(77);
}

/* Whether the allocator under test is mallow, which promises more than the standard. */
static inline int is_mallow(void) { return getenv("IS_MALLOW") != NULL; }

/* Keeps the compiler from reasoning about where `block` came from or goes to. */
static inline void *opaque(void *block) {
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

static inline size_t opaque_size(size_t size) {
    __asm__ volatile("" : "+r"(size));
    return size;
}

/* --- time
 * ------------------------------------------------------------------------------------------------------- */

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_us(long microseconds) {
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

/* --- random numbers
 * --------------------------------------------------------------------------------------------- */

struct dice {
    uint64_t state;
};

/* The seed of this run: the variable SEED, or the clock. */
static inline uint64_t scenario_seed(void) {
    if (scenario_seed_used == 0) {
        const char *given = getenv("SEED");
        scenario_seed_used = given ? strtoull(given, NULL, 0) : now_ns() | 1;
    }
    return scenario_seed_used;
}

/* Dice of their own for each thread, all from the seed of the run. */
static inline struct dice dice_for(uint64_t thread) {
    struct dice dice = {scenario_seed() + thread * 0x9e3779b97f4a7c15u};
    return dice;
}

static inline uint64_t roll(struct dice *dice) {
    uint64_t mixed = (dice->state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static inline size_t roll_below(struct dice *dice, size_t limit) { return (size_t)(roll(dice) % limit); }

/* A size whose logarithm is uniform: as many between 16 and 32 as between 16384 and 32768. */
static inline size_t roll_size(struct dice *dice, size_t smallest, size_t largest) {
    unsigned low = 63 - (unsigned)__builtin_clzl(smallest), high = 63 - (unsigned)__builtin_clzl(largest);
    size_t base = (size_t)1 << (low + roll_below(dice, high - low + 1));
    size_t size = base + roll_below(dice, base);
    return size < smallest ? smallest : size > largest ? largest : size;
}

/* --- blocks with contents
 * --------------------------------------------------------------------------------------- */

static inline void fill(void *block, size_t size, uint64_t tag) { memset(block, (int)(tag & 0xff), size); }

static inline int holds(const void *block, size_t size, uint64_t tag) {
    const unsigned char *bytes = (const unsigned char *)block;
    return size == 0 || (bytes[0] == (tag & 0xff) && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* A block of `size` bytes full of `tag`. */
static inline void *filled(size_t size, uint64_t tag) {
    void *block = malloc(size);
    REQUIRE_SAYING(block != NULL, "malloc(%zu)", size);
    REQUIRE_SAYING((uintptr_t)block % 16 == 0, "malloc(%zu) gave %p", size, block);
    fill(block, size, tag);
    return block;
}

/* Frees a block after checking that it is still full of `tag`. */
static inline void free_filled(void *block, size_t size, uint64_t tag) {
    REQUIRE_SAYING(holds(block, size, tag), "the %zu bytes at %p are no longer %#x", size, block,
                   (unsigned)(tag & 0xff));
    free(block);
}

/* --- the process's memory
 * --------------------------------------------------------------------------------------- */

/* Bytes of one line of a file under /proc/self that looks like "Rss:  123 kB". */
static inline size_t proc_bytes(const char *path, const char *key) {
    char text[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE_SAYING(file >= 0, "%s", path);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    REQUIRE_SAYING(length > 0, "%s", path);
    text[length] = 0;
    const char *line = strstr(text, key);
    REQUIRE_SAYING(line != NULL, "%s has no line %s", path, key);
    return strtoul(line + strlen(key), NULL, 10) * KIB;
}

/* Counted page by page, unlike the sloppy counters of /proc/self/statm. */
static inline size_t resident_bytes(void) { return proc_bytes("/proc/self/smaps_rollup", "\nRss:"); }

static inline size_t private_dirty_bytes(void) {
    return proc_bytes("/proc/self/smaps_rollup", "\nPrivate_Dirty:");
}

/* What a program does that has little to do: a few allocations of mixed sizes. */
static inline void light_use(struct dice *dice) {
    for (size_t i = 0; i < 8; i++)
        free(filled(roll_size(dice, 16, 64 * KIB), i));
}

/* Waits for memory to come back: up to 2 seconds of light use, or until `bytes` gives less than `goal`. */
static inline size_t in_time(size_t (*bytes)(void), size_t goal) {
    struct dice dice = dice_for(0);
    size_t now = bytes();
    for (int i = 0; i < 200 && now >= goal; i++) {
        sleep_us(10000);
        light_use(&dice);
        now = bytes();
    }
    return now;
}

#endif
