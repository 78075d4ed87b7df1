/* Proves that memory is there before anything else is: in the executable's `.preinit_array`, which runs
 * before every constructor, also those of libraries, and in the first constructor of the executable.
 *
 * @link dynamic static static-pie
 */
#include "../scenario.h"

static void *earliest, *early;

static void before_constructors(void) {
    earliest = filled(1000, 1);
    free(filled(3 * MIB, 1));
}

__attribute__((section(".preinit_array"), used)) static void (*const entry)(void) = before_constructors;

__attribute__((constructor(101))) static void construct(void) {
    early = calloc(100, 100);
    REQUIRE(early != NULL && holds(early, 100 * 100, 0));
    fill(early, 100 * 100, 2);
}

int main(void) {
    REQUIRE(early != NULL && earliest != NULL);
    free_filled(early, 100 * 100, 2);
    earliest = realloc(earliest, 100000);
    REQUIRE(earliest != NULL && holds(earliest, 1000, 1));
    free(earliest);
    return 0;
}
