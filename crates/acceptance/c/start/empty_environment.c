/* Proves that a program starts without any environment and without arguments, where there is nothing to read
 * options from.
 *
 * @link static static-pie
 */
#include "../processes.h"

extern char **environ;

int main(int argc, char **argv) {
    if (environ == NULL || environ[0] == NULL) {
        free(filled(1000, 1));
        return 3;
    }
    REQUIRE(argc == 1);
    char *const nothing[] = {NULL};
    for (int has_arguments = 0; has_arguments < 2; has_arguments++) {
        pid_t child = fork();
        if (child == 0)
            execve("/proc/self/exe", has_arguments ? argv : nothing, nothing);
        require_exit(child, 3);
    }
    return 0;
}
