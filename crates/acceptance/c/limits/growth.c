/* Proves that realloc carries the contents of a block from 1 byte to 1 GiB and back, in doublings and in
 * small steps, also when its neighbours are in the way.
 *
 * @limit 120
 */
#include "../scenario.h"

/* The byte that belongs at an offset. */
static unsigned char byte_at(size_t offset) { return (unsigned char)(offset * 31 + (offset >> 12)); }

/* Writes or checks the bytes of [from, to); of large ranges some bytes of every page. */
static void visit(unsigned char *block, size_t from, size_t to, int is_check) {
    size_t step = to - from > MIB ? 509 : 1;
    for (size_t offset = from; offset < to; offset += step) {
        if (is_check)
            REQUIRE_SAYING(block[offset] == byte_at(offset), "offset %zu of %zu", offset, to);
        else
            block[offset] = byte_at(offset);
    }
    if (to > from) {
        if (is_check)
            REQUIRE_SAYING(block[to - 1] == byte_at(to - 1), "last of %zu", to);
        else
            block[to - 1] = byte_at(to - 1);
    }
}

static void grow_and_shrink(size_t largest, size_t factor, size_t has_neighbours) {
    unsigned char *block = NULL;
    void *neighbours[64] = {NULL};
    size_t n_neighbours = 0, size = 0;
    for (size_t wanted = 1; wanted <= largest; wanted = wanted * factor / 8 + 1) {
        block = (unsigned char *)realloc(block, wanted);
        REQUIRE_SAYING(block != NULL, "realloc to %zu", wanted);
        visit(block, 0, size, 1);
        visit(block, 0, wanted, 0);
        size = wanted;
        if (has_neighbours && n_neighbours < COUNT(neighbours))
            neighbours[n_neighbours++] = filled(size < MIB ? size : MIB, 1);
    }
    while (size > 1) {
        size_t wanted = size * 8 / factor / 2 + 1;
        block = (unsigned char *)realloc(block, wanted);
        REQUIRE_SAYING(block != NULL, "realloc to %zu", wanted);
        visit(block, 0, wanted < MIB ? wanted : MIB, 0);
        size = wanted < size ? wanted : 1;
    }
    free(block);
    for (size_t i = 0; i < n_neighbours; i++)
        free(neighbours[i]);
}

/* A list that grows by a constant, as text buffers do. */
static void grow_by_steps(size_t step, size_t largest) {
    unsigned char *block = NULL;
    for (size_t size = step; size <= largest; size += step) {
        block = (unsigned char *)realloc(block, size);
        REQUIRE(block != NULL);
        for (size_t i = size - step; i < size; i++)
            block[i] = byte_at(i);
    }
    visit(block, 0, largest / step * step, 1);
    free(block);
}

int main(void) {
    grow_and_shrink(GIB, 16, 0);
    grow_and_shrink(256 * MIB, 16, 1);
    grow_and_shrink(64 * MIB, 9, 0);
    grow_and_shrink(64 * MIB, 12, 1);
    grow_by_steps(1, 300 * KIB);
    grow_by_steps(4096, 32 * MIB);
    return 0;
}
