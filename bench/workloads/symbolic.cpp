// Symbolic differentiation: expressions are trees with shared branches, counted by reference. Each round builds
// one, differentiates it again and again, simplifies and shares the result, and drops what came before. Values
// modulo a prime show that a simplified tree still means the same.
//
//     symbolic ROUNDS
#include <array>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "workload.h"

namespace {

constexpr uint64_t PRIME = 2147483647;
constexpr size_t VARIABLES = 3, MOST_NODES = 40000;

enum class Kind { Constant, Variable, Sum, Product };

struct Node;
using Tree = std::shared_ptr<const Node>;

struct Node {
    Kind kind;
    // The value of a constant or the number of a variable.
    uint64_t value;
    Tree left, right;
};

Tree constant(uint64_t value) { return std::make_shared<Node>(Node{Kind::Constant, value % PRIME, {}, {}}); }
Tree variable(uint64_t number) { return std::make_shared<Node>(Node{Kind::Variable, number, {}, {}}); }
Tree combine(Kind kind, Tree left, Tree right) {
    return std::make_shared<Node>(Node{kind, 0, std::move(left), std::move(right)});
}

bool is_constant(const Tree &tree, uint64_t value) { return tree->kind == Kind::Constant && tree->value == value; }

Tree random_tree(struct dice *dice, unsigned depth) {
    if (depth == 0 || roll_below(dice, 12) == 0)
        return roll_below(dice, 4) == 0 ? constant(roll_below(dice, 100)) : variable(roll_below(dice, VARIABLES));
    Kind kind = roll_below(dice, 3) == 0 ? Kind::Sum : Kind::Product;
    Tree left = random_tree(dice, depth - 1);
    return combine(kind, std::move(left), random_tree(dice, depth - 1));
}

// The derivative as the rules give it, without any thought.
Tree derivative(const Tree &tree, uint64_t by) {
    switch (tree->kind) {
    case Kind::Constant:
        return constant(0);
    case Kind::Variable:
        return constant(tree->value == by);
    case Kind::Sum:
        return combine(Kind::Sum, derivative(tree->left, by), derivative(tree->right, by));
    case Kind::Product:
        break;
    }
    return combine(Kind::Sum, combine(Kind::Product, derivative(tree->left, by), tree->right),
                   combine(Kind::Product, tree->left, derivative(tree->right, by)));
}

// Simplifies trees, and gives equal ones out as one.
class Simplifier {
  public:
    Tree simplified(const Tree &tree) {
        if (tree->left == nullptr)
            return shared(tree);
        auto known = done_.find(tree.get());
        if (known != done_.end())
            return known->second;
        Tree result = shared(rewritten(tree->kind, simplified(tree->left), simplified(tree->right)));
        done_.emplace(tree.get(), result);
        return result;
    }

    size_t n_distinct() const { return known_.size(); }

  private:
    struct Hash {
        size_t operator()(const Tree &tree) const {
            uint64_t hash = static_cast<uint64_t>(tree->kind) * 31 + tree->value;
            hash = hash * 0x9e3779b97f4a7c15u + number_of(tree->left);
            return (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9u + number_of(tree->right);
        }
        static uint64_t number_of(const Tree &tree) { return reinterpret_cast<uintptr_t>(tree.get()) / 16; }
    };
    // Branches are shared already, so the same branch is the same pointer.
    struct Equal {
        bool operator()(const Tree &a, const Tree &b) const {
            return a->kind == b->kind && a->value == b->value && a->left == b->left && a->right == b->right;
        }
    };

    static Tree rewritten(Kind kind, Tree left, Tree right) {
        if (left->kind == Kind::Constant && right->kind == Kind::Constant)
            return constant(kind == Kind::Sum ? left->value + right->value : left->value * right->value);
        if (kind == Kind::Sum && is_constant(left, 0))
            return right;
        if (kind == Kind::Sum && is_constant(right, 0))
            return left;
        if (kind == Kind::Product && (is_constant(left, 0) || is_constant(right, 0)))
            return constant(0);
        if (kind == Kind::Product && is_constant(left, 1))
            return right;
        if (kind == Kind::Product && is_constant(right, 1))
            return left;
        if (kind == Kind::Sum && left == right)
            return combine(Kind::Product, constant(2), std::move(left));
        return combine(kind, std::move(left), std::move(right));
    }

    Tree shared(const Tree &tree) {
        auto entry = known_.emplace(tree, tree);
        return entry.first->second;
    }

    std::unordered_map<Tree, Tree, Hash, Equal> known_;
    std::unordered_map<const Node *, Tree> done_;
};

size_t n_nodes(const Tree &tree) {
    return tree->left == nullptr ? 1 : 1 + n_nodes(tree->left) + n_nodes(tree->right);
}

uint64_t value_at(const Tree &tree, const std::array<uint64_t, VARIABLES> &point) {
    switch (tree->kind) {
    case Kind::Constant:
        return tree->value;
    case Kind::Variable:
        return point[tree->value];
    case Kind::Sum:
        return (value_at(tree->left, point) + value_at(tree->right, point)) % PRIME;
    case Kind::Product:
        break;
    }
    return value_at(tree->left, point) * value_at(tree->right, point) % PRIME;
}

} // namespace

int main(int argc, char **argv) {
    size_t n_rounds = argument(argc, argv, 1, "rounds");
    struct dice dice = dice_for(0);
    uint64_t sum = 0;
    size_t n_built = 0, n_kept = 0;
    for (size_t round = 0; round < n_rounds; round++) {
        std::array<uint64_t, VARIABLES> point;
        for (uint64_t &coordinate : point)
            coordinate = roll_below(&dice, PRIME);
        // The history lives until the round is over, like the undo list of a calculator.
        std::vector<Tree> history{random_tree(&dice, 9)};
        while (n_nodes(history.back()) > 1 && n_nodes(history.back()) < MOST_NODES && history.size() < 6) {
            Tree raw = derivative(history.back(), roll_below(&dice, VARIABLES));
            Simplifier simplifier;
            Tree tree = simplifier.simplified(raw);
            uint64_t value = value_at(tree, point);
            if (value != value_at(raw, point))
                fail("round %zu: a simplified tree has another value", round);
            sum = sum * 31 + value;
            n_built += n_nodes(raw);
            n_kept += simplifier.n_distinct();
            history.push_back(std::move(tree));
        }
    }
    printf("%zu nodes built, %zu distinct, sum %016llx\n", n_built, n_kept, static_cast<unsigned long long>(sum));
    return 0;
}
