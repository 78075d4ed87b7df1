// An interpreter of a small Lisp, which walks the tree of the program: numbers, pairs, texts and functions are
// boxes counted by reference, and every call makes a frame. What it runs sorts lists, places queens, grows search
// trees and puts texts together.
//
//     interpreter REPEATS
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "workload.h"

namespace {

const char *const PROGRAM = R"lisp(
(define (fibonacci n) (if (< n 2) n (+ (fibonacci (- n 1)) (fibonacci (- n 2)))))

(define (next seed) (remainder (+ (* seed 48271) 11) 2147483647))
(define (noise n seed) (if (= n 0) nil (pair seed (noise (- n 1) (next seed)))))
(define (size list) (if (nil? list) 0 (+ 1 (size (rest list)))))
(define (sum list) (if (nil? list) 0 (+ (first list) (sum (rest list)))))

(define (filter keep list)
  (if (nil? list) nil
    (if (keep (first list)) (pair (first list) (filter keep (rest list))) (filter keep (rest list)))))
(define (concatenate front back) (if (nil? front) back (pair (first front) (concatenate (rest front) back))))
(define (sorted list)
  (if (nil? list) nil
    (concatenate
      (sorted (filter (lambda (x) (< x (first list))) (rest list)))
      (pair (first list) (sorted (filter (lambda (x) (not (< x (first list)))) (rest list)))))))
(define (ordered? list)
  (if (nil? list) 1
    (if (nil? (rest list)) 1 (if (< (first (rest list)) (first list)) 0 (ordered? (rest list))))))

(define (safe? row distance placed)
  (if (nil? placed) 1
    (if (= (first placed) row) 0
      (if (= (first placed) (+ row distance)) 0
        (if (= (first placed) (- row distance)) 0 (safe? row (+ distance 1) (rest placed)))))))
(define (place-in row n left placed)
  (if (= row n) 0
    (+ (if (safe? row 1 placed) (queens n (- left 1) (pair row placed)) 0) (place-in (+ row 1) n left placed))))
(define (queens n left placed) (if (= left 0) 1 (place-in 0 n left placed)))

(define (leaf key) (pair key (pair 1 (pair nil nil))))
(define (node key count left right) (pair key (pair count (pair left right))))
(define (left tree) (first (rest (rest tree))))
(define (right tree) (rest (rest (rest tree))))
(define (count tree) (first (rest tree)))
(define (insert tree key)
  (if (nil? tree) (leaf key)
    (if (< key (first tree)) (node (first tree) (count tree) (insert (left tree) key) (right tree))
      (if (< (first tree) key) (node (first tree) (count tree) (left tree) (insert (right tree) key))
        (node key (+ 1 (count tree)) (left tree) (right tree))))))
(define (grown list tree) (if (nil? list) tree (grown (rest list) (insert tree (first list)))))
(define (in-order tree)
  (if (nil? tree) ""
    (join (in-order (left tree)) (join (line (first tree) (count tree)) (in-order (right tree))))))
(define (line key count) (join (text key) (join " x " (join (text count) "; "))))
(define (short list) (if (nil? list) nil (pair (remainder (first list) 997) (short (rest list)))))

(define (main seed)
  (join (line (fibonacci 20) (queens 6 6 nil))
    (join (line (sum (noise 500 seed)) (ordered? (sorted (noise 900 seed))))
      (line (size (sorted (short (noise 700 seed)))) (length (in-order (grown (short (noise 1000 seed)) nil)))))))
)lisp";

struct Value;
struct Expression;
struct Frame;
using Box = std::shared_ptr<const Value>;
using Scope = std::shared_ptr<Frame>;
using Builtin = Box (*)(const std::vector<Box> &arguments);

enum class Kind { Number, Text, Pair, Function, Primitive };

// Nothing at all is nil, which is false, as is zero.
struct Value {
    Kind kind;
};

struct Number : Value {
    static constexpr Kind KIND = Kind::Number;
    int64_t value;
};

struct Text : Value {
    static constexpr Kind KIND = Kind::Text;
    std::string value;
};

struct Pair : Value {
    static constexpr Kind KIND = Kind::Pair;
    Box first, rest;
};

