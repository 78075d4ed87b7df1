#!/bin/sh
# Prepares the C++ compilers: heavy.cpp, many instances of the containers and algorithms of the standard library
# and of templates of its own, and what each installed compiler makes of it.
set -eu
cd "$1"
export LC_ALL=C.UTF-8

awk 'BEGIN {
    headers = "algorithm functional map memory numeric optional set string tuple unordered_map variant vector"
    count = split(headers, header, " ")
    for (i = 1; i <= count; i++) print "#include <" header[i] ">"
    print "template <int N> struct chain { chain<N - 1> rest; long value = N;"
    print "    long sum() const { return value + rest.sum(); } };"
    print "template <> struct chain<0> { long sum() const { return 0; } };"
    print "template <class... T> long total(T const &...each) { return (0L + ... + static_cast<long>(each)); }"
    for (i = 0; i < 2; i++) {
        print "namespace part" i " {"
        print "struct key { int a[" i + 1 "]; std::string name;"
        print "    bool operator<(key const &o) const { return name < o.name; } };"
        print "using value = std::variant<int, std::string, std::vector<key>,"
        print "    std::tuple<key, long, chain<" i + 20 ">>>;"
        print "struct table {"
        print "    std::map<key, value> sorted; std::set<key> keys;"
        print "    std::unordered_map<std::string, std::unique_ptr<value>> hashed;"
        print "    long weigh() const { long sum = 0;"
        print "        for (auto const &[k, v] : sorted) sum += std::visit([&](auto const &x) -> long {"
        print "        using X = std::decay_t<decltype(x)>;"
        print "        if constexpr (std::is_same_v<X, int>) return x + " i ";"
        print "        else if constexpr (std::is_same_v<X, std::string>) return x.size();"
        print "        else if constexpr (std::is_same_v<X, std::vector<key>>) return x.capacity();"
        print "        else return std::get<1>(x) + std::get<2>(x).sum(); }, v); return sum; }"
        print "};"
        for (j = 0; j < 4; j++) {
            print "long run" j "(table &t, std::vector<key> v, std::function<bool(key const &)> f) {"
            print "    std::sort(v.begin(), v.end(), [](key const &x, key const &y) {"
            print "        return x.a[0] % " j + 2 " < y.a[0] % " j + 2 "; });"
            print "    v.erase(std::remove_if(v.begin(), v.end(), std::not_fn(f)), v.end());"
            print "    for (auto &k : v) { t.sorted.emplace(k, value(k.a[0])); t.keys.insert(k);"
            print "        auto &slot = t.hashed[k.name + \"" j "\"];"
            print "        slot = std::make_unique<value>(std::vector<key>(" j + 1 ", k)); }"
            print "    std::optional<long> best;"
            print "    for (auto const &k : t.keys) if (!best || *best < k.a[0]) best = k.a[0];"
            print "    return total(best.value_or(" j "), t.weigh(), v.size(), chain<" 40 * i + j + 30 ">().sum(),"
            print "        std::accumulate(v.begin(), v.end(), 0L,"
            print "            [](long s, key const &k) { return s + k.a[0] * " j + 3 "; })); }"
        }
        print "}"
    }
}' >heavy.cpp
for compiler in g++ clang++; do
    if command -v "$compiler" >/dev/null; then
        "$compiler" -std=c++17 -O1 -S -o - heavy.cpp >"$compiler.expected"
    fi
done
