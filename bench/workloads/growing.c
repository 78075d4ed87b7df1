/* Growing vectors: records are appended to vectors that grow by realloc until all together hold LIVE_MIB. One
 * vector grows by a half each time; several grow by a quarter, in turns, so that they stand in each other's way.
 *
 *     growing VECTORS LIVE_MIB REPEATS */
#include "workload.h"

/* Records are appended in strides: whole pages would only measure how fast memory is written. */
enum { RECORD = 64, FIRST = 16, STRIDE = 16 };

struct vector {
    char *records;
    size_t n_records, n_room;
};

static uint64_t key_for(size_t nth, size_t vector) { return (nth + 1) * 0x9e3779b97f4a7c15u ^ vector; }

static void append_stride(struct vector *vector, size_t number, int is_single) {
    size_t n_needed = vector->n_records + STRIDE;
    if (n_needed > vector->n_room) {
        vector->n_room += vector->n_room / (is_single ? 2 : 4) + FIRST;
        vector->records = (char *)resize(vector->records, vector->n_room * RECORD);
    }
    uint64_t key = key_for(vector->n_records, number);
    memcpy(vector->records + vector->n_records * RECORD, &key, sizeof key);
    vector->n_records = n_needed;
}

/* Reads a vector all through and frees it. */
static uint64_t drain(struct vector *vector, size_t number) {
    uint64_t sum = 0, key;
    for (size_t nth = 0; nth < vector->n_records; nth += STRIDE) {
        memcpy(&key, vector->records + nth * RECORD, sizeof key);
        if (key != key_for(nth, number))
            fail("record %zu of vector %zu is damaged", nth, number);
        sum += key;
    }
    free(vector->records);
    *vector = (struct vector){NULL, 0, 0};
    return sum;
}

int main(int argc, char **argv) {
    size_t n_vectors = argument(argc, argv, 1, "vectors");
    size_t n_bytes = argument(argc, argv, 2, "live MiB") * MIB, n_repeats = argument(argc, argv, 3, "repeats");
    struct vector *vectors = (struct vector *)allocate_zeroed(n_vectors * sizeof *vectors);
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    for (size_t repeat = 0; repeat < n_repeats; repeat++) {
        for (size_t n_strides = n_bytes / RECORD / STRIDE; n_strides > 0; n_strides--) {
            size_t number = roll_below(&dice, n_vectors);
            append_stride(&vectors[number], number, n_vectors == 1);
        }
        for (size_t i = 0; i < n_vectors; i++)
            sum += drain(&vectors[i], i);
    }
    free(vectors);
    printf("%zu times %zu MiB, sum %016llx\n", n_repeats, n_bytes / MIB, (unsigned long long)sum);
    return 0;
}
