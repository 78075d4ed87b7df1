/* Proves that the allocator needs no open file: a program that closes all of them before it allocates gets
 * the lowest numbers for its own files afterwards, as it may expect. */
#include "../threads.h"

static void *work(void *unused) {
    for (size_t size = 1; size < 64 * MIB; size *= 2)
        free_filled(filled(size, 1), size, 1);
    return unused;
}

int main(void) {
    for (int file = 0; file < 1024; file++)
        close(file);
    work(NULL);
    join(start(work, NULL));
    for (int expected = 0; expected < 10; expected++)
        REQUIRE(open("/dev/null", O_RDWR) == expected);
    return 0;
}
