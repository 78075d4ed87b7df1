/* A library that allocates as early and frees as late as a library can. */
#include <stdlib.h>
#include <string.h>

void *block_of_constructor;

__attribute__((constructor(101))) static void construct(void) {
    block_of_constructor = malloc(1234);
    memset(block_of_constructor, 7, 1234);
}

__attribute__((destructor(101))) static void destruct(void) { free(block_of_constructor); }
