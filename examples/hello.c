/* Counts the words of a text in four threads; build it with `cc -pthread hello.c` and run it on mallow, or
 * add libmallow.a. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, TEXTS = 1000 };

static const char text[] =
    "every block that is taken is given back and every block that is given back is taken again";

/* Counts the words in copies of the text, each word in a block of its own. */
static void *count_words(void *n_words) {
    for (int i = 0; i < TEXTS; i++) {
        char *copy = strdup(text), *rest = copy, **words = NULL, *word;
        size_t n = 0;
        while ((word = strsep(&rest, " ")) != NULL) {
            words = reallocarray(words, n + 1, sizeof *words);
            words[n++] = strdup(word);
        }
        *(size_t *)n_words += n;
        while (n > 0)
            free(words[--n]);
        free(words);
        free(copy);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    size_t *n_words = calloc(THREADS, sizeof *n_words), n_all = 0;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, count_words, &n_words[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        n_all += n_words[i];
    }
    printf("%zu words in %d threads\n", n_all, THREADS);
    free(n_words);
    return 0;
}
