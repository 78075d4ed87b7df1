/* Proves that free leaves errno alone on every path: small, medium and large blocks, aligned ones, blocks of
 * other threads, of threads that ended and of another allocator, and when it gives memory back to the kernel.
 *
 * @plugin ../start/plugin/blocks.c
 */
#include <dlfcn.h>
#include <malloc.h>

#include "../threads.h"

enum { ROUNDS = 40, BLOCKS = 500, MARK = 12345 };

static void free_and_require(void *block) {
    errno = MARK;
    free(block);
    REQUIRE_SAYING(errno == MARK, "after free(%p)", block);
}

static void *free_all(void *argument) {
    void **blocks = (void **)argument;
    for (size_t i = 0; i < BLOCKS; i++)
        free_and_require(blocks[i]);
    return NULL;
}

static void *allocate_all(void *argument) {
    void **blocks = (void **)argument;
    struct dice dice = dice_for(1);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = roll_size(&dice, 1, i % 10 ? 64 * KIB : 16 * MIB);
        blocks[i] = i % 3 ? malloc(size) : memalign((size_t)16 << i % 16, size);
        REQUIRE(blocks[i] != NULL);
        *(char *)blocks[i] = 1;
    }
    return NULL;
}

int main(void) {
    static void *blocks[BLOCKS];
    scenario_seed();
    free_and_require(NULL);
    for (size_t round = 0; round < ROUNDS; round++) {
        allocate_all(blocks);
        free_all(blocks);
        allocate_all(blocks);
        join(start(free_all, blocks));
        join(start(allocate_all, blocks));
        free_all(blocks);
    }
    void *plugin = dlopen(getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    REQUIRE_SAYING(plugin != NULL, "%s", dlerror());
    void *(*make)(size_t) = (void *(*)(size_t))dlsym(plugin, "make_block");
    for (size_t size = 1; size < 64 * MIB; size *= 3)
        free_and_require(make(size));
    return 0;
}
