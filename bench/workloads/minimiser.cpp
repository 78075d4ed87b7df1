// A two-level logic minimiser: a function is a list of cubes; the minimiser finds the complement, expands each
// cube against it, drops what the others cover, reduces what is left, and repeats as long as that helps. All of it
// makes and drops lists of small arrays, most of them within one step of a deep recursion.
//
//     minimiser FUNCTIONS
#include <algorithm>
#include <list>
#include <utility>
#include <vector>

#include "workload.h"

namespace {

constexpr unsigned VARIABLES = 24, WORD_VARIABLES = 16, WORDS = (VARIABLES + WORD_VARIABLES - 1) / WORD_VARIABLES;

// Two bits for each variable: may it be 0, may it be 1. Both: it is free. Neither: the cube is empty.
using Cube = std::vector<uint32_t>;
using Cover = std::list<Cube>;

unsigned literal(const Cube &cube, unsigned variable) {
    return cube[variable / WORD_VARIABLES] >> 2 * (variable % WORD_VARIABLES) & 3;
}

void set_literal(Cube &cube, unsigned variable, unsigned bits) {
    uint32_t &word = cube[variable / WORD_VARIABLES];
    unsigned shift = 2 * (variable % WORD_VARIABLES);
    word = (word & ~(3u << shift)) | bits << shift;
}

// The cube of all points.
const Cube &universe() {
    static const Cube all = [] {
        Cube cube(WORDS, ~0u);
        if (VARIABLES % WORD_VARIABLES != 0)
            cube.back() = (1u << 2 * (VARIABLES % WORD_VARIABLES)) - 1;
        return cube;
    }();
    return all;
}

// Whether two cubes have no point in common.
bool are_disjoint(const Cube &a, const Cube &b) {
    const Cube &all = universe();
    uint32_t empty = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        uint32_t both = a[i] & b[i];
        empty |= ~(both | both >> 1) & all[i] & 0x55555555;
    }
    return empty != 0;
}

bool covers(const Cube &a, const Cube &b) {
    for (unsigned i = 0; i < WORDS; i++)
        if ((b[i] & ~a[i]) != 0)
            return false;
    return true;
}

unsigned n_literals(const Cube &cube) {
    unsigned n = 0;
    for (unsigned i = 0; i < VARIABLES; i++)
        n += literal(cube, i) != 3;
    return n;
}

// What is left of a cover within a cube, as a function of the variables that the cube leaves free.
Cover cofactor(const Cover &cover, const Cube &within) {
    Cover result;
    const Cube &all = universe();
    for (const Cube &cube : cover) {
        if (are_disjoint(cube, within))
            continue;
        Cube part = cube;
        for (unsigned i = 0; i < WORDS; i++)
            part[i] |= all[i] & ~within[i];
        result.push_back(std::move(part));
    }
    return result;
}

// The variable that most cubes decide on in both ways, or, if no variable is decided in both, VARIABLES.
unsigned splitting_variable(const Cover &cover) {
    std::vector<unsigned> zeros(VARIABLES), ones(VARIABLES);
    for (const Cube &cube : cover)
        for (unsigned i = 0; i < VARIABLES; i++) {
            zeros[i] += literal(cube, i) == 1;
            ones[i] += literal(cube, i) == 2;
        }
    unsigned best = VARIABLES, n_best = 0;
    for (unsigned i = 0; i < VARIABLES; i++)
        if (std::min(zeros[i], ones[i]) > 0 && zeros[i] + ones[i] > n_best) {
            best = i;
            n_best = zeros[i] + ones[i];
        }
    return best;
}

Cube half(unsigned variable, unsigned bits) {
    Cube cube = universe();
    set_literal(cube, variable, bits);
    return cube;
}

// Whether a cover covers every point.
bool is_tautology(const Cover &cover) {
    const Cube &all = universe();
    for (const Cube &cube : cover)
        if (cube == all)
            return true;
    unsigned variable = splitting_variable(cover);
    // If no variable is decided in both ways, the point opposite to all decisions is in no cube.
    if (variable == VARIABLES)
        return false;
    return is_tautology(cofactor(cover, half(variable, 1))) && is_tautology(cofactor(cover, half(variable, 2)));
}

// Removes cubes that a single other cube covers.
void absorb(Cover &cover) {
    for (auto cube = cover.begin(); cube != cover.end();) {
        auto covers_it = [&](const Cube &other) { return &other != &*cube && covers(other, *cube); };
        cube = std::any_of(cover.begin(), cover.end(), covers_it) ? cover.erase(cube) : std::next(cube);
    }
}

// The complement of one cube: a cube for each of its literals.
Cover complement_of_cube(const Cube &cube) {
    Cover result;
    for (unsigned i = 0; i < VARIABLES; i++)
        if (literal(cube, i) != 3)
            result.push_back(half(i, 3 & ~literal(cube, i)));
    return result;
}

