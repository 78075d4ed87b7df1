/* Programs whose memory has a known shape: `shapes NAME`. Each gets into its shape, prints its number, and waits for the end of
 * its input. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1L << 20)
#define BLOCKS 80000L
#define BLOCK 1000

static void must(int is_fine, const char *what) {
    if (!is_fine) {
        perror(what);
        exit(1);
    }
}

static void wait_here(void) {
    char byte;
    printf("%d\n", getpid());
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
}

static void touch(char *memory, long bytes, long step) {
    for (long place = 0; place < bytes; place += step) memory[place] = 1;
}

static char *map(long bytes, int flags, int file) {
    char *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, file, 0);
    must(memory != MAP_FAILED, "mmap");
    return memory;
}

/* 80 MiB of small blocks, of which every `nth` stays; the last one always does. */
static void blocks(long nth) {
    static char *all[BLOCKS];
    for (long one = 0; one < BLOCKS; one++) {
        all[one] = malloc(BLOCK);
        must(all[one] != NULL, "malloc");
        memset(all[one], 7, BLOCK);
    }
    for (long one = 0; one < BLOCKS - 1; one++)
        if (nth == 0 || one % nth != 0) free(all[one]);
}

static void live(void) { blocks(1); }
static void freed(void) { blocks(0); }
static void comb(void) { blocks(2); }

static void huge(void) {
    char *memory = map(128 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    must(madvise(memory, 128 * MIB, MADV_HUGEPAGE) == 0, "madvise");
    touch(memory, 128 * MIB, 2 * MIB);
}

/* The child is the one to look at. */
static void forked(void) {
    blocks(1);
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child > 0) {
        waitpid(child, NULL, 0);
        exit(0);
    }
}

static pthread_barrier_t ready;

static void *deep(void *unused) {
    char stack[512 << 10];
    touch((char *)(void *)(volatile char *)stack, sizeof stack, 4096);
    __asm__ volatile("" ::"r"(stack) : "memory");
    pthread_barrier_wait(&ready);
    pause();
    return unused;
}

static void *busy(void *unused) {
    enum { COUNT = 8000 };
    char **all = malloc(COUNT * sizeof *all);
    for (long one = 0; one < COUNT; one++) {
        all[one] = malloc(BLOCK);
        memset(all[one], 7, BLOCK);
    }
    pthread_barrier_wait(&ready);
    for (long one = 0; one < COUNT - 1; one++) free(all[one]);
    pthread_barrier_wait(&ready);
    pause();
    return unused;
}

static void start(unsigned count, void *(*run)(void *), int rounds) {
    pthread_barrier_init(&ready, NULL, count + 1);
    for (unsigned one = 0; one < count; one++) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
    }
    while (rounds-- > 0) pthread_barrier_wait(&ready);
}

static void threads(void) { start(200, deep, 1); }
static void arenas(void) { start(32, busy, 2); }

static void files(void) {
    char name[] = "/var/tmp/mallow-shape-XXXXXX";
    int file = mkstemp(name);
    must(file >= 0 && unlink(name) == 0 && ftruncate(file, 96 * MIB) == 0, name);
    touch(map(96 * MIB, MAP_SHARED, file), 96 * MIB, 4096);
}

static void shm(void) {
    char name[] = "/dev/shm/mallow-shape-XXXXXX";
    int file = mkstemp(name);
    must(file >= 0 && unlink(name) == 0 && ftruncate(file, 96 * MIB) == 0, name);
    touch(map(96 * MIB, MAP_SHARED, file), 96 * MIB, 4096);
}

static void in_memfd(void) {
    int file = memfd_create("shape", 0);
    must(file >= 0 && ftruncate(file, 96 * MIB) == 0, "memfd_create");
    touch(map(96 * MIB, MAP_SHARED, file), 96 * MIB, 4096);
}

/* 1 TiB of address space, of which one page in each 2 MiB is used, up to 16 GiB. */
static void sparse(void) {
    char *memory = map(1024 * 1024 * MIB, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    must(madvise(memory, 1024 * 1024 * MIB, MADV_NOHUGEPAGE) == 0, "madvise");
    touch(memory, 16 * 1024 * MIB, 2 * MIB);
}

/* As many mappings as the kernel allows, less a few: neighbours differ in their rights. */
static void mappings(void) {
    long count = 60000;
    char *memory = map(count * 4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (long one = 0; one < count; one += 2) {
        memory[one * 4096] = 1;
        must(mprotect(memory + one * 4096, 4096, PROT_READ) == 0, "mprotect");
    }
}

/* Grows by about 20 MiB a second for as long as somebody looks. */
static void leak(void) {
    printf("%d\n", getpid());
    fflush(stdout);
    for (int round = 0; round < 500; round++) {
        struct timespec step = {0, 20000000};
        char *lost = malloc(400 << 10);
        memset(lost, 7, 400 << 10);
        __asm__ volatile("" ::"r"(lost) : "memory");
        nanosleep(&step, NULL);
    }
    exit(0);
}

int main(int count, char **words) {
    static const struct {
        const char *name;
        void (*make)(void);
    } shapes[] = {
        {"live", live},       {"freed", freed},     {"comb", comb},     {"huge", huge},   {"forked", forked},
        {"threads", threads}, {"arenas", arenas},   {"files", files},   {"shm", shm},     {"memfd", in_memfd},
        {"sparse", sparse},   {"mappings", mappings}, {"leak", leak},
    };
    for (size_t one = 0; count == 2 && one < sizeof shapes / sizeof *shapes; one++)
        if (strcmp(words[1], shapes[one].name) == 0) {
            shapes[one].make();
            wait_here();
            return 0;
        }
    fprintf(stderr, "usage: shapes NAME\n");
    return 2;
}
