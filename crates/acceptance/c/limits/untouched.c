/* Proves that a program may hold 1 TiB of address space in live blocks that it does not touch, in pieces of
 * any size, and that this costs less than half a percent of it.
 *
 * @run 1024
 * @run 64
 * @run 1
 * @limit 120
 */
#include "../scenario.h"

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    if (proc_bytes("/proc/meminfo", "\nMemAvailable:") < 8 * GIB)
        scenario_skip("half a percent of 1 TiB is more than this machine can spare");
    size_t size = strtoul(argv[1], NULL, 10) * MIB, n_blocks = 1024 * GIB / size;
    void ***newest = NULL;
    size_t n_made = 0;
    /* The list of the blocks lies in blocks of its own, so that theirs stay untouched. */
    void **page = NULL;
    for (size_t i = 0; i < n_blocks; i++) {
        if (i % 1023 == 0) {
            page = (void **)calloc(1024, sizeof *page);
            REQUIRE(page != NULL);
            page[1023] = newest;
            newest = (void ***)page;
        }
        page[i % 1023] = malloc(size);
        REQUIRE_SAYING(page[i % 1023] != NULL, "after %zu blocks of %zu bytes", i, size);
        n_made++;
    }
    size_t resident = resident_bytes();
    printf("%zu blocks, %zu KiB resident\n", n_made, resident / KIB);
    REQUIRE_SAYING(resident < 1024 * GIB / 200, "%zu MiB resident", resident / MIB);
    while (newest != NULL) {
        void **list = (void **)newest;
        for (size_t i = 0; i < 1023; i++)
            free(list[i]);
        newest = (void ***)list[1023];
        free(list);
    }
    free(filled(size, 1));
    return 0;
}
