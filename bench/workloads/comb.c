/* A fragmentation comb: the heap is filled with blocks of one size, all but every n-th are freed, and the next
 * size fills the room again, through sizes up and down. What an allocator cannot put into the gaps of the combs
 * before, it takes on top: the peak tells.
 *
 *     comb LIVE_MIB REPEATS */
#include "workload.h"

enum { STEP = 256, TOOTH = 8, KEPT_COMBS = 4 };

/* Neighbours are in different size classes for every allocator. */
static const size_t sizes[] = {48, 160, 64, 400, 96, 1000, 32, 2500, 200, 720, 6000, 128, 1600, 320};

/* The teeth that one filling has left. */
struct comb {
    void **teeth;
    size_t n_teeth;
};

static uint64_t break_off(struct comb *comb) {
    uint64_t sum = 0;
    for (size_t i = 0; i < comb->n_teeth; i++)
        sum += free_stamped(comb->teeth[i], STEP);
    free(comb->teeth);
    *comb = (struct comb){NULL, 0};
    return sum;
}

int main(int argc, char **argv) {
    size_t n_live_bytes = argument(argc, argv, 1, "live MiB") * MIB;
    size_t n_repeats = argument(argc, argv, 2, "repeats");
    struct comb combs[KEPT_COMBS] = {{NULL, 0}};
    uint64_t sum = 0;
    for (size_t i = 0; i < n_repeats * COUNT(sizes); i++) {
        size_t size = sizes[i % COUNT(sizes)], n_blocks = n_live_bytes / size;
        struct comb *comb = &combs[i % KEPT_COMBS];
        sum += break_off(comb);
        void **blocks = (void **)allocate(n_blocks * sizeof *blocks);
        for (size_t j = 0; j < n_blocks; j++)
            blocks[j] = stamped(size, STEP, i << 32 | j);
        comb->n_teeth = (n_blocks + TOOTH - 1) / TOOTH;
        comb->teeth = (void **)allocate(comb->n_teeth * sizeof *comb->teeth);
        for (size_t j = 0; j < n_blocks; j++)
            if (j % TOOTH == 0)
                comb->teeth[j / TOOTH] = blocks[j];
            else
                sum += free_stamped(blocks[j], STEP);
        free(blocks);
    }
    for (size_t i = 0; i < KEPT_COMBS; i++)
        sum += break_off(&combs[i]);
    printf("%zu combs, sum %016llx\n", n_repeats * COUNT(sizes), (unsigned long long)sum);
    return 0;
}
