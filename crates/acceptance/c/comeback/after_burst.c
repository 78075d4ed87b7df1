/* Proves that memory comes back: after 1 GiB of blocks in mixed sizes has been freed in random order down to
 * 1 % of the blocks, less than 15 % of the peak is resident within 2 seconds, with no more to prompt it than
 * a few allocations every 1 or 10 milliseconds; malloc_trim(0) gets there at once and says so, but for what belongs to
 * threads that run, which return it when they next allocate. The burst is
 * made by the main thread, by four threads that end, or by four threads that stay and do the light work. Its
 * smallest blocks have 32 bytes; of blocks of 16, one in a hundred already pins 15 % of the peak, so there
 * the promise is to come within 3 % of what the survivors pin.
 *
 * @run main 1 32
 * @run main 10 32
 * @run main trim 32
 * @run ended 1 32
 * @run ended 10 32
 * @run ended trim 32
 * @run staying 1 32
 * @run staying 10 32
 * @run staying trim 32
 * @run main 1 16
 * @run main trim 16
 * @only mallow
 */
#include "../burst.h"
#include "../threads.h"

enum { THREADS = 4, PATIENCE_MS = 2000, PERCENT_OF_PEAK = 15, PERCENT_MORE = 3 };

static const size_t all_bytes = GIB;
static struct burst bursts[THREADS];
static size_t n_threads, smallest = TINIEST;
static int stays, is_over;
static long pause_ms;
static pthread_barrier_t at_peak, measured, fallen;

static void *work(void *number) {
    size_t nth = (size_t)number;
    struct dice dice = dice_for(nth);
    burst_rise(&bursts[nth], all_bytes / n_threads, smallest, &dice);
    if (n_threads > 1) {
        pthread_barrier_wait(&at_peak);
        pthread_barrier_wait(&measured);
    }
    burst_fall(&bursts[nth], &dice);
    if (stays) {
        pthread_barrier_wait(&fallen);
        for (; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); sleep_us(1000 * (pause_ms ? pause_ms : 100)))
            light_use(&dice);
    }
    return NULL;
}

int main(int argc, char **argv) {
    REQUIRE(argc == 4);
    scenario_seed();
    n_threads = argv[1][0] == 'm' ? 1 : THREADS;
    stays = argv[1][0] == 's';
    int by_trim = argv[2][0] == 't';
    pause_ms = by_trim ? 0 : strtol(argv[2], NULL, 10);
    while ((size_t)1 << smallest < strtoul(argv[3], NULL, 10))
        smallest++;
    struct dice dice = dice_for(THREADS);
    pthread_barrier_init(&at_peak, NULL, THREADS + 1);
    pthread_barrier_init(&measured, NULL, THREADS + 1);
    pthread_barrier_init(&fallen, NULL, THREADS + 1);
    for (size_t i = 0; i < n_threads; i++)
        burst_prepare(&bursts[i], all_bytes / n_threads);

    size_t peak;
    pthread_t threads[THREADS];
    if (n_threads == 1) {
        struct dice own = dice_for(0);
        burst_rise(&bursts[0], all_bytes, smallest, &own);
        peak = resident_bytes() - burst_table_bytes(&bursts[0]);
        burst_print(&bursts[0]);
        burst_fall(&bursts[0], &own);
    } else {
        for (size_t i = 0; i < n_threads; i++)
            threads[i] = start(work, (void *)i);
        pthread_barrier_wait(&at_peak);
        peak = resident_bytes();
        for (size_t i = 0; i < n_threads; i++)
            peak -= burst_table_bytes(&bursts[i]);
        pthread_barrier_wait(&measured);
        if (stays)
            pthread_barrier_wait(&fallen);
        else
            for (size_t i = 0; i < n_threads; i++)
                join(threads[i]);
    }

    size_t pinned = burst_pinned_bytes(bursts, n_threads), goal = peak * PERCENT_OF_PEAK / 100;
    if (smallest == TINIEST)
        goal = pinned + peak * PERCENT_MORE / 100;
    uint64_t start_ns = now_ns();
    size_t at_once = resident_bytes(), left = at_once;
    if (by_trim) {
        /* Threads that ended may have returned everything by themselves. */
        REQUIRE(malloc_trim(0) == 1 || at_once < goal);
        left = resident_bytes();
    }
    /* A thread that runs returns its own memory when it next allocates, so those that stay get the time. */
    while ((!by_trim || stays) && left >= goal && now_ns() - start_ns < PATIENCE_MS * 1000000ull) {
        for (int i = 0; i < 20; i++) {
            if (!stays)
                light_use(&dice);
            sleep_us(1000 * pause_ms);
        }
        left = resident_bytes();
    }
    printf("peak %zu MiB, %zu MiB when freed, %zu MiB (%.1f %%) after %.2f s; survivors pin %zu MiB\n",
           peak / MIB, at_once / MIB, left / MIB, 100.0 * (double)left / (double)peak,
           (double)(now_ns() - start_ns) / 1e9, pinned / MIB);
    fflush(stdout);
    REQUIRE_SAYING(left < goal, "%zu MiB of %zu MiB are left", left / MIB, peak / MIB);

    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < n_threads && stays; i++)
        join(threads[i]);
    for (size_t i = 0; i < n_threads; i++)
        for (size_t j = 0; j < bursts[i].n_blocks; j++) {
            size_t tag = *(unsigned char *)bursts[i].blocks[j];
            free_filled(bursts[i].blocks[j], 16, tag);
        }
    return 0;
}
