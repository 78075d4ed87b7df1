/* What the parts of the micro benchmark share: the meter of micro.c, and how blocks are touched. */
#ifndef MICRO_H
#define MICRO_H

#include <stddef.h>

enum { KIB = 1024, MIB = 1024 * KIB, PAGE_BYTES = 4096, MOST_HELD = 100 };

/* The C++ operators, by the names that they have in libraries. */
void *_Znwm(size_t bytes);
void _ZdlPvm(void *block, size_t bytes);

/* A benchmark: runs its operations once. */
typedef void benchmark(void *subject);

/* Prints "NAME<tab>NANOSECONDS", the time of one of `operations`, unless the user wants other lines only. */
void measure(const char *name, benchmark *run, void *subject, size_t operations);

/* Ends the program with a message. */
_Noreturn void fail(const char *message);

/* "16 B", "4 KiB", "20 KB": a size in the largest unit that divides it. */
const char *size_text(size_t bytes);

/* Keeps the compiler from knowing what a pointer points to, or that a block is not used. */
static inline void *hide(void *block) {
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* Writes to each page: the least that a program does with a block, and all that costs page faults. */
static inline void touch(void *block, size_t from, size_t bytes) {
    volatile char *start = block;
    for (size_t i = from; i < bytes; i += PAGE_BYTES)
        start[i] = 1;
}

void measure_blocks(void);
void measure_remote_frees(void);
void measure_resizes(void);

#endif
