/* Proves that handlers of exit may allocate, free what main allocated and resize it, and that the very first
 * allocation of a program may be a calloc in such a handler.
 *
 * @link dynamic static static-pie
 * @run used
 * @run unused
 * @run quick
 */
#include "../scenario.h"

static void *block;

static void first_calloc(void) {
    unsigned char *zeroed = (unsigned char *)calloc(3, 1000);
    REQUIRE(zeroed != NULL && holds(zeroed, 3000, 0));
    free(zeroed);
}

static void resize_and_free(void) {
    block = realloc(block, 200000);
    REQUIRE(block != NULL && holds(block, 2000, 1));
    free(block);
    free(filled(77, 1));
}

__attribute__((destructor)) static void destruct(void) { free(filled(3 * MIB, 1)); }

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    atexit(first_calloc);
    at_quick_exit(first_calloc);
    if (argv[1][0] == 'u' && argv[1][1] == 's') {
        block = filled(2000, 1);
        atexit(resize_and_free);
    }
    if (argv[1][0] == 'q')
        quick_exit(0);
    return 0;
}
