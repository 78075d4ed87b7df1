/* A burst: a mass of blocks of mixed sizes, log-uniform by bytes up to 256 KiB, and its end down to a few
 * survivors. */
#ifndef BURST_H
#define BURST_H

#include <malloc.h>
#include <sys/mman.h>

#include "scenario.h"

/* Binary orders of the sizes. */
enum { TINIEST = 4, LARGEST = 17 };

struct burst {
    void **blocks;
    size_t n_blocks, n_bytes;
    size_t n_of_order[LARGEST + 1];
};

/* Memory that no allocator hands out, so that only blocks are measured. */
static inline void *outside(size_t n_bytes) {
    void *memory =
        mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return memory;
}

static inline void burst_prepare(struct burst *burst, size_t n_bytes) {
    burst->blocks = (void **)outside(n_bytes / (1 << TINIEST) * sizeof(void *));
}

/* Bytes that the table of the blocks occupies. */
static inline size_t burst_table_bytes(const struct burst *burst) { return burst->n_blocks * sizeof(void *); }

/* Allocates and writes `n_bytes`, an equal part of them in each order from `smallest` on, in random sequence.
 */
static inline void burst_rise(struct burst *burst, size_t n_bytes, size_t smallest, struct dice *dice) {
    while (burst->n_bytes < n_bytes) {
        /* Blocks of one order are as rare as they are large. */
        size_t order = LARGEST;
        for (size_t draw = roll_below(dice, ((size_t)1 << (LARGEST - smallest + 1)) - 1) + 1; draw > 1;
             draw /= 2)
            order--;
        size_t size = ((size_t)1 << order) + roll_below(dice, (size_t)1 << order);
        burst->blocks[burst->n_blocks++] = filled(size, size);
        burst->n_bytes += size;
        burst->n_of_order[order]++;
    }
}

/* Frees the blocks in random order but for one in a hundred. */
static inline void burst_fall(struct burst *burst, struct dice *dice) {
    for (size_t i = burst->n_blocks; i > 1; i--) {
        size_t other = roll_below(dice, i);
        void *block = burst->blocks[i - 1];
        burst->blocks[i - 1] = burst->blocks[other];
        burst->blocks[other] = block;
    }
    size_t n_survivors = burst->n_blocks / 100;
    for (size_t i = n_survivors; i < burst->n_blocks; i++)
        free(burst->blocks[i]);
    madvise((void *)(((uintptr_t)(burst->blocks + n_survivors) + 4095) & ~(uintptr_t)4095),
            (burst->n_blocks - n_survivors) * sizeof(void *), MADV_DONTNEED);
    burst->n_blocks = n_survivors;
}

/* Bytes of the pages that hold a block of a burst: what cannot come back whatever the allocator does. */
static inline size_t burst_pinned_bytes(const struct burst *burst, size_t n_bursts) {
    const size_t n_pages = (size_t)1 << 35;
    unsigned char *seen = (unsigned char *)outside(n_pages / 8);
    size_t n_pinned = 0;
    for (size_t i = 0; i < n_bursts; i++)
        for (size_t j = 0; j < burst[i].n_blocks; j++) {
            uintptr_t block = (uintptr_t)burst[i].blocks[j];
            for (uintptr_t page = block / 4096;
                 page <= (block + malloc_usable_size((void *)block) - 1) / 4096; page++) {
                n_pinned += !(seen[page / 8] >> page % 8 & 1);
                seen[page / 8] |= (unsigned char)(1 << page % 8);
            }
        }
    munmap(seen, n_pages / 8);
    return n_pinned * 4096;
}

static inline void burst_print(const struct burst *burst) {
    for (size_t order = TINIEST; order <= LARGEST; order++)
        printf("%8zu blocks of %zu..%zu bytes\n", burst->n_of_order[order], (size_t)1 << order,
               (size_t)2 << order);
}

#endif
