/* Mistakes, each made in a child of its own: it must be aborted, at the latest when it exits, and say one line that
 * names the pointer and what it is. */
#ifndef MISTAKE_H
#define MISTAKE_H

#include <ctype.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "processes.h"

/* Where a child writes the pointer that it is about to misuse. */
static void *volatile *announced;

/* Announces a pointer as the one that the line must name. */
static inline void *wrong(const void *pointer) {
    *announced = (void *)pointer;
    return opaque((void *)pointer);
}

struct mistake {
    const char *name;
    void (*make)(void);
    const char *words; /* one of these must be in the line, separated by '|' */
};

static inline int says_one_of(const char *line, const char *words) {
    char word[64];
    for (const char *end; *words != 0; words = *end ? end + 1 : end) {
        end = strchrnul(words, '|');
        snprintf(word, sizeof word, "%.*s", (int)(end - words), words);
        if (strcasestr(line, word) != NULL)
            return 1;
    }
    return 0;
}

/* Makes one mistake; 1 if it ended as it should. */
static inline int is_seen(const struct mistake *mistake) {
    int ends[2], status;
    char said[4096] = "", pointer[32];
    REQUIRE(pipe(ends) == 0);
    *announced = NULL;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        mistake->make();
        exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t more; (more = read(ends[0], said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)more;
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    snprintf(pointer, sizeof pointer, "%lx", (unsigned long)*announced);
    size_t n_lines = 0;
    for (size_t i = 0; i < length; i++)
        n_lines += said[i] == '\n';
    int is_right = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && n_lines == 1 &&
                   strstr(said, pointer) != NULL && says_one_of(said, mistake->words);
    if (!is_right)
        dprintf(STDERR_FILENO, "%s: wait status %#x, pointer %s, should say %s, said: %s\n", mistake->name,
                (unsigned)status, pointer, mistake->words, said);
    return is_right;
}

/* Makes all mistakes; the status of the scenario. */
static inline int make_mistakes(const struct mistake *mistakes, size_t n_mistakes) {
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    announced = (void *volatile *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int n_unseen = 0;
    for (size_t i = 0; i < n_mistakes; i++)
        n_unseen += !is_seen(&mistakes[i]);
    return n_unseen > 0;
}

#endif
