/* Proves the rules about nothing: blocks of no bytes are distinct and can be freed, realloc to no bytes
 * frees, and every function takes a null pointer. */
#include <malloc.h>

#include "../scenario.h"

enum { BLOCKS = 1000 };

static void require_distinct(void *(*allocate)(void)) {
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = allocate();
        REQUIRE(blocks[i] != NULL && (uintptr_t)blocks[i] % 16 == 0);
        for (size_t j = 0; j < i; j++)
            REQUIRE(blocks[i] != blocks[j]);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void *by_malloc(void) { return malloc(opaque_size(0)); }
static void *by_calloc(void) { return calloc(opaque_size(0), 8); }
static void *by_calloc_of_nothing(void) { return calloc(8, opaque_size(0)); }
static void *by_realloc(void) { return realloc(opaque(NULL), opaque_size(0)); }
static void *by_memalign(void) { return memalign(64, opaque_size(0)); }

int main(void) {
    void *(*const functions[])(void) = {by_malloc, by_calloc, by_calloc_of_nothing, by_realloc, by_memalign};
    for (size_t i = 0; i < COUNT(functions); i++)
        require_distinct(functions[i]);

    REQUIRE(realloc(malloc(100), opaque_size(0)) == NULL);
    REQUIRE(realloc(malloc(10 * MIB), opaque_size(0)) == NULL);
    /* What realloc freed comes back: without that, this would need 10 GiB. */
    for (size_t i = 0; i < 10000; i++)
        REQUIRE(realloc(filled(MIB, 1), opaque_size(0)) == NULL);

    free(NULL);
    REQUIRE(malloc_usable_size(NULL) == 0);
    void *block = realloc(opaque(NULL), 10);
    REQUIRE(block != NULL);
    free(block);
    return 0;
}
