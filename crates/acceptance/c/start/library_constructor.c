/* Proves that a library the program loads at start may allocate in its first constructor and free in its last
 * destructor, and that its block can be resized by the program.
 *
 * @plugin plugin/early.c
 */
#include <dlfcn.h>

#include "../scenario.h"

int main(int argc, char **argv) {
    const char *plugin = getenv("PLUGIN");
    if (argc == 1) {
        /* The library is to be loaded at start, as if this program had been linked with it. */
        const char *others = getenv("LD_PRELOAD");
        char list[8192];
        snprintf(list, sizeof list, "%s%s%s", plugin, others ? ":" : "", others ? others : "");
        setenv("LD_PRELOAD", list, 1);
        execv(argv[0], (char *[]){argv[0], (char *)"loaded", NULL});
    }
    void **block = (void **)dlsym(RTLD_DEFAULT, "block_of_constructor");
    REQUIRE_SAYING(block != NULL, "%s was not loaded", plugin);
    REQUIRE(holds(*block, 1234, 7));
    *block = realloc(*block, 12340);
    REQUIRE(*block != NULL && holds(*block, 1234, 7));
    return 0;
}
