/* Proves that many blocks which are too large for slabs do not use up the kernel's limit of mappings
 * (65,530), neither when all live nor when every other one has been freed.
 *
 * @run 100000 200
 * @run 20000 1536
 * @limit 120
 */
#include <malloc.h>

#include "../scenario.h"

static size_t n_mappings(void) {
    char buffer[64 * KIB];
    size_t n_lines = 0;
    int file = open("/proc/self/maps", O_RDONLY);
    REQUIRE(file >= 0);
    for (ssize_t length; (length = read(file, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < length; i++)
            n_lines += buffer[i] == '\n';
    close(file);
    return n_lines;
}

int main(int argc, char **argv) {
    REQUIRE(argc == 3);
    size_t n_blocks = strtoul(argv[1], NULL, 10), size = strtoul(argv[2], NULL, 10) * KIB;
    char **blocks = (char **)calloc(n_blocks, sizeof *blocks);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < n_blocks; i++) {
            if (blocks[i] != NULL)
                continue;
            blocks[i] = (char *)malloc(size);
            REQUIRE_SAYING(blocks[i] != NULL, "after %zu blocks, %zu mappings", i, n_mappings());
            blocks[i][0] = 1;
        }
        size_t n_when_full = n_mappings();
        for (size_t i = round % 2; i < n_blocks; i += 2) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
        size_t n_with_holes = n_mappings();
        printf("%zu mappings when full, %zu with holes\n", n_when_full, n_with_holes);
        REQUIRE_SAYING(n_when_full < 60000 && n_with_holes < 60000, "%zu, %zu", n_when_full, n_with_holes);
    }
    for (size_t i = 0; i < n_blocks; i++)
        free(blocks[i]);
    free(blocks);
    malloc_trim(0);
    size_t resident = resident_bytes();
    REQUIRE_SAYING(resident < 128 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
