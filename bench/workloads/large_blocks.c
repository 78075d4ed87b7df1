/* Many large blocks: buffers of 64 KiB to 8 MiB, log-uniform, as a program has them that decodes pictures or moves
 * files. A few live at a time; each is written from its start to a random point and read once.
 *
 *     large_blocks BUFFERS */
#include "workload.h"

enum { LIVE = 64, SMALLEST_ORDER = 16, ORDERS = 7, PAGE = 4096 };

struct buffer {
    char *bytes;
    size_t n_used;
    uint64_t tag;
};

static uint64_t word_for(uint64_t tag, size_t at) { return (tag ^ at) * 0x9e3779b97f4a7c15u; }

static void fill(struct buffer *buffer, struct dice *dice) {
    size_t size = roll_size(dice, SMALLEST_ORDER, ORDERS);
    buffer->bytes = (char *)allocate(size);
    buffer->n_used = size / 8 + roll_below(dice, size - size / 8);
    buffer->tag = dice->state;
    for (size_t at = 0; at + 8 <= buffer->n_used; at += PAGE / 4) {
        uint64_t word = word_for(buffer->tag, at);
        memcpy(buffer->bytes + at, &word, sizeof word);
    }
}

static uint64_t drain(struct buffer *buffer) {
    uint64_t sum = 0, word;
    for (size_t at = 0; at + 8 <= buffer->n_used; at += PAGE / 4) {
        memcpy(&word, buffer->bytes + at, sizeof word);
        if (word != word_for(buffer->tag, at))
            fail("byte %zu of a buffer is damaged", at);
        sum += word;
    }
    free(buffer->bytes);
    buffer->bytes = NULL;
    return sum;
}

int main(int argc, char **argv) {
    size_t n_buffers = argument(argc, argv, 1, "buffers");
    static struct buffer buffers[LIVE];
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    for (size_t i = 0; i < n_buffers; i++) {
        struct buffer *buffer = &buffers[roll_below(&dice, LIVE)];
        if (buffer->bytes != NULL)
            sum += drain(buffer);
        fill(buffer, &dice);
    }
    for (size_t i = 0; i < LIVE; i++)
        if (buffers[i].bytes != NULL)
            sum += drain(&buffers[i]);
    printf("%zu buffers, sum %016llx\n", n_buffers, (unsigned long long)sum);
    return 0;
}
