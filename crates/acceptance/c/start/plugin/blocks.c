/* A library that makes blocks for others, each in another way. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *make_block(size_t size) { return memset(malloc(size), 6, size); }

void *make_aligned_block(size_t size) { return memset(memalign(4096, size), 6, size); }

static void *thread_body(void *size) { return make_block((size_t)size); }

void *make_block_in_thread(size_t size) {
    pthread_t thread;
    void *block;
    if (pthread_create(&thread, NULL, thread_body, (void *)size) != 0 || pthread_join(thread, &block) != 0)
        return NULL;
    return block;
}

char *from_strdup(void) { return strdup("/"); }

char *from_asprintf(void) {
    char *text;
    return asprintf(&text, "%c", '/') == 1 ? text : NULL;
}

char *from_realpath(void) { return realpath("/..", NULL); }

char *from_getline(void) {
    char *line = NULL, text[] = "/";
    size_t room = 0;
    FILE *file = fmemopen(text, 1, "r");
    if (getline(&line, &room, file) != 1)
        line = NULL;
    fclose(file);
    return line;
}

char *from_memstream(void) {
    char *text;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    fputs("/", file);
    fclose(file);
    return text;
}

/* Allocates, resizes and frees in its own world; 1 if everything was as it should be. */
int live(void) {
    for (size_t size = 1; size < 1000000; size = size * 3 + 1) {
        char *block = realloc(make_block(size), 2 * size);
        if (block == NULL || block[0] != 6 || block[size - 1] != 6)
            return 0;
        free(block);
        free(make_aligned_block(size));
    }
    return 1;
}
