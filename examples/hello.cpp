// Sorts words into containers in four threads and joins the results; build it with `c++ -pthread hello.cpp`,
// or add libmallow.a.
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

using Index = std::map<std::string, std::vector<std::size_t>>;

struct alignas(64) Line {
    std::unique_ptr<Index> index = std::make_unique<Index>();
};

static void fill(Line &line, std::size_t first) {
    for (std::size_t number = first; number < 40000; number += 4)
        (*line.index)["the numbers that leave " + std::to_string(number % 97)].push_back(number);
}

int main() {
    std::vector<Line> lines(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < lines.size(); i++)
        threads.emplace_back([&lines, i] { fill(lines[i], i); });
    for (auto &thread : threads)
        thread.join();

    Index all;
    for (auto &line : lines)
        for (auto &[word, numbers] : *line.index)
            all[word].insert(all[word].end(), numbers.begin(), numbers.end());
    std::size_t n_numbers = 0;
    for (auto &[word, numbers] : all)
        n_numbers += numbers.size();

    try {
        std::vector<char> impossible(std::vector<char>().max_size());
    } catch (const std::bad_alloc &) {
        std::cout << n_numbers << " numbers in " << all.size() << " lists, and no room for everything"
                  << std::endl;
    }
}