struct Function : Value {
    static constexpr Kind KIND = Kind::Function;
    const Expression *lambda;
    Scope scope;
};

struct Primitive : Value {
    static constexpr Kind KIND = Kind::Primitive;
    Builtin call;
};

// Names are numbers once the program has been read.
using Name = size_t;

struct Expression {
    enum { Literal, Variable, If, Lambda, Call } kind;
    Box literal;
    Name name;
    std::vector<Name> parameters;
    std::vector<std::unique_ptr<Expression>> parts;
};
using Tree = std::unique_ptr<Expression>;

struct Frame {
    std::vector<std::pair<Name, Box>> variables;
    Scope outer;
};

template <typename Type, typename... Fields> Box boxed(Fields &&...fields) {
    return std::make_shared<Type>(Type{{Type::KIND}, std::forward<Fields>(fields)...});
}

// What is in a box, or nothing if the box is of another kind.
template <typename Type> const Type *as(const Box &box) {
    return box != nullptr && box->kind == Type::KIND ? static_cast<const Type *>(box.get()) : nullptr;
}

bool is_true(const Box &box) {
    const Number *number = as<Number>(box);
    return box != nullptr && (number == nullptr || number->value != 0);
}

using Arguments = std::vector<Box>;

template <typename Type> const Type &expect(const Arguments &arguments, size_t nth) {
    const Type *value = as<Type>(arguments.at(nth));
    if (value == nullptr)
        fail("the program gives a primitive what it cannot take");
    return *value;
}

int64_t integer(const Arguments &arguments, size_t nth) { return expect<Number>(arguments, nth).value; }
const std::string &text(const Arguments &arguments, size_t nth) { return expect<Text>(arguments, nth).value; }
Box number(int64_t value) { return boxed<Number>(value); }

const std::pair<const char *, Builtin> PRIMITIVES[] = {
    {"+", [](const Arguments &a) { return number(integer(a, 0) + integer(a, 1)); }},
    {"-", [](const Arguments &a) { return number(integer(a, 0) - integer(a, 1)); }},
    {"*", [](const Arguments &a) { return number(integer(a, 0) * integer(a, 1)); }},
    {"<", [](const Arguments &a) { return number(integer(a, 0) < integer(a, 1)); }},
    {"=", [](const Arguments &a) { return number(integer(a, 0) == integer(a, 1)); }},
    {"remainder", [](const Arguments &a) { return number(integer(a, 0) % integer(a, 1)); }},
    {"not", [](const Arguments &a) { return number(!is_true(a.at(0))); }},
    {"nil?", [](const Arguments &a) { return number(a.at(0) == nullptr); }},
    {"pair", [](const Arguments &a) { return boxed<Pair>(a.at(0), a.at(1)); }},
    {"first", [](const Arguments &a) { return expect<Pair>(a, 0).first; }},
    {"rest", [](const Arguments &a) { return expect<Pair>(a, 0).rest; }},
    {"text", [](const Arguments &a) { return boxed<Text>(std::to_string(integer(a, 0))); }},
    {"join", [](const Arguments &a) { return boxed<Text>(text(a, 0) + text(a, 1)); }},
    {"length", [](const Arguments &a) { return number(static_cast<int64_t>(text(a, 0).size())); }},
};

// Reads a program into trees and definitions.
class Reader {
  public:
    explicit Reader(const char *source) : at_(source) {}

    Name name(const std::string &word) { return names_.emplace(word, names_.size()).first->second; }

    // The next definition, as the name and its function, or no tree at the end.
    std::pair<Name, Tree> definition() {
        if (word().empty())
            return {0, nullptr};
        word();
        word();
        Name function = name(word());
        return {function, lambda()};
    }

  private:
    std::string word() {
        while (*at_ == ' ' || *at_ == '\n')
            at_++;
        const char *start = at_;
        if (*at_ == '"')
            for (at_++; *at_++ != '"';) {
            }
        else if (*at_ == '(' || *at_ == ')')
            at_++;
        else
            while (*at_ != 0 && *at_ != ' ' && *at_ != '\n' && *at_ != '(' && *at_ != ')')
                at_++;
        return std::string(start, at_);
    }

