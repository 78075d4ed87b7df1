/* Proves that a library in a namespace of its own (dlmopen), where there is another libc and no preloaded
 * allocator, lives beside the program, and that the program may free and resize the blocks that it gets from
 * there.
 *
 * @plugin plugin/blocks.c
 * @only mallow
 */
#include <dlfcn.h>
#include <malloc.h>

#include "../scenario.h"

int main(void) {
    void *plugin = dlmopen(LM_ID_NEWLM, getenv("PLUGIN"), RTLD_NOW);
    REQUIRE_SAYING(plugin != NULL, "%s", dlerror());
    void *(*make)(size_t) = (void *(*)(size_t))dlsym(plugin, "make_block");
    int (*live)(void) = (int (*)(void))dlsym(plugin, "live");
    REQUIRE(live());
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        void *block = make(size);
        REQUIRE(malloc_usable_size(block) >= size);
        block = realloc(block, 3 * size);
        REQUIRE(block != NULL && holds(block, size, 6));
        free(block);
        free(make(size));
    }
    REQUIRE(live());
    free(filled(100, 1));
    return 0;
}
