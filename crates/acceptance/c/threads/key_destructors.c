/* Proves that destructors of thread-specific data may allocate and free in all the rounds that the standard
 * grants, in whatever order they run: keys made before the program's first allocation and after it, few and
 * more than fit into the thread's own table (then libc allocates behind our back). */
#include <limits.h>

#include "../threads.h"

enum { EARLY = 3, LATE = 60, THREADS = 200 };

static pthread_key_t keys[EARLY + LATE];
static size_t n_runs, n_in_last_round;

struct value {
    size_t nth_key, n_rounds;
    void *block;
    size_t size;
};

static void *value_of(size_t nth_key, size_t n_rounds) {
    struct value *value = (struct value *)calloc(1, sizeof *value);
    REQUIRE(value != NULL && value->block == NULL);
    value->nth_key = nth_key;
    value->n_rounds = n_rounds;
    value->size = 1 + nth_key * n_rounds * 37;
    value->block = filled(value->size, nth_key);
    return value;
}

static void destroy(void *argument) {
    struct value old = *(struct value *)argument;
    void *fresh = filled(3 * old.size, 1);
    free_filled(old.block, old.size, old.nth_key);
    free(argument);
    free_filled(fresh, 3 * old.size, 1);
    __atomic_add_fetch(&n_runs, 1, __ATOMIC_RELAXED);
    if (old.n_rounds + 1 < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(keys[old.nth_key], value_of(old.nth_key, old.n_rounds + 1));
    else
        __atomic_add_fetch(&n_in_last_round, 1, __ATOMIC_RELAXED);
}

static void make_keys(size_t first, size_t end) {
    for (size_t i = first; i < end; i++)
        REQUIRE(pthread_key_create(&keys[i], destroy) == 0);
}

__attribute__((constructor(101))) static void make_early_keys(void) { make_keys(0, EARLY); }

static void *work(void *unused) {
    for (size_t i = 0; i < COUNT(keys); i++)
        REQUIRE(pthread_setspecific(keys[i], value_of(i, 0)) == 0);
    return unused;
}

int main(void) {
    free(filled(100, 1));
    make_keys(EARLY, EARLY + LATE);
    for (size_t i = 0; i < THREADS; i += 2) {
        pthread_t one = start(work, NULL), other = start(work, NULL);
        join(one);
        join(other);
    }
    REQUIRE_SAYING(n_runs == THREADS * COUNT(keys) * PTHREAD_DESTRUCTOR_ITERATIONS, "%zu", n_runs);
    REQUIRE_SAYING(n_in_last_round == THREADS * COUNT(keys), "%zu", n_in_last_round);
    return 0;
}
