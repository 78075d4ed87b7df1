/* Proves how alignments that cannot be are refused: posix_memalign returns the error and leaves errno and its
 * result alone, aligned_alloc (of mallow, and of libc since 2.38) and memalign set EINVAL. */
#include <malloc.h>

#include "../scenario.h"

int main(void) {
    const size_t wrong[] = {0, 1, 2, 3, 4, 6, 7, 12, 24, 100, 4095, SIZE_MAX, SIZE_MAX / 2};
    void *sentinel = &sentinel;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        void *out = sentinel;
        errno = 99;
        REQUIRE_SAYING(posix_memalign(&out, opaque_size(wrong[i]), 100) == EINVAL, "alignment %zu", wrong[i]);
        REQUIRE_SAYING(out == sentinel && errno == 99, "alignment %zu", wrong[i]);
    }
    if (is_mallow()) {
        const size_t not_powers[] = {0, 3, 6, 7, 12, 24, 100, 4095, SIZE_MAX, SIZE_MAX / 2};
        for (size_t i = 0; i < COUNT(not_powers); i++) {
            errno = 0;
            REQUIRE_SAYING(aligned_alloc(opaque_size(not_powers[i]), 100) == NULL, "alignment %zu",
                           not_powers[i]);
            REQUIRE_SAYING(errno == EINVAL, "alignment %zu", not_powers[i]);
        }
    }
    errno = 0;
    REQUIRE(memalign(opaque_size(SIZE_MAX / 2 + 2), 100) == NULL && errno == EINVAL);
    /* C17 lets the size be no multiple of the alignment. */
    void *block = aligned_alloc(256, opaque_size(3));
    REQUIRE(block != NULL && (uintptr_t)block % 256 == 0);
    free(block);
    return 0;
}
