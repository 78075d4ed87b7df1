/* Proves that a C++ library can be loaded and unloaded 10,000 times, with static objects, thread storage and
 * exceptions, and that the process does not grow by more than 1 MiB after the first 1,000.
 *
 * @plugin plugin/objects.cpp
 * @limit 120
 */
#include <dlfcn.h>

#include "../threads.h"

enum { WARM_UP = 1000, ROUNDS = 10000 };

static void *use_in_thread(void *work) { return ((void *(*)(void))work)(); }

static void load_and_unload(const char *plugin, int has_thread) {
    void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    REQUIRE_SAYING(library != NULL, "%s", dlerror());
    void *(*work)(void) = (void *(*)(void))dlsym(library, "work");
    REQUIRE(work != NULL);
    free(work());
    if (has_thread)
        free(join(start(use_in_thread, (void *)work)));
    REQUIRE(dlclose(library) == 0);
}

int main(void) {
    const char *plugin = getenv("PLUGIN");
    for (size_t i = 0; i < WARM_UP; i++)
        load_and_unload(plugin, i % 10 == 0);
    size_t before = resident_bytes();
    for (size_t i = WARM_UP; i < ROUNDS; i++)
        load_and_unload(plugin, i % 10 == 0);
    size_t after = resident_bytes();
    REQUIRE_SAYING(after < before + MIB, "%zu KiB after, %zu KiB before", after / KIB, before / KIB);
    return 0;
}
