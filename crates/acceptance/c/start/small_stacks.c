/* Proves that the smallest stack a thread can have is enough for every kind of allocation. */
#include <limits.h>
#include <malloc.h>

#include "../threads.h"

static void *work(void *unused) {
    for (size_t size = 1; size < 64 * MIB; size *= 5) {
        unsigned char *block = (unsigned char *)malloc(size);
        REQUIRE(block != NULL);
        block[size - 1] = 1;
        block = (unsigned char *)realloc(block, 3 * size);
        REQUIRE(block != NULL && block[size - 1] == 1);
        free(block);
        free(calloc(size, 2));
        free(memalign(KIB, size));
    }
    malloc_trim(0);
    return unused;
}

int main(void) {
    for (size_t i = 0; i < 50; i++) {
        pthread_t one = start_thread(work, NULL, (size_t)PTHREAD_STACK_MIN, 0);
        pthread_t other = start_thread(work, NULL, (size_t)PTHREAD_STACK_MIN, 0);
        join(one);
        join(other);
    }
    return 0;
}
