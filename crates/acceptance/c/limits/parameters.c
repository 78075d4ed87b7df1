/* Proves that mallopt takes every parameter of libc's manual and refuses values that libc refuses, and that
 * the program goes on to work with them. */
#include <malloc.h>

#include "../scenario.h"

int main(void) {
    REQUIRE(mallopt(M_MXFAST, 64) == 1);
    REQUIRE(mallopt(M_MXFAST, 0) == 1);
    REQUIRE(mallopt(M_MXFAST, 1 << 20) == 0);
    REQUIRE(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1);
    REQUIRE(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    REQUIRE(mallopt(M_TOP_PAD, 1 << 16) == 1);
    REQUIRE(mallopt(M_MMAP_THRESHOLD, 1 << 18) == 1);
    REQUIRE(mallopt(M_MMAP_MAX, 100) == 1);
    REQUIRE(mallopt(M_CHECK_ACTION, 3) == 1);
    REQUIRE(mallopt(M_ARENA_TEST, 2) == 1);
    REQUIRE(mallopt(M_ARENA_MAX, 1) == 1);
    REQUIRE(mallopt(M_PERTURB, 0) == 1);
    for (size_t size = 1; size < 16 * MIB; size *= 3)
        free_filled(filled(size, 1), size, 1);
    return 0;
}
