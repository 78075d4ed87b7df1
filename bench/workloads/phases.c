/* Changing phases: a program that fills its memory with small blocks, drops them all, fills it with medium ones,
 * drops them, and so on. An allocator that cannot give the memory of one size to another has the phases on top
 * of each other: the peak tells.
 *
 *     phases LIVE_MIB REPEATS */
#include "workload.h"

enum { STEP = 512 };

/* A phase draws its sizes between two powers of two. */
static const struct {
    unsigned order, n_orders;
} phases[] = {{4, 3}, {9, 3}, {6, 3}, {14, 4}, {4, 8}, {17, 4}};

/* Which block is the nth that a phase gives up: blocks that are far apart follow one another. */
static size_t scattered(size_t nth, size_t n_blocks) {
    const size_t n_heaps = 64, n_each = n_blocks / n_heaps;
    return nth < n_each * n_heaps ? nth % n_heaps * n_each + nth / n_heaps : nth;
}

int main(int argc, char **argv) {
    size_t n_live_bytes = argument(argc, argv, 1, "live MiB") * MIB;
    size_t n_repeats = argument(argc, argv, 2, "repeats");
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    size_t n_all = 0;
    for (size_t i = 0; i < n_repeats * COUNT(phases); i++) {
        unsigned order = phases[i % COUNT(phases)].order, n_orders = phases[i % COUNT(phases)].n_orders;
        void **blocks = NULL;
        size_t n_blocks = 0, n_room = 0;
        for (size_t n_bytes = 0; n_bytes < n_live_bytes;) {
            if (n_blocks == n_room)
                blocks = (void **)resize(blocks, (n_room += n_room / 2 + 64) * sizeof *blocks);
            size_t size = roll_size(&dice, order, n_orders);
            blocks[n_blocks++] = stamped(size, STEP, dice.state >> 32);
            n_bytes += size;
        }
        for (size_t j = 0; j < n_blocks; j++)
            sum += free_stamped(blocks[scattered(j, n_blocks)], STEP);
        free(blocks);
        n_all += n_blocks;
    }
    printf("%zu blocks, sum %016llx\n", n_all, (unsigned long long)sum);
    return 0;
}
