/* Proves that a program which brings its own malloc keeps it: libc's functions and the program's code both
 * use it, and the preloaded allocator, of which only other functions are left, is not in the way. */
#include "../scenario.h"

static _Alignas(16) unsigned char memory[16 << 20];
static size_t n_used;
static volatile size_t n_calls; /* libc declares that its functions do not call back; here they do */

void *malloc(size_t size) {
    size_t *block = (size_t *)(memory + n_used);
    n_used += (size + 31) / 16 * 16;
    n_calls++;
    block[0] = size;
    return n_used <= sizeof memory ? block + 2 : NULL;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    size_t old = block ? ((size_t *)block)[-2] : 0;
    return fresh ? memcpy(fresh, block ? block : fresh, old < size ? old : size) : NULL;
}

int main(void) {
    n_calls = 0;
    char *copy = strdup("copied");
    REQUIRE(n_calls == 1 && strcmp(copy, "copied") == 0);
    copy = (char *)realloc(copy, 100);
    REQUIRE(n_calls == 2 && (unsigned char *)copy > memory && (unsigned char *)copy < memory + sizeof memory);
    free(copy);
    return 0;
}
