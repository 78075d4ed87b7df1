/* Proves that the figures mean something: what mallinfo2 counts as in use rises by what is allocated and
 * falls when it is freed, mallinfo agrees, malloc_stats writes to stderr alone and malloc_trim says whether
 * it returned anything.
 */
#include <malloc.h>

#include "../scenario.h"

enum { BLOCKS = 20000 };

static size_t in_use(void) {
    struct mallinfo2 info = mallinfo2();
    REQUIRE(info.arena + info.hblkhd >= info.uordblks);
    return info.uordblks + info.hblkhd; /* large blocks are counted apart */
}

static void require_counted(size_t size, size_t n_blocks) {
    static void *blocks[BLOCKS];
    size_t before = in_use();
    for (size_t i = 0; i < n_blocks; i++)
        blocks[i] = opaque(malloc(size));
    size_t when_live = in_use();
    REQUIRE_SAYING(when_live >= before + n_blocks * size, "%zu blocks of %zu: %zu -> %zu", n_blocks, size,
                   before, when_live);
    REQUIRE_SAYING(when_live < before + n_blocks * (size + size / 2 + 64) + MIB,
                   "%zu blocks of %zu: %zu -> %zu", n_blocks, size, before, when_live);
    for (size_t i = 0; i < n_blocks; i++)
        free(blocks[i]);
    size_t after = in_use();
    REQUIRE_SAYING(after < before + n_blocks * size / 10 + 10 * size, "%zu blocks of %zu: %zu -> %zu -> %zu",
                   n_blocks, size, before, when_live, after);
}

/* Lets malloc_stats write into pipes, and returns how much came out of standard output and of standard error.
 */
static void measure_stats(ssize_t *on_stdout, ssize_t *on_stderr) {
    static char text[64 * KIB];
    int out[2], err[2], real_out = dup(STDOUT_FILENO), real_err = dup(STDERR_FILENO);
    REQUIRE(pipe2(out, O_NONBLOCK) == 0 && pipe2(err, O_NONBLOCK) == 0);
    fflush(stdout);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    malloc_stats();
    fflush(stdout);
    fflush(stderr);
    dup2(real_out, STDOUT_FILENO);
    dup2(real_err, STDERR_FILENO);
    *on_stdout = read(out[0], text, sizeof text);
    *on_stderr = read(err[0], text, sizeof text);
}

int main(void) {
    require_counted(100, BLOCKS);
    require_counted(3000, BLOCKS);
    require_counted(30 * KIB, 1000);
    require_counted(300 * KIB, 100);
    require_counted(10 * MIB, 10);

    void *kept = filled(GIB / 4, 1);
    free(filled(MIB, 1));
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
    struct mallinfo2 wide = mallinfo2();
    REQUIRE_SAYING(narrow.uordblks == (int)wide.uordblks && narrow.hblkhd == (int)wide.hblkhd, "%d and %zu",
                   narrow.uordblks, wide.uordblks);
    free(kept);

    ssize_t on_stdout, on_stderr;
    measure_stats(&on_stdout, &on_stderr);
    REQUIRE_SAYING(on_stdout < 0 && on_stderr > 20, "%zd bytes on stdout, %zd on stderr", on_stdout,
                   on_stderr);

    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled(2000, 1);
    void *last = filled(2000, 1);
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    size_t before = resident_bytes();
    int has_returned = malloc_trim(0);
    size_t after = resident_bytes();
    REQUIRE_SAYING(has_returned == 1 && after + 20 * MIB < before, "%d, %zu -> %zu KiB", has_returned,
                   before / KIB, after / KIB);
    free(last);
    return 0;
}
