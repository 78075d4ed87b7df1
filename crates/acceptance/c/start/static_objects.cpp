/* Proves that static objects may allocate in their constructors, before main, and in their destructors, after
 * it, also when one is born while another dies.
 *
 * @link dynamic static static-pie
 */
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../scenario.h"

struct Registry {
    std::map<int, std::string> names;
    std::vector<std::unique_ptr<std::vector<int>>> lists;

    Registry() {
        for (int i = 0; i < 1000; i++) {
            names[i] = std::string(static_cast<size_t>(i), 'n');
            lists.push_back(std::make_unique<std::vector<int>>(i, i));
        }
    }
    ~Registry();
};

static Registry &born_late() {
    static Registry registry;
    return registry;
}

Registry::~Registry() {
    std::ostringstream text;
    for (auto &[key, name] : names)
        text << key << name;
    REQUIRE(text.str().size() > 400000);
    if (this != &born_late())
        born_late().names[-1] = text.str();
}

static Registry registry;

int main() {
    REQUIRE(registry.names.size() == 1000);
    std::cout << registry.lists.size() << std::endl;
    return 0;
}
