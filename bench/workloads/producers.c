/* Producers and consumers: one half of the threads only allocates, the other half only frees. A pair shares a
 * bounded queue of batches and sleeps on it, never spins. The batches too are blocks, freed by the other side.
 *
 *     producers THREADS BLOCKS */
#include "workload.h"

enum { BATCH = 128, DEPTH = 32, STEP = 64 };

/* What one request leaves behind: a batch of blocks of mixed small sizes. */
struct batch {
    void *blocks[BATCH];
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t has_room, has_batch;
    struct batch *batches[DEPTH];
    size_t n_in, n_out;
    size_t n_batches;
    uint64_t seed, produced, consumed;
};

static void put(struct queue *queue, struct batch *batch) {
    pthread_mutex_lock(&queue->lock);
    while (queue->n_in - queue->n_out == DEPTH)
        pthread_cond_wait(&queue->has_room, &queue->lock);
    queue->batches[queue->n_in++ % DEPTH] = batch;
    pthread_cond_signal(&queue->has_batch);
    pthread_mutex_unlock(&queue->lock);
}

static struct batch *take(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (queue->n_in == queue->n_out)
        pthread_cond_wait(&queue->has_batch, &queue->lock);
    struct batch *batch = queue->batches[queue->n_out++ % DEPTH];
    pthread_cond_signal(&queue->has_room);
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

static void *produce(void *with) {
    struct queue *queue = (struct queue *)with;
    struct dice dice = dice_for(queue->seed);
    uint64_t sum = 0;
    for (size_t i = 0; i < queue->n_batches; i++) {
        struct batch *batch = (struct batch *)allocate(sizeof *batch);
        for (size_t j = 0; j < BATCH; j++) {
            size_t size = roll_size(&dice, 4, 5);
            batch->blocks[j] = allocate(size);
            sum += write_stamp(batch->blocks[j], size, STEP, dice.state >> 32);
        }
        put(queue, batch);
    }
    queue->produced = sum;
    return NULL;
}

static void *consume(void *with) {
    struct queue *queue = (struct queue *)with;
    uint64_t sum = 0;
    for (size_t i = 0; i < queue->n_batches; i++) {
        struct batch *batch = take(queue);
        for (size_t j = 0; j < BATCH; j++)
            sum += free_stamped(batch->blocks[j], STEP);
        free(batch);
    }
    queue->consumed = sum;
    return NULL;
}

int main(int argc, char **argv) {
    size_t n_pairs = argument(argc, argv, 1, "threads") / 2, n_blocks = argument(argc, argv, 2, "blocks");
    if (n_pairs == 0)
        fail("a producer and a consumer are two threads");
    struct queue *queues = (struct queue *)allocate_zeroed(n_pairs * sizeof *queues);
    pthread_t *threads = (pthread_t *)allocate(2 * n_pairs * sizeof *threads);
    for (size_t i = 0; i < n_pairs; i++) {
        queues[i].n_batches = n_blocks / BATCH / n_pairs;
        queues[i].seed = i;
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].has_room, NULL);
        pthread_cond_init(&queues[i].has_batch, NULL);
        threads[2 * i] = start_thread(produce, &queues[i], 0);
        threads[2 * i + 1] = start_thread(consume, &queues[i], 0);
    }
    for (size_t i = 0; i < 2 * n_pairs; i++)
        join(threads[i]);
    uint64_t sum = 0;
    for (size_t i = 0; i < n_pairs; i++) {
        if (queues[i].produced != queues[i].consumed)
            fail("pair %zu did not get out what it put in", i);
        sum += queues[i].consumed;
    }
    free(threads);
    free(queues);
    printf("pairs: %zu, sum %016llx\n", n_pairs, (unsigned long long)sum);
    return 0;
}
