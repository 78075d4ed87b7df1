/* Idle after a burst: a mass of blocks lives, most of them are freed in random order, and then the process has
 * nothing to do. First it sleeps for 2 seconds, then it allocates and frees 100 bytes every millisecond for 2
 * more, then the burst comes back. With `exited`, both bursts are made by threads that then end.
 *
 * Figures, all without the table of the blocks, which no allocator has handed out:
 *
 *     rss_peak    KiB     all blocks live
 *     rss_freed   KiB     right after the last free
 *     rss_after   KiB     after 2 seconds of sleep
 *     rss_light   KiB     after 2 seconds with a small block every millisecond
 *     freeing     s       time of freeing: what giving back at once costs
 *     next_burst  s       time of allocating and writing again what was freed
 *     refaults    faults  page faults of that
 *
 *     idle small|medium|mixed PERCENT_FREED main|exited MIB */
#include "workload.h"

enum { STEP = 512 };

static struct {
    int is_small, is_medium;
    size_t percent_freed, n_bytes;
    void **blocks;
    size_t n_blocks;
    uint64_t sum;
    struct dice dice;
    double freeing_s, next_burst_s;
    uint64_t n_refaults;
    size_t rss_peak_kib;
} burst;

static size_t roll_burst_size(void) {
    /* Of a mixed burst, as many bytes are small as are medium: 1 block in 107 is a medium one. */
    int is_small = burst.is_small && (!burst.is_medium || roll_below(&burst.dice, 107) != 0);
    return is_small ? roll_size(&burst.dice, 4, 4) : roll_size(&burst.dice, 10, 5);
}

/* Allocates blocks of `n_bytes` in all. */
static void rise(size_t n_bytes) {
    for (size_t n_done = 0; n_done < n_bytes;) {
        size_t size = roll_burst_size();
        burst.blocks[burst.n_blocks++] = stamped(size, STEP, burst.dice.state >> 32);
        n_done += size;
    }
}

/* Frees blocks in random order, and gives their bytes. */
static size_t fall(void) {
    for (size_t i = burst.n_blocks; i > 1; i--) {
        size_t other = roll_below(&burst.dice, i);
        void *block = burst.blocks[i - 1];
        burst.blocks[i - 1] = burst.blocks[other];
        burst.blocks[other] = block;
    }
    size_t n_survivors = burst.n_blocks * (100 - burst.percent_freed) / 100, n_bytes = 0;
    uint64_t start_ns = now_ns();
    for (size_t i = n_survivors; i < burst.n_blocks; i++) {
        uint64_t stamp = free_stamped(burst.blocks[i], STEP);
        burst.sum += stamp;
        n_bytes += stamp_size(stamp);
    }
    burst.freeing_s = (double)(now_ns() - start_ns) / 1e9;
    uintptr_t from = ((uintptr_t)(burst.blocks + n_survivors) + 4095) & ~(uintptr_t)4095;
    uintptr_t to = (uintptr_t)(burst.blocks + burst.n_blocks);
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
    burst.n_blocks = n_survivors;
    return n_bytes;
}

/* Resident KiB without the table. */
static size_t rss_kib(void) {
    return rollup_kib("\nRss:") - (burst.n_blocks * sizeof(void *) + 4095) / 4096 * 4;
}

static void *first_burst(void *n_freed_bytes) {
    rise(burst.n_bytes);
    burst.rss_peak_kib = rss_kib();
    *(size_t *)n_freed_bytes = fall();
    return NULL;
}

static void *next_burst(void *n_freed_bytes) {
    uint64_t n_faults = faults(), start_ns = now_ns();
    rise(*(size_t *)n_freed_bytes);
    burst.next_burst_s = (double)(now_ns() - start_ns) / 1e9;
    burst.n_refaults = faults() - n_faults;
    return NULL;
}

int main(int argc, char **argv) {
    const char *sizes = argc > 1 ? argv[1] : "", *who = argc > 3 ? argv[3] : "";
    burst.is_small = strcmp(sizes, "small") == 0 || strcmp(sizes, "mixed") == 0;
    burst.is_medium = strcmp(sizes, "medium") == 0 || strcmp(sizes, "mixed") == 0;
    burst.percent_freed = argument(argc, argv, 2, "percent freed");
    int has_exited = strcmp(who, "exited") == 0;
    if (!(burst.is_small || burst.is_medium) || burst.percent_freed > 100 ||
        !(has_exited || strcmp(who, "main") == 0))
        fail("usage: idle small|medium|mixed PERCENT_FREED main|exited MIB");
    burst.n_bytes = argument(argc, argv, 4, "MiB") * MIB;
    burst.dice = dice_for(0);
    burst.blocks = (void **)outside(2 * burst.n_bytes / 16 * sizeof(void *));

    size_t n_freed_bytes;
    if (has_exited)
        join(start_thread(first_burst, &n_freed_bytes, 0));
    else
        first_burst(&n_freed_bytes);
    size_t freed_kib = rss_kib();
    sleep_us(2000000);
    size_t after_kib = rss_kib();
    for (int i = 0; i < 2000; i++) {
        burst.sum += free_stamped(stamped(100, STEP, (uint64_t)i), STEP);
        sleep_us(1000);
    }
    size_t light_kib = rss_kib();
    if (has_exited)
        join(start_thread(next_burst, &n_freed_bytes, 0));
    else
        next_burst(&n_freed_bytes);
    for (size_t i = 0; i < burst.n_blocks; i++)
        burst.sum += read_stamp(burst.blocks[i], STEP);

    figure("rss_peak", (double)burst.rss_peak_kib, "KiB");
    figure("rss_freed", (double)freed_kib, "KiB");
    figure("rss_after", (double)after_kib, "KiB");
    figure("rss_light", (double)light_kib, "KiB");
    figure("freeing", burst.freeing_s, "s");
    figure("next_burst", burst.next_burst_s, "s");
    figure("refaults", (double)burst.n_refaults, "faults");
    printf("%zu blocks, sum %016llx\n", burst.n_blocks, (unsigned long long)burst.sum);
    return 0;
}
