/* Blocks that one thread allocates and another frees, handed over by ones or by 64 through a ring.
 *
 * The ring has its share in each figure, the same for every allocator. With another load on the machine, figures
 * are of the scheduler more than of the allocator.
 */
#include "micro.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1024, BLOCKS = 1 << 14 };

struct ring {
    size_t bytes;
    size_t touched;
    size_t batch;
    void *slots[SLOTS];
    /* Counts of blocks since the beginning, each with a cache line for the one thread that writes it. */
    _Alignas(64) atomic_size_t written;
    _Alignas(64) atomic_size_t read;
    _Alignas(64) atomic_bool is_over;
};

/* Waits for the other thread: keeps the processor at first, then offers it. */
static void wait_a_moment(unsigned *waits) {
    enum { SPINS = 64 };
    if (++*waits > SPINS)
        sched_yield();
}

static void *consume(void *subject) {
    struct ring *ring = subject;
    size_t read = 0;
    unsigned waits = 0;
    for (;;) {
        size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
        if (written != read) {
            waits = 0;
            for (; read != written; read++)
                free(ring->slots[read % SLOTS]);
            atomic_store_explicit(&ring->read, read, memory_order_release);
        } else if (atomic_load_explicit(&ring->is_over, memory_order_relaxed))
            return NULL;
        else
            wait_a_moment(&waits);
    }
}

/* Allocates and hands over, until all is freed. */
static void produce(void *subject) {
    struct ring *ring = subject;
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    size_t end = written + BLOCKS;
    while (written != end) {
        unsigned waits = 0;
        while (written + ring->batch - atomic_load_explicit(&ring->read, memory_order_acquire) > SLOTS)
            wait_a_moment(&waits);
        for (size_t i = 0; i < ring->batch; i++, written++) {
            void *block = hide(malloc(ring->bytes));
            touch(block, 0, ring->touched);
            ring->slots[written % SLOTS] = block;
        }
        atomic_store_explicit(&ring->written, written, memory_order_release);
    }
    unsigned waits = 0;
    while (atomic_load_explicit(&ring->read, memory_order_acquire) != end)
        wait_a_moment(&waits);
}

static void measure_ring(size_t bytes, size_t touched, size_t batch) {
    static struct ring ring;
    pthread_t consumer;
    char name[96];

    ring.bytes = bytes;
    ring.touched = touched;
    ring.batch = batch;
    atomic_store(&ring.written, 0);
    atomic_store(&ring.read, 0);
    atomic_store(&ring.is_over, false);
    if (pthread_create(&consumer, NULL, consume, &ring) != 0)
        fail("no second thread can be started");
    const char *suffix = touched == 0 ? "" : ", touched";
    snprintf(name, sizeof name, "remote free of %s by %zu%s", size_text(bytes), batch, suffix);
    measure(name, produce, &ring, BLOCKS);
    atomic_store(&ring.is_over, true);
    pthread_join(consumer, NULL);
}

void measure_remote_frees(void) {
    static const size_t sizes[] = {16, 64, KIB, 16 * KIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        measure_ring(sizes[i], 0, 1);
        measure_ring(sizes[i], 0, 64);
        measure_ring(sizes[i], sizes[i], 1);
        measure_ring(sizes[i], sizes[i], 64);
    }
}
