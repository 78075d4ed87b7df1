/* Proves that a second free of a block is seen: at once, with other frees in between, after a realloc, of
 * every kind of block, and by another thread.
 *
 * @only mallow
 */
#include <malloc.h>

#include "../mistake.h"
#include "../threads.h"

static const size_t small = 48, medium = 100 * KIB, large = 5 * MIB;

static void at_once(size_t size) {
    void *block = malloc(size);
    free(block);
    free(wrong(block));
}

static void small_at_once(void) { at_once(small); }
static void medium_at_once(void) { at_once(medium); }
static void large_at_once(void) { at_once(large); }
static void tiny_at_once(void) { at_once(1); }

static void after_others(size_t size) {
    void *blocks[10];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = malloc(size);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    free(wrong(blocks[5]));
}

static void small_after_others(void) { after_others(small); }
static void medium_after_others(void) { after_others(medium); }
static void large_after_others(void) { after_others(large); }

static void after_realloc(size_t size) {
    void *block = malloc(size), *neighbour = malloc(size);
    void *moved = realloc(opaque(block), 20 * size);
    REQUIRE(moved != NULL && neighbour != NULL);
    if (moved == block) /* grown in place: make the mistake with a block that did move */
        free(moved);
    free(wrong(block));
}

static void small_after_realloc(void) { after_realloc(small); }
static void medium_after_realloc(void) { after_realloc(medium); }

static void *free_there(void *block) {
    free(block);
    return NULL;
}

static void across_threads(size_t size, int first_is_remote) {
    void *block = malloc(size), *neighbour = malloc(size);
    if (first_is_remote) {
        join(start(free_there, block));
        free(wrong(block));
    } else {
        free(block);
        join(start(free_there, wrong(block)));
    }
    free(neighbour);
    /* The mistake may be seen no later than when the block would be handed out again. */
    for (size_t i = 0; i < 10000; i++)
        opaque(malloc(size));
}

static void small_remote_second(void) { across_threads(small, 0); }
static void small_remote_first(void) { across_threads(small, 1); }
static void medium_remote_second(void) { across_threads(medium, 0); }
static void medium_remote_first(void) { across_threads(medium, 1); }
static void large_remote_second(void) { across_threads(large, 0); }

/* The units of the block are kept by this thread, or by neither. */
static void medium_at_the_same_time(void) {
    void *block = malloc(medium);
    pthread_t one = start(free_there, block), another = start(free_there, wrong(block));
    join(one);
    join(another);
}

/* Far behind its start, in a unit of its own. */
static void medium_half_of_freed(void) {
    char *block = (char *)malloc(medium);
    free(block);
    free(wrong(block + medium / 2));
}

/* So many that their slabs are closed. */
static void small_after_many(void) {
    static void *blocks[10000];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = malloc(small);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    free(wrong(blocks[COUNT(blocks) - 2000]));
}

/* So many that most slabs are closed, and the units of the last ones become medium blocks. */
static void small_in_medium(void) {
    static void *blocks[10000];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = malloc(small);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    for (size_t i = 0; i < 100; i++)
        opaque(malloc(20 * KIB));
    free(wrong((char *)blocks[COUNT(blocks) - 2000] + 16));
}

static void both_remote(void) {
    void *block = malloc(small);
    join(start(free_there, block));
    join(start(free_there, wrong(block)));
    for (size_t i = 0; i < 10000; i++)
        opaque(malloc(small));
}

static void realloc_of_freed(void) {
    void *block = malloc(small);
    free(block);
    opaque(realloc(wrong(block), 100));
}

static void realloc_of_freed_large(void) {
    void *block = malloc(large);
    free(block);
    opaque(realloc(wrong(block), 100));
}

static void realloc_of_freed_medium(void) {
    void *block = malloc(medium);
    free(block);
    opaque(realloc(wrong(block), 100));
}

static void size_of_freed_medium(void) {
    void *block = malloc(medium);
    free(block);
    opaque_size(malloc_usable_size(wrong(block)));
}

#define FREED "free|freed"

int main(void) {
    static const struct mistake mistakes[] = {
        {"tiny, at once", tiny_at_once, FREED},
        {"small, at once", small_at_once, FREED},
        {"medium, at once", medium_at_once, FREED},
        {"large, at once", large_at_once, FREED},
        {"small, after others", small_after_others, FREED},
        {"medium, after others", medium_after_others, FREED},
        {"large, after others", large_after_others, FREED},
        {"small, after many others", small_after_many, FREED},
        {"small, whose place is a medium block", small_in_medium, FREED "|interior"},
        {"small, after realloc", small_after_realloc, FREED},
        {"medium, after realloc", medium_after_realloc, FREED},
        {"small, second by another thread", small_remote_second, FREED},
        {"small, first by another thread", small_remote_first, FREED},
        {"small, both by other threads", both_remote, FREED},
        {"medium, second by another thread", medium_remote_second, FREED},
        {"medium, first by another thread", medium_remote_first, FREED},
        {"medium, by two threads at the same time", medium_at_the_same_time, FREED},
        {"medium, behind its start", medium_half_of_freed, FREED},
        {"large, second by another thread", large_remote_second, FREED},
        {"realloc of a freed block", realloc_of_freed, FREED},
        {"realloc of a freed medium block", realloc_of_freed_medium, FREED},
        {"size of a freed medium block", size_of_freed_medium, FREED},
        {"realloc of a freed large block", realloc_of_freed_large, FREED "|wild"},
    };
    return make_mistakes(mistakes, COUNT(mistakes));
}
