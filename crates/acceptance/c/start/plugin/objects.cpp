// A C++ library that allocates in static constructors, frees in static destructors, and throws in between.
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

static std::map<std::string, std::vector<int>> table = {{"a key that does not fit in place", {1, 2, 3}}};
static thread_local std::vector<std::string> lines(10, std::string(100, 'x'));

extern "C" void *work() {
    try {
        table[lines.back()].resize(100);
        table.at("no such key, and a long one at that");
    } catch (const std::out_of_range &) {
        return new int[10];
    }
    return nullptr;
}
