/* What a peer must serve in C: every function of the malloc family, from several threads, around fork.
 *
 * The argument is the path of the library. Prints which object each name resolves to, and fails with a sentence if
 * one of them is not the library: a program whose free is the peer's and whose aligned_alloc is not would crash
 * anyway. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* The ones that every program may call; valloc and the like are as good as dead. */
static const char *const NAMES[] = {"malloc",         "free",          "calloc",           "realloc", "memalign",
                                    "posix_memalign", "aligned_alloc", "malloc_usable_size"};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES, THREADS = 4, SLOTS = 512, ROUNDS = 40000, FORKS = 20 };

static void require_library(const char *library) {
    char *wanted = realpath(library, NULL);
    REQUIRE(wanted != NULL);
    for (int i = 0; i < NAME_COUNT; i++) {
        Dl_info found;
        void *address = dlsym(RTLD_DEFAULT, NAMES[i]);
        REQUIRE(address != NULL && dladdr(address, &found) != 0);
        char *object = realpath(found.dli_fname, NULL);
        printf("%s: %s\n", NAMES[i], found.dli_fname);
        if (object == NULL || strcmp(object, wanted) != 0) {
            fprintf(stderr, "%s resolves to %s\n", NAMES[i], found.dli_fname);
            exit(1);
        }
        free(object);
    }
    free(wanted);
}

static void use_each_function(void) {
    unsigned char *block = malloc(100);
    REQUIRE(block != NULL && (uintptr_t)block % 16 == 0 && malloc_usable_size(block) >= 100);
    memset(block, 7, 100);
    block = realloc(block, 100000);
    REQUIRE(block != NULL && block[0] == 7 && block[99] == 7);
    block = realloc(block, 50);
    REQUIRE(block != NULL && block[49] == 7);
    free(block);
    for (size_t size = 1; size < (size_t)1 << 24; size = size * 3 + 1) {
        block = calloc(1, size);
        REQUIRE(block != NULL && block[0] == 0 && block[size / 2] == 0 && block[size - 1] == 0);
        memset(block, 255, size);
        free(block);
    }
    /* rpmalloc refuses 64 KiB and more. */
    for (size_t align = 16; align <= (size_t)1 << 15; align *= 2) {
        void *aligned[3] = {aligned_alloc(align, align * 3), memalign(align, 100), NULL};
        REQUIRE(posix_memalign(&aligned[2], align, 5000) == 0);
        for (int i = 0; i < 3; i++) {
            REQUIRE(aligned[i] != NULL && (uintptr_t)aligned[i] % align == 0);
            memset(aligned[i], 1, 48);
            free(aligned[i]);
        }
    }
    /* Through a variable, or the compiler knows the answer. Not asked: what calloc makes of a product that
     * overflows, which rpmalloc does not look at, and errno, which mimalloc 2 leaves alone. */
    volatile size_t most = SIZE_MAX / 2;
    REQUIRE(malloc(most) == NULL);
    free(NULL);
}

/* Blocks that one thread leaves here another one frees. */
static _Atomic(unsigned char *) slots[SLOTS];
static _Atomic int is_over;

static void exchange(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    size_t size = 16 + (*seed >> 8) % ((*seed >> 28) == 0 ? 70000 : 700);
    unsigned char *block = malloc(size);
    REQUIRE(block != NULL);
    block[0] = block[size - 1] = (unsigned char)size;
    block = __atomic_exchange_n((unsigned char **)&slots[(*seed >> 4) % SLOTS], block, __ATOMIC_ACQ_REL);
    if (block != NULL) {
        REQUIRE(malloc_usable_size(block) >= 16);
        free(block);
    }
}

static void *churn(void *argument) {
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        exchange(&seed);
    }
    return NULL;
}

static void *churn_until_over(void *argument) {
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    while (!is_over) {
        exchange(&seed);
    }
    return NULL;
}

static void start(pthread_t *threads, void *(*work)(void *)) {
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    }
}

static void join(const pthread_t *threads) {
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
}

/* Returns whether a child of this process could use the allocator. */
static int child_works(uint32_t seed) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        /* A peer that never gets a lock back hangs. */
        alarm(5);
        for (int round = 0; round < 1000; round++) {
            exchange(&seed);
        }
        _exit(0);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Forks while other threads are inside the allocator. Not all peers promise that this works, so it is told, not
 * required. */
static void fork_under_load(void) {
    pthread_t threads[THREADS];
    int done = 0;
    start(threads, churn_until_over);
    while (done < FORKS && child_works((uint32_t)done)) {
        done++;
    }
    is_over = 1;
    join(threads);
    if (done == FORKS) {
        puts("fork while threads allocate: done");
    } else {
        printf("fork while threads allocate: NOT served, child %d did not end well\n", done + 1);
    }
}

int main(int count, char **arguments) {
    REQUIRE(count == 2);
    require_library(arguments[1]);
    use_each_function();
    pthread_t threads[THREADS];
    for (int generation = 0; generation < 5; generation++) {
        start(threads, churn);
        join(threads);
    }
    puts("threads: done");
    fflush(stdout);
    REQUIRE(child_works(1));
    puts("fork: done");
    fflush(stdout);
    fork_under_load();
    return 0;
}
