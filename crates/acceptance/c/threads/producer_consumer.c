/* Proves that blocks may be freed by threads that never allocated one: every block goes from a producer
 * through a queue to a consumer. At the end the process is as small as the queue was long, so what consumers
 * free comes back into use.
 *
 * @run 1 1
 * @run 4 4
 * @run 1 8
 * @run 8 1
 * @soak 4 4 100
 */
#include "../threads.h"

enum { QUEUE_LENGTH = 1000, MESSAGES_OF_ALL = 800000 };

struct message {
    size_t size;
    uint64_t tag;
    unsigned char body[];
};

static struct message *queue[QUEUE_LENGTH];
static size_t n_queued, head, n_producing, n_messages = MESSAGES_OF_ALL;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_message = PTHREAD_COND_INITIALIZER;

static void *produce(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    for (size_t i = 0; i < n_messages; i++) {
        size_t size = roll_size(&dice, 1, 8 * KIB);
        struct message *message = (struct message *)malloc(sizeof *message + size);
        REQUIRE(message != NULL);
        message->size = size;
        message->tag = roll(&dice);
        fill(message->body, size, message->tag);
        pthread_mutex_lock(&lock);
        while (n_queued == QUEUE_LENGTH)
            pthread_cond_wait(&has_room, &lock);
        queue[(head + n_queued++) % QUEUE_LENGTH] = message;
        pthread_cond_signal(&has_message);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    n_producing--;
    pthread_cond_broadcast(&has_message);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static struct message *next(void) {
    struct message *message = NULL;
    pthread_mutex_lock(&lock);
    while (n_queued == 0 && n_producing > 0)
        pthread_cond_wait(&has_message, &lock);
    if (n_queued > 0) {
        message = queue[head];
        head = (head + 1) % QUEUE_LENGTH;
        n_queued--;
        pthread_cond_signal(&has_room);
    }
    pthread_mutex_unlock(&lock);
    return message;
}

static void *consume(void *unused) {
    for (struct message *message = next(); message != NULL; message = next()) {
        REQUIRE(holds(message->body, message->size, message->tag));
        free(message);
    }
    return unused;
}

int main(int argc, char **argv) {
    scenario_seed();
    size_t n_producers = strtoul(argv[1], NULL, 10), n_consumers = strtoul(argv[2], NULL, 10);
    if (argc > 3)
        n_messages *= strtoul(argv[3], NULL, 10);
    n_messages /= n_producers;
    n_producing = n_producers;
    pthread_t threads[16];
    for (size_t i = 0; i < n_producers; i++)
        threads[i] = start(produce, (void *)(uintptr_t)i);
    for (size_t i = 0; i < n_consumers; i++)
        threads[n_producers + i] = start(consume, NULL);
    for (size_t i = 0; i < n_producers + n_consumers; i++)
        join(threads[i]);
    size_t resident = in_time(resident_bytes, 64 * MIB);
    REQUIRE_SAYING(resident < 64 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
