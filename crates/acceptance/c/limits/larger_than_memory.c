/* Proves that a block may be larger than the machine's memory as long as it is not used: it can be made,
 * touched here and there, doubled and freed.
 *
 * @only mallow
 */
#include "../scenario.h"

int main(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), memory = (size_t)sysconf(_SC_PHYS_PAGES) * page,
           size = memory + GIB;
    char *block = (char *)malloc(size);
    REQUIRE_SAYING(block != NULL, "malloc(%zu)", size);
    for (size_t offset = 0; offset < size; offset += GIB)
        block[offset] = (char)(offset / GIB + 1);
    block = (char *)realloc(block, 2 * size);
    REQUIRE_SAYING(block != NULL, "realloc to %zu", 2 * size);
    for (size_t offset = 0; offset < size; offset += GIB)
        REQUIRE(block[offset] == (char)(offset / GIB + 1));
    block[2 * size - 1] = 1;
    free(block);
    char *zeroed = (char *)calloc(size / 16, 16);
    REQUIRE(zeroed != NULL && zeroed[size / 2] == 0 && zeroed[size / 16 * 16 - 1] == 0);
    free(zeroed);
    REQUIRE(in_time(resident_bytes, 64 * MIB) < 64 * MIB);
    return 0;
}
