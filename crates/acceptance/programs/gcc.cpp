// A program that is harder on the compiler than on the machine: deep templates, containers, regular expressions.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

template <int N>
struct Sum {
    static constexpr long value = N + Sum<N - 1>::value;
};
template <>
struct Sum<0> {
    static constexpr long value = 0;
};

template <std::size_t... I>
constexpr auto squares(std::index_sequence<I...>)
{
    return std::make_tuple(static_cast<long>(I * I)...);
}

template <int N>
struct Layer : Layer<N - 1> {
    std::map<std::string, std::vector<std::variant<int, double, std::string>>> cells;
    void fill(int seed)
    {
        cells[std::to_string(seed * N)].push_back(seed);
        cells[std::to_string(seed % N)].emplace_back(std::to_string(seed) + "!");
        Layer<N - 1>::fill(seed + 1);
    }
    std::size_t size() const { return cells.size() + Layer<N - 1>::size(); }
};
template <>
struct Layer<0> {
    void fill(int) {}
    std::size_t size() const { return 0; }
};

int main()
{
    auto all = squares(std::make_index_sequence<60>());
    long total = std::apply([](auto... each) { return (each + ...); }, all);
    Layer<20> layers;
    for (int i = 1; i < 200; i++)
        layers.fill(i);
    std::unordered_map<std::string, std::function<int(int)>> table;
    for (int i = 0; i < 1000; i++)
        table["f" + std::to_string(i)] = [i, text = std::string(50, 'x')](int x) { return x + i + int(text.size()); };
    int called = 0;
    for (auto &[name, function] : table)
        called += function(1);
    std::string text = "12-34 and 567-890 and 1-2";
    std::regex pattern("([0-9]+)-([0-9]+)");
    std::ostringstream found;
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
        found << match->str(2) << '/' << match->str(1) << ' ';
    std::cout << Sum<800>::value << ' ' << total << ' ' << layers.size() << ' ' << called << ' ' << found.str() << '\n';
}
