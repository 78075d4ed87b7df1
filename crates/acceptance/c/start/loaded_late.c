/* Proves that the library can be loaded by a running program and used beside libc's own malloc: its
 * functions, found with dlsym, serve threads that are older and threads that are younger than the library.
 *
 * @bare
 */
#include <dlfcn.h>

#include "../threads.h"

static void *(*their_malloc)(size_t);
static void *(*their_calloc)(size_t, size_t);
static void *(*their_realloc)(void *, size_t);
static void (*their_free)(void *);
static pthread_barrier_t loaded;

static void *work(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    for (size_t i = 0; i < 20000; i++) {
        size_t size = roll_size(&dice, 1, roll_below(&dice, 100) ? 8 * KIB : 4 * MIB);
        void *ours = their_malloc(size), *libcs = filled(100, 1);
        REQUIRE(ours != NULL);
        fill(ours, size, i);
        ours = their_realloc(ours, 2 * size);
        REQUIRE(ours != NULL && holds(ours, size, i));
        their_free(ours);
        ours = their_calloc(2, size);
        REQUIRE(ours != NULL && holds(ours, 2 * size < 4 * KIB ? 2 * size : 4 * KIB, 0));
        their_free(ours);
        free_filled(libcs, 100, 1);
    }
    return NULL;
}

static void *wait_and_work(void *number) {
    pthread_barrier_wait(&loaded);
    return work(number);
}

int main(void) {
    scenario_seed();
    pthread_barrier_init(&loaded, NULL, 3);
    pthread_t older[2] = {start(wait_and_work, (void *)1), start(wait_and_work, (void *)2)};
    void *library = dlopen(getenv("LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    REQUIRE_SAYING(library != NULL, "%s", dlerror());
    their_malloc = (void *(*)(size_t))dlsym(library, "malloc");
    their_calloc = (void *(*)(size_t, size_t))dlsym(library, "calloc");
    their_realloc = (void *(*)(void *, size_t))dlsym(library, "realloc");
    their_free = (void (*)(void *))dlsym(library, "free");
    REQUIRE(their_malloc != NULL && their_calloc != NULL && their_realloc != NULL && their_free != NULL);
    REQUIRE(their_malloc != malloc);
    pthread_barrier_wait(&loaded);
    pthread_t younger[2] = {start(work, (void *)3), start(work, (void *)4)};
    work((void *)5);
    for (size_t i = 0; i < 2; i++) {
        join(older[i]);
        join(younger[i]);
    }
    return 0;
}
