/* Blocks that come and go on one thread, alone or a hundred at a time: malloc, calloc, and C++'s operators. */
#include "micro.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the largest blocks, fewer are held. */
static const size_t MOST_HELD_BYTES = (size_t)256 * MIB;

struct blocks {
    size_t bytes;
    /* Bytes from the start that are touched: none or all. */
    size_t touched;
    size_t held;
    /* Which one is freed first, second, ... */
    size_t order[MOST_HELD];
};

static void malloc_and_free(void *subject) {
    const struct blocks *blocks = subject;
    void *block = hide(malloc(blocks->bytes));
    touch(block, 0, blocks->touched);
    free(block);
}

static void calloc_and_free(void *subject) {
    const struct blocks *blocks = subject;
    void *block = hide(calloc(1, blocks->bytes));
    touch(block, 0, blocks->touched);
    free(block);
}

static void new_and_sized_delete(void *subject) {
    const struct blocks *blocks = subject;
    void *block = hide(_Znwm(blocks->bytes));
    touch(block, 0, blocks->touched);
    _ZdlPvm(block, blocks->bytes);
}

static void malloc_all_and_free_all(void *subject) {
    const struct blocks *blocks = subject;
    void *live[MOST_HELD];
    for (size_t i = 0; i < blocks->held; i++) {
        live[i] = hide(malloc(blocks->bytes));
        touch(live[i], 0, blocks->touched);
    }
    for (size_t i = 0; i < blocks->held; i++)
        free(live[blocks->order[i]]);
}

static void set_first_in_first_out(struct blocks *blocks) {
    for (size_t i = 0; i < blocks->held; i++)
        blocks->order[i] = i;
}

static void set_last_in_first_out(struct blocks *blocks) {
    for (size_t i = 0; i < blocks->held; i++)
        blocks->order[i] = blocks->held - 1 - i;
}

/* The same shuffle in every process. */
static void set_random(struct blocks *blocks) {
    uint64_t state = 1;
    set_first_in_first_out(blocks);
    for (size_t i = blocks->held - 1; i > 0; i--) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        size_t other = (size_t)(state >> 33) % (i + 1);
        size_t index = blocks->order[i];
        blocks->order[i] = blocks->order[other];
        blocks->order[other] = index;
    }
}

static void measure_size(size_t bytes, size_t touched) {
    static const struct {
        const char *name;
        benchmark *run;
    } pairs[] = {
        {"malloc", malloc_and_free},
        {"calloc", calloc_and_free},
        {"new and sized delete", new_and_sized_delete},
    };
    static const struct {
        const char *name;
        void (*set)(struct blocks *);
    } orders[] = {
        {"first in first out", set_first_in_first_out},
        {"last in first out", set_last_in_first_out},
        {"random", set_random},
    };
    struct blocks blocks = {.bytes = bytes, .touched = touched};
    const char *suffix = touched == 0 ? "" : ", touched";
    char name[96];

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(name, sizeof name, "%s %s%s", pairs[i].name, size_text(bytes), suffix);
        measure(name, pairs[i].run, &blocks, 1);
    }
    blocks.held = MOST_HELD_BYTES / bytes < MOST_HELD ? MOST_HELD_BYTES / bytes : MOST_HELD;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        orders[i].set(&blocks);
        snprintf(name, sizeof name, "malloc %zu x %s %s%s", blocks.held, size_text(bytes), orders[i].name, suffix);
        measure(name, malloc_all_and_free_all, &blocks, blocks.held);
    }
}

void measure_blocks(void) {
    static const size_t sizes[] = {
        16, 64, 256, KIB, 4 * KIB, 16 * KIB, 20000, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 64 * MIB,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        measure_size(sizes[i], 0);
        measure_size(sizes[i], sizes[i]);
    }
}
