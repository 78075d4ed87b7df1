/* Proves that a resolver of the executable may allocate: it runs while the executable is being relocated,
 * when no constructor has run and the allocator has never been called by the program.
 *
 * @flags -fno-plt -Wl,-z,now
 */
#include "../scenario.h"

static void *block_of_resolver;

static void *plain(size_t size) { return realloc(block_of_resolver, size); }

static void *(*resolve(void))(size_t) {
    block_of_resolver = malloc(500);
    if (block_of_resolver != NULL)
        memset(block_of_resolver, 5, 500);
    return plain;
}

void *indirect(size_t) __attribute__((ifunc("resolve")));

int main(void) {
    void *block = indirect(50000);
    REQUIRE(block != NULL && holds(block, 500, 5));
    free(block);
    return 0;
}
