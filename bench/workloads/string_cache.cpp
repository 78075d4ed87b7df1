// A cache of strings that evicts what was used least recently: an index from keys to a list in order of use. Few
// keys are asked for often and many seldom; what is not there is rendered, stored, and pushes others out, so
// blocks of all ages are freed.
//
//     string_cache REQUESTS
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "workload.h"

namespace {

constexpr size_t CAPACITY_BYTES = 32 * MIB, KEYS = 1 << 18;

class Cache {
  public:
    // The value of a key, or nothing.
    const std::string *find(const std::string &key) {
        auto found = index_.find(key);
        if (found == index_.end())
            return nullptr;
        entries_.splice(entries_.begin(), entries_, found->second);
        return &found->second->second;
    }

    const std::string &insert(const std::string &key, std::string value) {
        n_bytes_ += key.size() + value.size();
        entries_.emplace_front(key, std::move(value));
        index_.emplace(key, entries_.begin());
        while (n_bytes_ > CAPACITY_BYTES) {
            auto &oldest = entries_.back();
            n_bytes_ -= oldest.first.size() + oldest.second.size();
            index_.erase(oldest.first);
            entries_.pop_back();
            n_evicted_++;
        }
        return entries_.front().second;
    }

    size_t n_evicted() const { return n_evicted_; }
    size_t n_entries() const { return entries_.size(); }

  private:
    using Entries = std::list<std::pair<std::string, std::string>>;
    Entries entries_;
    std::unordered_map<std::string, Entries::iterator> index_;
    size_t n_bytes_ = 0, n_evicted_ = 0;
};

std::string key_for(size_t number) {
    std::string key = "session/" + std::to_string(number % 97);
    key += "/user/";
    key += std::to_string(number);
    return key;
}

// What a miss renders: a document of fields put together from parts, usually some hundred bytes, sometimes pages.
std::string render(size_t number) {
    struct dice dice = dice_for(number);
    std::string document = "{";
    size_t n_fields = 1 + roll_size(&dice, 0, 5);
    for (size_t i = 0; i < n_fields; i++) {
        std::string field = "\"field" + std::to_string(i) + "\":\"";
        field.append(roll_below(&dice, 60), static_cast<char>('a' + i % 26));
        document += field + "\",";
    }
    document.back() = '}';
    return document;
}

// A key of the first 2^5 to 2^18, each power as likely: half of all requests go to 4 thousand keys.
size_t roll_key(struct dice *dice) { return roll_below(dice, KEYS >> roll_below(dice, 14)); }

} // namespace

int main(int argc, char **argv) {
    size_t n_requests = argument(argc, argv, 1, "requests");
    Cache cache;
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    size_t n_misses = 0;
    for (size_t i = 0; i < n_requests; i++) {
        size_t number = roll_key(&dice);
        std::string key = key_for(number);
        const std::string *value = cache.find(key);
        if (value == nullptr) {
            n_misses++;
            value = &cache.insert(key, render(number));
        }
        sum = sum * 31 + value->size() + static_cast<unsigned char>((*value)[i % value->size()]);
    }
    printf("%zu misses, %zu evicted, %zu kept, sum %016llx\n", n_misses, cache.n_evicted(), cache.n_entries(),
           static_cast<unsigned long long>(sum));
    return 0;
}
