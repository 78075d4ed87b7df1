// What a peer must serve in C++: every form of new and delete, containers, exceptions, threads.
//
// Not asked: what becomes of a request that is too large. mimalloc, compiled as C, aborts there.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            std::fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
            std::exit(1); \
        } \
    } while (0)

namespace {

struct alignas(128) Wide {
    char bytes[128];
};

void use_each_form() {
    std::unique_ptr<Wide> wide(new Wide);
    std::unique_ptr<Wide[]> many(new Wide[5]);
    REQUIRE(reinterpret_cast<std::uintptr_t>(wide.get()) % 128 == 0);
    REQUIRE(reinterpret_cast<std::uintptr_t>(many.get()) % 128 == 0);
    delete new (std::nothrow) int(3);
    delete[] new (std::nothrow) char[1000];
    ::operator delete(::operator new(48), std::size_t{48});
    ::operator delete(::operator new(48, std::align_val_t{64}), std::size_t{48}, std::align_val_t{64});
}

// Builds and drops what programs are made of; the sum does not depend on the allocator.
std::uint64_t build(int seed) {
    std::map<std::string, std::vector<std::string>> index;
    std::list<std::shared_ptr<std::string>> recent;
    for (int i = 0; i < 20000; i++) {
        int number = (i * 7919 + seed) % 1009;
        std::string word = "a word that is too long to be stored in place, number " + std::to_string(number);
        index[word].push_back(std::to_string(i));
        recent.push_back(std::make_shared<std::string>(word));
        if (recent.size() > 100) {
            recent.pop_front();
        }
    }
    std::uint64_t sum = recent.size();
    try {
        index.at("a word that is not there");
    } catch (const std::out_of_range &) {
        sum++;
    }
    for (const auto &[word, places] : index) {
        sum = sum * 31 + word.size() + places.size();
    }
    return sum;
}

} // namespace

int main() {
    use_each_form();
    const std::uint64_t alone = build(1);
    std::vector<std::thread> threads;
    std::vector<std::uint64_t> sums(4);
    for (std::size_t i = 0; i < sums.size(); i++) {
        threads.emplace_back([&sums, i] { sums[i] = build(1); });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    for (std::uint64_t sum : sums) {
        REQUIRE(sum == alone);
    }
    std::puts("objects: done");
    return 0;
}
