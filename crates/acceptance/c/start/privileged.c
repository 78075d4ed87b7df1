/* Proves that a program which runs with more rights than its caller listens to none of the caller's
 * variables: neither MALLOW nor libc's MALLOC_PERTURB_ has an effect, and nothing is said about them. (A
 * set-uid program ignores LD_PRELOAD, so this is about programs that are linked with the archive.)
 *
 * @link static static-pie
 */
#include <sys/auxv.h>
#include <sys/stat.h>

#include "../processes.h"

enum { NOBODY = 65534 };

/* Copies this program to a new file that belongs to somebody else and runs with his rights. */
static void make_privileged_copy(const char *path) {
    char buffer[64 * KIB];
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
    REQUIRE(from >= 0 && to >= 0);
    for (ssize_t length; (length = read(from, buffer, sizeof buffer)) > 0;)
        REQUIRE(write(to, buffer, (size_t)length) == length);
    REQUIRE(fchown(to, NOBODY, NOBODY) == 0 && fchmod(to, 04755) == 0);
    close(from);
    close(to);
}

static int privileged_life(void) {
    if (!getauxval(AT_SECURE))
        scenario_skip("this file system does not honour the set-uid bit");
    unsigned char *block = (unsigned char *)malloc(100);
    REQUIRE_SAYING(block != NULL && block[50] != (unsigned char)~165, "MALLOC_PERTURB_ was obeyed");
    free(block);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return privileged_life();
    if (geteuid() != 0)
        scenario_skip("only root can make a set-uid file of another user");
    char path[4096], said[4096] = "";
    int ends[2], status;
    snprintf(path, sizeof path, "%s.privileged.%d", argv[0], getpid());
    make_privileged_copy(path);
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        execle(path, path, "privileged", (char *)NULL,
               (char *[]){(char *)"MALLOW=nonsense=1", (char *)"MALLOC_PERTURB_=165", NULL});
        _exit(3);
    }
    close(ends[1]);
    REQUIRE(waitpid(child, &status, 0) == child);
    ssize_t length = read(ends[0], said, sizeof said - 1);
    unlink(path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        scenario_skip(said);
    REQUIRE_SAYING(status == 0 && length == 0, "wait status %#x, stderr: %s", (unsigned)status, said);
    return 0;
}
