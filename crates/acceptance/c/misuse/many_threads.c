/* Proves that mistakes are seen where threads share what they have, because many others have heaps of their own: by
 * threads that need little, by threads that are about to end, and in memory that went back to the system.
 *
 * @only mallow
 */
#include <limits.h>
#include <malloc.h>

#include "../mistake.h"
#include "../threads.h"

enum { OTHERS = 64, ROUNDS = 10000 };

static const size_t small = 48, medium = 100 * KIB, large = 5 * MIB;
static pthread_barrier_t at_work;

static void *stay(void *unused) {
    opaque(malloc(small));
    pthread_barrier_wait(&at_work);
    sleep_us(1000000000);
    return unused;
}

/* Has all heaps taken that threads get at once. */
static void crowd(void) {
    pthread_barrier_init(&at_work, NULL, OTHERS + 1);
    for (size_t i = 0; i < OTHERS; i++)
        start_thread(stay, NULL, 64 * KIB, 1);
    pthread_barrier_wait(&at_work);
}

static void *allocate(void *size) { return malloc(*(size_t *)size); }

static void *free_there(void *block) {
    free(block);
    return NULL;
}

/* What a mistake leads to is seen no later than when the block would be handed out again. */
static void *use(void *size) {
    for (size_t i = 0; i < ROUNDS; i++)
        opaque(malloc(*(size_t *)size));
    return NULL;
}

static void twice_by_sharers(size_t size) {
    crowd();
    void *block = join(start(allocate, &size));
    join(start(free_there, block));
    join(start(free_there, wrong(block)));
}

static void small_twice(void) { twice_by_sharers(small); }
static void medium_twice(void) { twice_by_sharers(medium); }
static void large_twice(void) { twice_by_sharers(large); }

static void sharers_block_twice(void) {
    crowd();
    size_t size = small;
    void *block = join(start(allocate, &size));
    free(opaque(block));
    free(wrong(block));
}

static void inside_by_sharer(size_t size, size_t offset) {
    crowd();
    char *block = (char *)join(start(allocate, &size));
    join(start(free_there, wrong(block + offset)));
    join(start(use, &size));
}

static void small_inside(void) { inside_by_sharer(small, 16); }
static void medium_inside(void) { inside_by_sharer(medium, 16); }
static void medium_far_inside(void) { inside_by_sharer(medium, 32 * KIB); }

static void freed_medium_inside(void) {
    crowd();
    size_t size = medium;
    char *block = (char *)join(start(allocate, &size));
    join(start(free_there, block));
    join(start(free_there, wrong(block + 32 * KIB)));
}

/* The last 16 bytes of a slab of one unit belong to no block of 48. */
static char *tail(void) {
    uintptr_t block = (uintptr_t)malloc(small);
    return (char *)(block | (16 * KIB - 1)) - 15;
}

static void in_tail(void) { free(wrong(tail())); }
static void in_tail_by_other(void) { join(start(free_there, wrong(tail()))); }
static void in_tail_by_sharer(void) {
    crowd();
    in_tail_by_other();
}

static pthread_key_t key;
static void *volatile freed_late;

static void free_late(void *block) {
    static _Thread_local int n_rounds;
    if (++n_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(key, block);
        return;
    }
    free(opaque(freed_late));
    free(wrong(freed_late));
}

static void *end_late(void *is_small) {
    if (!is_small) /* enough for a heap of its own */
        for (size_t i = 0; i < 1000; i++)
            opaque(malloc(small));
    pthread_setspecific(key, &key);
    return NULL;
}

static void late(size_t size, int is_small) {
    REQUIRE(pthread_key_create(&key, free_late) == 0);
    crowd();
    freed_late = malloc(size);
    join(start(end_late, is_small ? &key : NULL));
    use(&size);
}

static void small_late(void) { late(small, 0); }
static void medium_late(void) { late(medium, 0); }
static void large_late(void) { late(large, 0); }
static void small_late_by_sharer(void) { late(small, 1); }
static void medium_late_by_sharer(void) { late(medium, 1); }

/* A block whose page went back to the system with its mark, freed again. */
static void purged(int by_other) {
    static void *blocks[20000];
    for (size_t i = 0; i < COUNT(blocks); i++)
        blocks[i] = malloc(small);
    /* One block in each unit or so stays. */
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (i % 300 != 0)
            free(blocks[i]);
    malloc_trim(0);
    void *block = wrong(blocks[10150]);
    if (by_other)
        join(start(free_there, block));
    else
        free(block);
    size_t size = small;
    for (size_t i = 0; i < 10; i++)
        use(&size);
}

static void purged_by_owner(void) { purged(0); }
static void purged_by_other(void) { purged(1); }

#define FREED "free|freed"
#define INSIDE "interior|inside"

int main(void) {
    static const struct mistake mistakes[] = {
        {"small, twice", small_twice, FREED},
        {"medium, twice", medium_twice, FREED},
        {"large, twice", large_twice, FREED},
        {"a sharer's block, twice by another", sharers_block_twice, FREED},
        {"small, inside", small_inside, INSIDE},
        {"medium, inside", medium_inside, INSIDE},
        {"medium, far inside", medium_far_inside, INSIDE},
        {"freed medium, far inside", freed_medium_inside, FREED},
        {"tail", in_tail, "wild"},
        {"tail, by another thread", in_tail_by_other, "wild"},
        {"tail, by a sharer", in_tail_by_sharer, "wild"},
        {"small, late", small_late, FREED},
        {"medium, late", medium_late, FREED},
        {"large, late", large_late, FREED},
        {"small, late, by a sharer", small_late_by_sharer, FREED},
        {"medium, late, by a sharer", medium_late_by_sharer, FREED},
        {"purged", purged_by_owner, FREED},
        {"purged, by another thread", purged_by_other, FREED},
    };
    return make_mistakes(mistakes, COUNT(mistakes));
}
