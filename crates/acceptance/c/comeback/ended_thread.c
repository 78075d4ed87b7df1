/* Proves that a thread which allocated 50 MiB, freed it all and ended leaves less than 64 KiB behind: the
 * first such thread after 2 seconds of light use, or at once after a malloc_trim(0), and each of a hundred
 * more on top of the first. A hundred, because what the light use itself holds at a moment differs by some MiB.
 *
 * @run light
 * @run trim
 * @run more
 * @only mallow
 */
#include "../burst.h"
#include "../threads.h"

static struct burst burst;

static void *work(void *unused) {
    struct dice dice = dice_for(1);
    burst.n_blocks = burst.n_bytes = 0;
    burst_rise(&burst, 50 * MIB, TINIEST, &dice);
    for (size_t i = 0; i < burst.n_blocks; i++)
        free(burst.blocks[i]);
    return unused;
}

static void *nothing(void *unused) { return unused; }

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    scenario_seed();
    burst_prepare(&burst, 50 * MIB);
    memset(burst.blocks, 0xff, 50 * MIB / 16 * sizeof(void *)); /* pay for the table before the measurement */
    size_t n_threads = argv[1][0] == 'm' ? 100 : 1;
    join(start(n_threads > 1 ? work : nothing, NULL));
    size_t before = n_threads > 1 ? in_time(private_dirty_bytes, 0) : private_dirty_bytes();
    for (size_t i = 0; i < n_threads; i++)
        join(start(work, NULL));
    if (argv[1][0] == 't')
        malloc_trim(0);
    size_t goal = before + n_threads * 64 * KIB;
    size_t after = argv[1][0] == 't' ? private_dirty_bytes() : in_time(private_dirty_bytes, goal);
    printf("%zd KiB left behind by %zu threads\n", ((ssize_t)after - (ssize_t)before) / 1024, n_threads);
    fflush(stdout);
    REQUIRE_SAYING(after < goal, "%zu KiB before, %zu KiB after", before / KIB, after / KIB);
    return 0;
}
