/* Proves that a process may call exit() while its threads allocate: handlers and static destructors run,
 * nothing hangs and the status is the one that was asked for. */
#include <string>
#include <sys/wait.h>
#include <vector>

#include "../threads.h"

static std::vector<std::string> words;

static void *allocate_for_ever(void *number) {
    struct dice dice = dice_for(reinterpret_cast<uintptr_t>(number));
    void *kept[16] = {};
    for (;;) {
        void *&slot = kept[roll_below(&dice, 16)];
        free(slot);
        slot = opaque(malloc(roll_size(&dice, 1, 64 * KIB)));
    }
}

static void at_exit() { free(filled(1000, 1)); }

int main() {
    enum { CHILDREN = 60, STATUS = 42 };
    scenario_seed();
    for (int child = 0; child < CHILDREN; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            atexit(at_exit);
            for (uintptr_t i = 0; i < 4; i++)
                start(allocate_for_ever, reinterpret_cast<void *>(i));
            words.assign(1000, std::string(100, 'w'));
            sleep_us(child * 100);
            exit(STATUS);
        }
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE_SAYING(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "status %#x", status);
    }
    return 0;
}
