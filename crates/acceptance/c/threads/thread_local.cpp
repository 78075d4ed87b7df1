/* Proves that C++ objects with thread storage may allocate and free in their destructors
 * (`__cxa_thread_atexit`), also when a destructor brings the next such object to life. */
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../scenario.h"

static int n_destroyed;

struct Late {
    std::vector<std::string> lines;
    ~Late() {
        for (int i = 0; i < 100; i++)
            lines.push_back(std::string(100 + i, 'l'));
        lines.erase(lines.begin(), lines.begin() + 50);
        __atomic_add_fetch(&n_destroyed, 1, __ATOMIC_RELAXED);
    }
};

static thread_local Late late;

struct Early {
    std::map<int, std::unique_ptr<std::string>> words;
    ~Early() {
        for (int i = 0; i < 100; i++)
            words[i * 7 % 100] = std::make_unique<std::string>(size_t(i) * 3, 'e');
        late.lines.push_back(*words[50]);
        __atomic_add_fetch(&n_destroyed, 1, __ATOMIC_RELAXED);
    }
};

static thread_local Early early;

static void work() {
    early.words[1] = std::make_unique<std::string>("first of this thread, too long to be stored in place");
}

int main() {
    enum { ROUNDS = 250, THREADS = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < THREADS; i++)
            threads.emplace_back(work);
        for (auto &thread : threads)
            thread.join();
    }
    REQUIRE_SAYING(n_destroyed == 2 * ROUNDS * THREADS, "%d", n_destroyed);
    return 0;
}
