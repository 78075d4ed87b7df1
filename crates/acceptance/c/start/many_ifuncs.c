/* Proves that a program with 200 indirect functions starts: their resolvers run while the loader is still
 * relocating.
 *
 * @link dynamic static static-pie
 */
#include "../scenario.h"

typedef size_t function(size_t);

/* clang-format off */
#define TEN(do, tens) do(tens##0) do(tens##1) do(tens##2) do(tens##3) do(tens##4) \
                      do(tens##5) do(tens##6) do(tens##7) do(tens##8) do(tens##9)
#define ALL(do) TEN(do, 10) TEN(do, 11) TEN(do, 12) TEN(do, 13) TEN(do, 14) TEN(do, 15) TEN(do, 16) TEN(do, 17) \
                TEN(do, 18) TEN(do, 19) TEN(do, 20) TEN(do, 21) TEN(do, 22) TEN(do, 23) TEN(do, 24) TEN(do, 25) \
                TEN(do, 26) TEN(do, 27) TEN(do, 28) TEN(do, 29)
#define DEFINE(n)                                                              \
    static size_t plain_##n(size_t size) { return malloc(size) ? n : 0; }      \
    static function *resolve_##n(void) { return plain_##n; }                   \
    size_t indirect_##n(size_t) __attribute__((ifunc("resolve_" #n)));
#define CALL(n) REQUIRE(indirect_##n(n) == n);
/* clang-format on */

ALL(DEFINE)

int main(void) {
    ALL(CALL)
    return 0;
}
