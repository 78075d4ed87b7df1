/* Proves that a second free of a block is seen: at once, with other frees in between, after a realloc, of
 * every kind of block, and by another thread.
 *
 * @only mallow
 */
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
        {"small, after realloc", small_after_realloc, FREED},
        {"medium, after realloc", medium_after_realloc, FREED},
        {"small, second by another thread", small_remote_second, FREED},
        {"small, first by another thread", small_remote_first, FREED},
        {"small, both by other threads", both_remote, FREED},
        {"medium, second by another thread", medium_remote_second, FREED},
        {"medium, first by another thread", medium_remote_first, FREED},
        {"large, second by another thread", large_remote_second, FREED},
        {"realloc of a freed block", realloc_of_freed, FREED},
        {"realloc of a freed large block", realloc_of_freed_large, FREED "|wild"},
    };
    return make_mistakes(mistakes, COUNT(mistakes));
}
