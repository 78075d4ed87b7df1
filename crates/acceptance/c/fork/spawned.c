/* Proves that posix_spawn, system and popen work from many threads at once while others allocate. */
#include <spawn.h>

#include "../processes.h"
#include "../threads.h"

enum { ROUNDS = 40, ALLOCATING = 4 };

extern char **environ;
static int is_over;

static void *allocate(void *number) {
    struct dice dice = dice_for((uint64_t)(uintptr_t)number);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        size_t size = roll_size(&dice, 1, 64 * KIB);
        free_filled(filled(size, size), size, size);
    }
    return NULL;
}

static void *spawns(void *unused) {
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)"exit 8", NULL};
    for (size_t round = 0; round < ROUNDS; round++) {
        pid_t child;
        REQUIRE(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
        require_exit(child, 8);
    }
    return unused;
}

static void *calls_system(void *unused) {
    for (size_t round = 0; round < ROUNDS; round++) {
        int status = system("exit 4");
        REQUIRE_SAYING(WIFEXITED(status) && WEXITSTATUS(status) == 4, "wait status %#x", (unsigned)status);
    }
    return unused;
}

static void *reads_pipes(void *unused) {
    for (size_t round = 0; round < ROUNDS; round++) {
        char line[16] = "";
        FILE *pipe = popen("echo piped", "r");
        REQUIRE(pipe != NULL);
        REQUIRE(fgets(line, sizeof line, pipe) != NULL && strcmp(line, "piped\n") == 0);
        REQUIRE(pclose(pipe) == 0);
    }
    return unused;
}

int main(void) {
    scenario_seed();
    pthread_t allocating[ALLOCATING];
    for (size_t i = 0; i < ALLOCATING; i++)
        allocating[i] = start(allocate, (void *)i);
    void *(*const bodies[])(void *) = {spawns, calls_system, reads_pipes, spawns, calls_system, reads_pipes};
    pthread_t threads[COUNT(bodies)];
    for (size_t i = 0; i < COUNT(bodies); i++)
        threads[i] = start(bodies[i], NULL);
    for (size_t i = 0; i < COUNT(bodies); i++)
        join(threads[i]);
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < ALLOCATING; i++)
        join(allocating[i]);
    return 0;
}
