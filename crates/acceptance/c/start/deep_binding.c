/* Proves that blocks of libc's own malloc are recognised: a plug-in loaded with RTLD_DEEPBIND gets them and
 * hands them to the program, which frees them, resizes them and asks for their size, as it does with the
 * results of libc's functions.
 *
 * @plugin plugin/blocks.c
 */
#include <dlfcn.h>
#include <malloc.h>

#include "../scenario.h"

typedef void *make_block(size_t);

static void use_block(make_block *make, size_t size) {
    void *block = make(size);
    REQUIRE(block != NULL && holds(block, size, 6));
    REQUIRE_SAYING(malloc_usable_size(block) >= size, "%zu of %zu", malloc_usable_size(block), size);
    free(block);
    block = realloc(make(size), 2 * size);
    REQUIRE(block != NULL && holds(block, size, 6));
    fill(block, 2 * size, 7);
    block = realloc(block, size / 2 + 1);
    REQUIRE(block != NULL && holds(block, size / 2 + 1, 7));
    free_filled(block, size / 2 + 1, 7);
    REQUIRE(realloc(make(size), 0) == NULL);
    block = reallocarray(make(size), size, 3);
    REQUIRE(block != NULL && holds(block, size, 6));
    free(block);
}

int main(void) {
    void *plugin = dlopen(getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    REQUIRE_SAYING(plugin != NULL, "%s", dlerror());
    make_block *make = (make_block *)dlsym(plugin, "make_block");
    make_block *make_aligned = (make_block *)dlsym(plugin, "make_aligned_block");
    for (size_t size = 1; size < 4 * MIB; size = size * 3 + 1) {
        use_block(make, size);
        use_block(make_aligned, size);
    }
    /* Blocks that libc made for another thread lie in an arena of their own. */
    void *(*in_thread)(size_t) = (make_block *)dlsym(plugin, "make_block_in_thread");
    for (size_t size = 1; size < 4 * MIB; size = size * 7 + 1)
        use_block(in_thread, size);

    char *(*results[])(void) = {
        (char *(*)(void))dlsym(plugin, "from_strdup"), (char *(*)(void))dlsym(plugin, "from_asprintf"),
        (char *(*)(void))dlsym(plugin, "from_realpath"), (char *(*)(void))dlsym(plugin, "from_getline"),
        (char *(*)(void))dlsym(plugin, "from_memstream")};
    for (size_t i = 0; i < COUNT(results); i++) {
        char *text = results[i]();
        REQUIRE_SAYING(text != NULL && strcmp(text, "/") == 0, "the %zuth is %s", i, text);
        REQUIRE(malloc_usable_size(text) >= 2);
        text = (char *)realloc(text, 1000);
        REQUIRE(text != NULL && strcmp(text, "/") == 0);
        free(text);
        free(results[i]());
    }
    return 0;
}
