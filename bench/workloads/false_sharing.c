/* False sharing: all threads write into small blocks, each into its own. An allocator that gives two threads
 * blocks in one cache line makes them slow.
 *
 * In the active form each thread allocates, writes and frees its own blocks all the time. In the passive form
 * the main thread first hands every thread one of several neighbouring blocks; each frees it before it goes on
 * like the others, and must not be given the line that it shares with somebody again and again.
 *
 *     false_sharing active|passive THREADS WRITES */
#include "workload.h"

enum { SIZE = 16, WRITES_EACH = 400 };

struct writer {
    size_t n_blocks;
    unsigned char *handed;
    uint64_t sum;
};

static pthread_barrier_t begin;

/* Counts in every byte of a block, through memory. */
static uint64_t write_all_over(volatile unsigned char *block) {
    for (size_t i = 0; i < SIZE; i++)
        block[i] = (unsigned char)i;
    for (size_t i = 0; i < WRITES_EACH; i++)
        block[i % SIZE]++;
    uint64_t sum = 0;
    for (size_t i = 0; i < SIZE; i++)
        sum += block[i];
    return sum;
}

static void *work(void *with) {
    struct writer *writer = (struct writer *)with;
    uint64_t sum = 0;
    pthread_barrier_wait(&begin);
    if (writer->handed != NULL) {
        sum += write_all_over(writer->handed);
        free(writer->handed);
    }
    for (size_t i = 0; i < writer->n_blocks; i++) {
        unsigned char *block = (unsigned char *)allocate(SIZE);
        sum += write_all_over(block);
        free(block);
    }
    writer->sum = sum;
    return NULL;
}

int main(int argc, char **argv) {
    int is_passive = argc > 1 && strcmp(argv[1], "passive") == 0;
    if (!is_passive && (argc < 2 || strcmp(argv[1], "active") != 0))
        fail("argument 1 must be active or passive");
    size_t n_threads = argument(argc, argv, 2, "threads"), n_writes = argument(argc, argv, 3, "writes");
    struct writer *writers = (struct writer *)allocate_zeroed(n_threads * sizeof *writers);
    pthread_t *threads = (pthread_t *)allocate(n_threads * sizeof *threads);
    pthread_barrier_init(&begin, NULL, (unsigned)n_threads);
    for (size_t i = 0; i < n_threads; i++) {
        writers[i].n_blocks = n_writes / WRITES_EACH / n_threads - is_passive;
        writers[i].handed = is_passive ? (unsigned char *)allocate(SIZE) : NULL;
    }
    for (size_t i = 0; i < n_threads; i++)
        threads[i] = start_thread(work, &writers[i], 0);
    uint64_t sum = 0;
    for (size_t i = 0; i < n_threads; i++) {
        join(threads[i]);
        sum += writers[i].sum;
    }
    free(threads);
    free(writers);
    printf("%zu threads, sum %llu\n", n_threads, (unsigned long long)sum);
    return 0;
}
