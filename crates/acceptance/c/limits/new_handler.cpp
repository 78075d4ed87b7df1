/* Proves what happens when new finds no memory: the new handler is called again and again until it gives up
 * or makes room, bad_alloc can be caught, the nothrow forms give null even if the handler throws, and an
 * exception of the handler's own comes through.
 *
 * @link dynamic static static-pie
 */
#include <new>

#include "../scenario.h"

struct OwnException {};

static int n_calls;
static const size_t impossible = opaque_size(SIZE_MAX / 2 + 100);

static void gives_up_after_three() {
    if (++n_calls == 3)
        std::set_new_handler(nullptr);
}

static void throws_bad_alloc() {
    n_calls++;
    throw std::bad_alloc();
}

static void throws_its_own() {
    n_calls++;
    throw OwnException();
}

template <typename Exception, typename Action> static bool throws(Action action) {
    try {
        opaque(action());
    } catch (const Exception &) {
        return true;
    }
    return false;
}

int main() {
    void *(*const forms[])() = {
        [] { return ::operator new(impossible); },
        [] { return ::operator new[](impossible); },
        [] { return ::operator new(impossible, std::align_val_t(64)); },
        [] { return ::operator new[](impossible, std::align_val_t(64)); },
    };
    void *(*const nothrow_forms[])() = {
        [] { return ::operator new(impossible, std::nothrow); },
        [] { return ::operator new[](impossible, std::nothrow); },
        [] { return ::operator new(impossible, std::align_val_t(64), std::nothrow); },
        [] { return ::operator new[](impossible, std::align_val_t(64), std::nothrow); },
    };
    for (auto form : forms) {
        REQUIRE(throws<std::bad_alloc>(form));

        n_calls = 0;
        std::set_new_handler(gives_up_after_three);
        REQUIRE(throws<std::bad_alloc>(form));
        REQUIRE_SAYING(n_calls == 3, "%d calls", n_calls);

        n_calls = 0;
        std::set_new_handler(throws_its_own);
        REQUIRE(throws<OwnException>(form));
        REQUIRE_SAYING(n_calls == 1, "%d calls", n_calls);
        std::set_new_handler(nullptr);
    }
    for (auto form : nothrow_forms) {
        REQUIRE(form() == nullptr);

        n_calls = 0;
        std::set_new_handler(gives_up_after_three);
        REQUIRE(form() == nullptr);
        REQUIRE_SAYING(n_calls == 3, "%d calls", n_calls);

        n_calls = 0;
        std::set_new_handler(throws_bad_alloc);
        REQUIRE(form() == nullptr);
        REQUIRE_SAYING(n_calls == 1, "%d calls", n_calls);
        std::set_new_handler(nullptr);
    }
    REQUIRE(throws<std::bad_array_new_length>(
        [] { return static_cast<void *>(new int[opaque_size(SIZE_MAX / 2)]); }));
    delete static_cast<int *>(opaque(new int(1)));
    return 0;
}
