/* The smallest process: one block allocated and freed, and nothing else until the process has read how much
 * memory is its own. Figures: private dirty memory and resident memory.
 *
 *     smallest */
#include "workload.h"

int main(void) {
    uint64_t stamp = free_stamped(stamped(100, 64, 0), 64);
    size_t private_dirty_kib = rollup_kib("\nPrivate_Dirty:"), rss_kib = rollup_kib("\nRss:");
    figure("private_dirty", (double)private_dirty_kib, "KiB");
    figure("rss", (double)rss_kib, "KiB");
    printf("a block of %zu bytes\n", stamp_size(stamp));
    return 0;
}
