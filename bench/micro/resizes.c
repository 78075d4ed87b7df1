/* Blocks that grow by half and shrink by a third, step by step; the time is that of a step. */
#include "micro.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t SMALLEST = 16;

struct steps {
    size_t largest;
    bool is_touched;
};

static size_t grown(size_t bytes, size_t largest) {
    size_t next = bytes + bytes / 2;
    return next < largest ? next : largest;
}

static size_t shrunk(size_t bytes) {
    size_t next = bytes / 3 * 2;
    return next > SMALLEST ? next : SMALLEST;
}

static void grow(void *subject) {
    const struct steps *steps = subject;
    size_t bytes = SMALLEST;
    char *block = hide(malloc(bytes));
    while (bytes < steps->largest) {
        size_t next = grown(bytes, steps->largest);
        block = hide(realloc(block, next));
        if (steps->is_touched)
            touch(block, bytes, next);
        bytes = next;
    }
    free(block);
}

/* The last page of each size is touched, which is what a program does with the end of what it keeps. */
static void shrink(void *subject) {
    const struct steps *steps = subject;
    size_t bytes = steps->largest;
    char *block = hide(malloc(bytes));
    if (steps->is_touched)
        touch(block, 0, bytes);
    while (bytes > SMALLEST) {
        bytes = shrunk(bytes);
        block = hide(realloc(block, bytes));
        if (steps->is_touched)
            touch(block, bytes - 1, bytes);
    }
    free(block);
}

static size_t growing_steps(size_t largest) {
    size_t count = 0;
    for (size_t bytes = SMALLEST; bytes < largest; bytes = grown(bytes, largest))
        count++;
    return count;
}

static size_t shrinking_steps(size_t largest) {
    size_t count = 0;
    for (size_t bytes = largest; bytes > SMALLEST; bytes = shrunk(bytes))
        count++;
    return count;
}

static void measure_steps(const char *verb, benchmark *run, size_t largest, size_t count) {
    char name[96];
    for (int is_touched = 0; is_touched <= 1; is_touched++) {
        struct steps steps = {largest, is_touched};
        snprintf(name, sizeof name, "realloc, %s %s%s", verb, size_text(largest), is_touched ? ", touched" : "");
        measure(name, run, &steps, count);
    }
}

void measure_resizes(void) {
    static const size_t GIB = (size_t)1024 * MIB;
    measure_steps("growing to", grow, MIB, growing_steps(MIB));
    measure_steps("growing to", grow, GIB, growing_steps(GIB));
    measure_steps("shrinking from", shrink, MIB, shrinking_steps(MIB));
}