Cover complement(const Cover &cover) {
    if (cover.empty())
        return {universe()};
    if (cover.size() == 1)
        return complement_of_cube(cover.front());
    const Cube &all = universe();
    if (std::find(cover.begin(), cover.end(), all) != cover.end())
        return {};
    unsigned variable = splitting_variable(cover);
    if (variable == VARIABLES)
        for (variable = 0; literal(cover.front(), variable) == 3;)
            variable++;
    Cover result;
    for (unsigned bits = 1; bits <= 2; bits++) {
        Cover part = complement(cofactor(cover, half(variable, bits)));
        for (Cube &cube : part)
            set_literal(cube, variable, literal(cube, variable) & bits);
        result.splice(result.end(), part);
    }
    // A cube that is the same in both halves does not depend on the variable.
    Cover merged;
    for (auto cube = result.begin(); cube != result.end();) {
        Cube twin = *cube;
        set_literal(twin, variable, 3 & ~literal(twin, variable));
        auto other = std::find(std::next(cube), result.end(), twin);
        if (other == result.end() || literal(*cube, variable) == 3) {
            ++cube;
            continue;
        }
        set_literal(twin, variable, 3);
        merged.push_back(std::move(twin));
        result.erase(other);
        cube = result.erase(cube);
    }
    result.splice(result.end(), merged);
    return result;
}

// Makes each cube as large as the complement allows, the least constrained variables first.
void expand(Cover &cover, const Cover &off) {
    for (Cube &cube : cover) {
        std::vector<std::pair<unsigned, unsigned>> order;
        for (unsigned i = 0; i < VARIABLES; i++)
            if (literal(cube, i) != 3) {
                unsigned n_against = 0;
                for (const Cube &other : off)
                    n_against += (literal(other, i) & literal(cube, i)) == 0;
                order.emplace_back(n_against, i);
            }
        std::sort(order.begin(), order.end());
        for (const auto &entry : order) {
            Cube larger = cube;
            set_literal(larger, entry.second, 3);
            auto is_apart = [&](const Cube &other) { return are_disjoint(larger, other); };
            if (std::all_of(off.begin(), off.end(), is_apart))
                cube = std::move(larger);
        }
    }
    absorb(cover);
}

// Drops the cubes that the others cover together.
void make_irredundant(Cover &cover) {
    for (auto cube = cover.begin(); cube != cover.end();) {
        Cover alone;
        alone.splice(alone.end(), cover, cube++);
        if (!is_tautology(cofactor(cover, alone.front())))
            cover.splice(cube, alone);
    }
}

// Shrinks each cube to what only it covers, so that the next expansion may take another direction.
void reduce(Cover &cover) {
    for (auto cube = cover.begin(); cube != cover.end();) {
        Cover alone;
        alone.splice(alone.end(), cover, cube++);
        Cube needed(WORDS, 0);
        for (const Cube &hole : complement(cofactor(cover, alone.front())))
            for (unsigned i = 0; i < WORDS; i++)
                needed[i] |= hole[i];
        for (unsigned i = 0; i < WORDS; i++)
            alone.front()[i] &= needed[i];
        cover.splice(cube, alone);
    }
}

size_t cost(const Cover &cover) {
    size_t cost = 100 * cover.size();
    for (const Cube &cube : cover)
        cost += n_literals(cube);
    return cost;
}

Cover minimised(Cover cover) {
    const Cover off = complement(cover);
    expand(cover, off);
    make_irredundant(cover);
    Cover best = cover;
    for (;;) {
        reduce(cover);
        expand(cover, off);
        make_irredundant(cover);
        if (cost(cover) >= cost(best))
            return best;
        best = cover;
    }
}

// One side of a variable: that it is 0, or that it is 1.
unsigned roll_bits(struct dice *dice) { return 1 + static_cast<unsigned>(roll_below(dice, 2)); }

// Cubes of five literals among neighbouring variables, each cut into four along variables that it does not need.
Cover random_function(struct dice *dice) {
    Cover cover;
    for (size_t n = 12 + roll_below(dice, 8); n > 0; n--) {
        Cube cube = universe();
        size_t first = roll_below(dice, VARIABLES - 8);
        for (size_t i = 0; i < 5; i++)
            set_literal(cube, static_cast<unsigned>(first + roll_below(dice, 8)), roll_bits(dice));
        Cover parts{cube};
        while (parts.size() < 4) {
            Cube zero = parts.front(), one = parts.front();
            unsigned variable = static_cast<unsigned>(roll_below(dice, VARIABLES));
            if (literal(zero, variable) != 3)
                continue;
            parts.pop_front();
            set_literal(zero, variable, 1);
            set_literal(one, variable, 2);
            parts.push_back(std::move(zero));
            parts.push_back(std::move(one));
        }
        cover.splice(cover.end(), parts);
    }
    return cover;
}

bool is_one_at(const Cover &cover, const Cube &point) {
    return std::any_of(cover.begin(), cover.end(), [&](const Cube &cube) { return covers(cube, point); });
}

} // namespace

int main(int argc, char **argv) {
    size_t n_functions = argument(argc, argv, 1, "functions");
    struct dice dice = dice_for(0);
    size_t n_before = 0, n_after = 0, all_literals = 0;
    for (size_t i = 0; i < n_functions; i++) {
        Cover function = random_function(&dice);
        Cover result = minimised(function);
        for (size_t j = 0; j < 1000; j++) {
            Cube point(WORDS, 0);
            for (unsigned variable = 0; variable < VARIABLES; variable++)
                set_literal(point, variable, roll_bits(&dice));
            if (is_one_at(function, point) != is_one_at(result, point))
                fail("function %zu is another one after it has been minimised", i);
        }
        n_before += function.size();
        n_after += result.size();
        for (const Cube &cube : result)
            all_literals += n_literals(cube);
    }
    printf("%zu functions: %zu cubes made %zu with %zu literals\n", n_functions, n_before, n_after, all_literals);
    return 0;
}