    static Tree tree(decltype(Expression::kind) kind) {
        Tree tree(new Expression{});
        tree->kind = kind;
        return tree;
    }

    // The rest of a function, from its first parameter to the closing parenthesis.
    Tree lambda() {
        Tree result = tree(Expression::Lambda);
        for (std::string parameter = word(); parameter != ")"; parameter = word())
            result->parameters.push_back(name(parameter));
        result->parts.push_back(expression(word()));
        word();
        return result;
    }

    Tree expression(const std::string &start) {
        if (start == "(") {
            std::string head = word();
            if (head == "lambda") {
                word();
                return lambda();
            }
            Tree result = tree(head == "if" ? Expression::If : Expression::Call);
            if (head != "if")
                result->parts.push_back(expression(head));
            for (std::string part = word(); part != ")"; part = word())
                result->parts.push_back(expression(part));
            return result;
        }
        bool is_number = start[0] >= '0' && start[0] <= '9', is_text = start[0] == '"';
        Tree result = tree(is_number || is_text || start == "nil" ? Expression::Literal : Expression::Variable);
        if (is_number)
            result->literal = number(std::stoll(start));
        else if (is_text)
            result->literal = boxed<Text>(start.substr(1, start.size() - 2));
        else if (result->kind == Expression::Variable)
            result->name = name(start);
        return result;
    }

    const char *at_;
    std::map<std::string, Name> names_;
};

Box look_up(const Scope &scope, Name name) {
    for (const Frame *frame = scope.get(); frame != nullptr; frame = frame->outer.get())
        for (const auto &variable : frame->variables)
            if (variable.first == name)
                return variable.second;
    fail("the program uses a name that it does not define");
}

Box evaluate(const Expression &tree, const Scope &scope);

Box call(const Box &callee, Arguments arguments) {
    if (const Primitive *primitive = as<Primitive>(callee))
        return primitive->call(arguments);
    const Function *function = as<Function>(callee);
    if (function == nullptr || function->lambda->parameters.size() != arguments.size())
        fail("the program calls what is no function, or with too many arguments or too few");
    auto frame = std::make_shared<Frame>();
    frame->outer = function->scope;
    for (size_t i = 0; i < arguments.size(); i++)
        frame->variables.emplace_back(function->lambda->parameters[i], std::move(arguments[i]));
    return evaluate(*function->lambda->parts[0], frame);
}

Box evaluate(const Expression &tree, const Scope &scope) {
    switch (tree.kind) {
    case Expression::Literal:
        return tree.literal;
    case Expression::Variable:
        return look_up(scope, tree.name);
    case Expression::If:
        return evaluate(*tree.parts[is_true(evaluate(*tree.parts[0], scope)) ? 1 : 2], scope);
    case Expression::Lambda:
        return boxed<Function>(&tree, scope);
    case Expression::Call:
        break;
    }
    Box function = evaluate(*tree.parts[0], scope);
    Arguments arguments;
    for (size_t i = 1; i < tree.parts.size(); i++)
        arguments.push_back(evaluate(*tree.parts[i], scope));
    return call(function, std::move(arguments));
}

} // namespace

int main(int argc, char **argv) {
    size_t n_repeats = argument(argc, argv, 1, "repeats");
    Reader reader(PROGRAM);
    auto global = std::make_shared<Frame>();
    for (const auto &primitive : PRIMITIVES)
        global->variables.emplace_back(reader.name(primitive.first), boxed<Primitive>(primitive.second));
    std::vector<Tree> program;
    for (auto definition = reader.definition(); definition.second != nullptr; definition = reader.definition()) {
        global->variables.emplace_back(definition.first, evaluate(*definition.second, global));
        program.push_back(std::move(definition.second));
    }
    std::string said;
    uint64_t sum = 0;
    for (size_t i = 0; i < n_repeats; i++) {
        Box result = call(look_up(global, reader.name("main")), {number(static_cast<int64_t>(i + 1))});
        said = text({result}, 0);
        for (char letter : said)
            sum = sum * 31 + static_cast<unsigned char>(letter);
    }
    // Every function knows the frame that knows it.
    global->variables.clear();
    printf("%s%016llx\n", said.c_str(), static_cast<unsigned long long>(sum));
    return 0;
}
