/* Proves that a server whose threads are replaced all the time stays sound and small: a thread exchanges some
 * of the blocks it was given, then hands all of them to a new thread and ends. */
#include "../threads.h"

enum { CHAINS = 4, GENERATIONS = 400, BLOCKS = 1000, EXCHANGES = 2000 };

struct estate {
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    size_t n_generations;
    uint64_t chain;
};

static size_t n_chains_ended;
static size_t resident_after_a_while;

static void *generation(void *argument) {
    struct estate *estate = (struct estate *)argument;
    struct dice dice = dice_for(estate->chain << 32 | estate->n_generations);
    for (size_t i = 0; i < EXCHANGES; i++) {
        size_t nth = roll_below(&dice, BLOCKS);
        if (estate->blocks[nth] != NULL)
            free_filled(estate->blocks[nth], estate->sizes[nth], nth);
        estate->sizes[nth] = roll_size(&dice, 8, 4 * KIB);
        estate->blocks[nth] = filled(estate->sizes[nth], nth);
    }
    if (estate->chain == 0 && estate->n_generations == GENERATIONS / 4)
        resident_after_a_while = resident_bytes();
    if (++estate->n_generations < GENERATIONS)
        start_thread(generation, estate, 128 * KIB, 1);
    else
        __atomic_add_fetch(&n_chains_ended, 1, __ATOMIC_RELEASE);
    return NULL;
}

int main(void) {
    static struct estate estates[CHAINS];
    scenario_seed();
    for (size_t i = 0; i < CHAINS; i++) {
        estates[i].chain = i;
        start_thread(generation, &estates[i], 128 * KIB, 1);
    }
    while (__atomic_load_n(&n_chains_ended, __ATOMIC_ACQUIRE) < CHAINS)
        sleep_us(1000);
    size_t resident = resident_bytes();
    REQUIRE_SAYING(resident < resident_after_a_while + 16 * MIB, "%zu KiB resident, %zu KiB after a quarter",
                   resident / KIB, resident_after_a_while / KIB);
    return 0;
}
