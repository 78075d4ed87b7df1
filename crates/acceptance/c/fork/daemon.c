/* Proves that a threaded program can become a daemon: two forks, a new session, every file closed; the daemon
 * allocates with new threads and reports through the one pipe that it kept. */
#include <fcntl.h>
#include <sys/stat.h>

#include "../processes.h"
#include "../threads.h"

static void *work(void *blocks) {
    for (size_t i = 0; i < 2000; i++)
        free_filled(filled(i, i), i, i);
    return blocks;
}

static void become_daemon(int report) {
    if (fork() != 0)
        _exit(0);
    REQUIRE(setsid() > 0);
    if (fork() != 0)
        _exit(0);
    umask(0);
    REQUIRE(chdir("/") == 0);
    for (int file = 0; file < 1024; file++)
        if (file != report)
            close(file);
    REQUIRE(open("/dev/null", O_RDWR) == 0 && dup(0) == 1 && dup(0) == 2);
}

int main(void) {
    int ends[2];
    char *kept = (char *)filled(5000, 5);
    REQUIRE(pipe(ends) == 0);
    join(start(work, NULL));
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        become_daemon(ends[1]);
        pthread_t one = start(work, NULL), other = start(work, NULL);
        join(one);
        join(other);
        free_filled(kept, 5000, 5);
        _exit(write(ends[1], "sound", 5) == 5 ? 0 : 1);
    }
    require_exit(child, 0);
    close(ends[1]);
    char report[8] = "";
    REQUIRE(read(ends[0], report, sizeof report) == 5 && memcmp(report, "sound", 5) == 0);
    return 0;
}
