/* Loaded behind the library under test: writes down, for each program that starts, whose malloc it got.
 *
 * One line each in the file that WITNESS names: the name of the program, a tab, the file that defines malloc.
 * It asks for posix_memalign, which comes from the same place: an executable that takes the address of malloc
 * can look like its owner, and none takes that of posix_memalign.
 * Without this, a program that ignores LD_PRELOAD would give the same output twice and prove nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void testify(void)
{
    int before = errno;
    const char *path = getenv("WITNESS");
    Dl_info owner;
    if (path && dladdr(dlsym(RTLD_DEFAULT, "posix_memalign"), &owner)) {
        char line[4608];
        int length = snprintf(line, sizeof line, "%s\t%s\n", program_invocation_short_name, owner.dli_fname);
        int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (file >= 0) {
            if (write(file, line, (size_t)length) != length)
                abort();
            close(file);
        }
    }
    errno = before;
}
