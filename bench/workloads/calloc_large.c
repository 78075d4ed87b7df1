/* Large zeroed blocks of 1 to 64 MiB that are used in part, as sparse tables and hash maps are: entries are
 * counted at random places within a sixteenth of the block, and zeros are expected where nothing was counted.
 *
 *     calloc_large TABLES */
#include "workload.h"

enum { LIVE = 8, SMALLEST_ORDER = 20, ORDERS = 6, ENTRIES = 2000 };

struct table {
    uint64_t *entries;
    size_t n_entries;
    struct dice filled_with;
};

/* The next place of a table to be used: somewhere in its first sixteenth, or now and then anywhere. */
static size_t roll_place(struct dice *dice, size_t n_entries, size_t nth) {
    return roll_below(dice, nth % 16 == 0 ? n_entries : n_entries / 16);
}

static void fill(struct table *table, struct dice *dice) {
    size_t size = roll_size(dice, SMALLEST_ORDER, ORDERS);
    table->n_entries = size / sizeof *table->entries;
    table->entries = (uint64_t *)allocate_zeroed(size);
    table->filled_with = *dice;
    for (size_t i = 0; i < ENTRIES; i++)
        table->entries[roll_place(dice, table->n_entries, i)]++;
}

/* Takes every entry back to zero by the same draws, so that a block that did not come zeroed shows. */
static uint64_t drain(struct table *table) {
    struct dice dice = table->filled_with;
    uint64_t n_double = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        uint64_t *entry = &table->entries[roll_place(&dice, table->n_entries, i)];
        n_double += *entry > 1;
        (*entry)--;
    }
    dice = table->filled_with;
    for (size_t i = 0; i < ENTRIES; i++)
        if (table->entries[roll_place(&dice, table->n_entries, i)] != 0)
            fail("a table of %zu entries was not all zero at first", table->n_entries);
    uint64_t sum = n_double * table->n_entries;
    /* Something must stay behind for the next table to find if it is not cleared. */
    dice = table->filled_with;
    for (size_t i = 0; i < ENTRIES; i++)
        table->entries[roll_place(&dice, table->n_entries, i)] = i + 1;
    free(table->entries);
    table->entries = NULL;
    return sum;
}

int main(int argc, char **argv) {
    size_t n_tables = argument(argc, argv, 1, "tables");
    static struct table tables[LIVE];
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    for (size_t i = 0; i < n_tables + LIVE; i++) {
        struct table *table = &tables[i % LIVE];
        if (table->entries != NULL)
            sum += drain(table);
        if (i < n_tables)
            fill(table, &dice);
    }
    printf("%zu tables, sum %016llx\n", n_tables, (unsigned long long)sum);
    return 0;
}
