// Bignum factoring: Pollard's rho on numbers of several words, each number a block of its own. Every operation
// allocates its result, and few results live longer than the next operation, so nearly all blocks are tiny and
// short-lived; the walk since the last gcd is kept for stepping back.
//
//     bignum NUMBERS
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "workload.h"

namespace {

// A natural number; zero has no limbs. The length and the limbs, lowest first, are in one block.
class Number {
  public:
    Number() : block_(nullptr) {}
    explicit Number(uint32_t value) : Number(&value, value != 0) {}
    Number(const uint32_t *limbs, size_t length) : block_(nullptr) {
        while (length > 0 && limbs[length - 1] == 0)
            length--;
        if (length == 0)
            return;
        block_ = static_cast<uint32_t *>(allocate((length + 1) * sizeof *block_));
        block_[0] = static_cast<uint32_t>(length);
        std::copy(limbs, limbs + length, block_ + 1);
    }
    Number(const Number &other) : Number(other.limbs(), other.length()) {}
    Number(Number &&other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Number &operator=(Number other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Number() { free(block_); }

    size_t length() const { return block_ == nullptr ? 0 : block_[0]; }
    const uint32_t *limbs() const { return block_ + 1; }
    uint32_t limb(size_t nth) const { return nth < length() ? block_[1 + nth] : 0; }
    bool is_one() const { return length() == 1 && limb(0) == 1; }

  private:
    uint32_t *block_;
};

// Room for the longest result before it becomes a block.
using Scratch = std::array<uint32_t, 40>;

int compare(const Number &a, const Number &b) {
    if (a.length() != b.length())
        return a.length() < b.length() ? -1 : 1;
    for (size_t i = a.length(); i-- > 0;)
        if (a.limb(i) != b.limb(i))
            return a.limb(i) < b.limb(i) ? -1 : 1;
    return 0;
}

Number operator+(const Number &a, const Number &b) {
    Scratch sum;
    size_t length = std::max(a.length(), b.length());
    uint64_t carry = 0;
    for (size_t i = 0; i < length; i++) {
        carry += uint64_t{a.limb(i)} + b.limb(i);
        sum[i] = static_cast<uint32_t>(carry);
        carry >>= 32;
    }
    sum[length] = static_cast<uint32_t>(carry);
    return Number(sum.data(), length + 1);
}

// The difference of `a` and a `b` that is not larger.
Number operator-(const Number &a, const Number &b) {
    Scratch difference;
    uint64_t borrow = 0;
    for (size_t i = 0; i < a.length(); i++) {
        uint64_t part = uint64_t{a.limb(i)} - b.limb(i) - borrow;
        difference[i] = static_cast<uint32_t>(part);
        borrow = part >> 63;
    }
    return Number(difference.data(), a.length());
}

Number operator*(const Number &a, const Number &b) {
    Scratch product;
    std::fill_n(product.begin(), a.length() + b.length(), 0);
    for (size_t i = 0; i < a.length(); i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b.length(); j++) {
            carry += uint64_t{a.limbs()[i]} * b.limbs()[j] + product[i + j];
            product[i + j] = static_cast<uint32_t>(carry);
            carry >>= 32;
        }
        product[i + b.length()] = static_cast<uint32_t>(carry);
    }
    return Number(product.data(), a.length() + b.length());
}

Number shifted(const Number &a, unsigned bits) {
    Scratch result;
    uint64_t carry = 0;
    for (size_t i = 0; i < a.length(); i++) {
        carry |= uint64_t{a.limb(i)} << bits;
        result[i] = static_cast<uint32_t>(carry);
        carry >>= 32;
    }
    result[a.length()] = static_cast<uint32_t>(carry);
    return Number(result.data(), a.length() + 1);
}

struct Division {
    Number quotient, remainder;
};

// Division by one limb.
Division divide_by_limb(const Number &a, uint32_t divisor) {
    Scratch quotient;
    uint64_t rest = 0;
    for (size_t i = a.length(); i-- > 0;) {
        rest = rest << 32 | a.limb(i);
        quotient[i] = static_cast<uint32_t>(rest / divisor);
        rest %= divisor;
    }
    return {Number(quotient.data(), a.length()), Number(static_cast<uint32_t>(rest))};
}

// Schoolbook division: each limb of the quotient is guessed from the top two limbs of the divisor, and the guess
// is at most one too large.
Division divide(const Number &a, const Number &b) {
    if (compare(a, b) < 0)
        return {Number(), a};
    if (b.length() == 1)
        return divide_by_limb(a, b.limb(0));
    unsigned bits = static_cast<unsigned>(__builtin_clz(b.limb(b.length() - 1)));
    Number divisor = shifted(b, bits), dividend = shifted(a, bits);
    size_t length = divisor.length(), n_steps = a.length() - b.length() + 1;
    uint64_t first = divisor.limb(length - 1), second = divisor.limb(length - 2);
    Scratch rest, quotient;
    for (size_t i = 0; i < length + n_steps; i++)
        rest[i] = dividend.limb(i);
    for (size_t step = n_steps; step-- > 0;) {
        uint32_t *window = &rest[step];
        uint64_t top = uint64_t{window[length]} << 32 | window[length - 1];
        uint64_t guess = top / first, left = top % first;
        while (left >> 32 == 0 && (guess >> 32 != 0 || guess * second > (left << 32 | window[length - 2]))) {
            guess--;
            left += first;
        }
        uint64_t carry = 0, borrow = 0;
        for (size_t i = 0; i <= length; i++) {
            carry += guess * divisor.limb(i);
            uint64_t part = uint64_t{window[i]} - static_cast<uint32_t>(carry) - borrow;
            window[i] = static_cast<uint32_t>(part);
            borrow = part >> 63;
            carry >>= 32;
        }
        if (borrow != 0) {
            guess--;
            carry = 0;
            for (size_t i = 0; i <= length; i++) {
                carry += uint64_t{window[i]} + divisor.limb(i);
                window[i] = static_cast<uint32_t>(carry);
                carry >>= 32;
            }
        }
        quotient[step] = static_cast<uint32_t>(guess);
    }
    for (size_t i = 0; i < length; i++)
        rest[i] = rest[i] >> bits | static_cast<uint32_t>(uint64_t{rest[i + 1]} << (32 - bits));
    return {Number(quotient.data(), n_steps), Number(rest.data(), length)};
}

Number operator%(const Number &a, const Number &b) { return divide(a, b).remainder; }

Number greatest_common_divisor(Number a, Number b) {
    while (b.length() != 0)
        a = std::exchange(b, a % b);
    return a;
}

Number distance(const Number &a, const Number &b) { return compare(a, b) < 0 ? b - a : a - b; }

std::string decimal(Number number) {
    std::string digits;
    while (number.length() != 0) {
        Division division = divide_by_limb(number, 10);
        digits.push_back(static_cast<char>('0' + division.remainder.limb(0)));
        number = std::move(division.quotient);
    }
    std::reverse(digits.begin(), digits.end());
    return digits;
}

Number parsed(const std::string &digits) {
    Number number;
    for (char digit : digits)
        number = number * Number(10) + Number(static_cast<uint32_t>(digit - '0'));
    return number;
}

// A proper factor of a composite number, by the walk x -> x^2 + 1 and a gcd every WALK steps.
Number factor_of(const Number &n) {
    constexpr size_t WALK = 64;
    const Number one(1);
    Number fixed, x(2);
    for (size_t leg = 1;; leg *= 2) {
        fixed = x;
        for (size_t done = 0; done < leg;) {
            std::vector<Number> walk;
            Number product = one;
            for (; walk.size() < WALK && done < leg; done++) {
                x = (x * x + one) % n;
                product = product * distance(x, fixed) % n;
                walk.push_back(x);
            }
            Number factor = greatest_common_divisor(product, n);
            if (factor.is_one())
                continue;
            for (const Number &step : walk) {
                factor = greatest_common_divisor(distance(step, fixed), n);
                if (!factor.is_one())
                    return factor;
            }
        }
    }
}

// Products of a prime that the walk finds within seconds and one that it does not.
const char *const COMPOSITES[] = {
    "44250669994214740041205931316963669887",
    "10808323447155592377191057459872747921242497",
    "3249060841234091867408998265298958202565851796337",
    "139929538726991725381869073708272502867982854146424619",
    "26199782181958061319629319370241432340507254374262074164841",
    "5582359908564594978921448193918105212179256828938609517536119437",
    "260595507173960709596732301438541576112314589798079991881184770730687",
    "65807379257192567578269209220670071916562288543144070845696176648265274857",
    "17968913849462462039493007293990971825444176613378253118586352850650323784359201",
    "620799676714543075708471000176565079979763330602904471482781146318950786537968891051",
};

} // namespace

int main(int argc, char **argv) {
    size_t n_numbers = argument(argc, argv, 1, "numbers");
    if (n_numbers > COUNT(COMPOSITES))
        fail("there are %zu numbers", COUNT(COMPOSITES));
    for (size_t i = 0; i < n_numbers; i++) {
        Number n = parsed(COMPOSITES[i]);
        Number factor = factor_of(n);
        Division rest = divide(n, factor);
        if (rest.remainder.length() != 0 || compare(factor * rest.quotient, n) != 0)
            fail("%s is no factor of %s", decimal(factor).c_str(), COMPOSITES[i]);
        printf("%s = %s * %s\n", COMPOSITES[i], decimal(factor).c_str(), decimal(rest.quotient).c_str());
    }
    return 0;
}
