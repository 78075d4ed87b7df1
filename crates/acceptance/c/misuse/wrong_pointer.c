/* Proves that pointers which were never handed out are seen, with a word for what they are: wild, in the
 * middle of a block, on a stack, a global variable, a function.
 *
 * @only mallow
 */
#include <malloc.h>

#include "../mistake.h"
#include "../threads.h"

static const size_t small = 48, medium = 100 * KIB, large = 5 * MIB;

static void wild(void) { free(wrong((void *)0xdeadbeef)); }
static void wild_aligned(void) { free(wrong((void *)0x7f1234567890)); }
static void not_canonical(void) { free(wrong((void *)0xdead00000000beef)); }
static void in_the_kernel(void) { free(wrong((void *)0xffff888000000000)); }
static void nearly_null(void) { free(wrong((void *)8)); }

static void inside(size_t size, size_t offset) {
    char *block = (char *)malloc(size);
    free(wrong(block + offset));
}

static void small_plus_1(void) { inside(small, 1); }
static void small_plus_8(void) { inside(small, 8); }
static void small_plus_16(void) { inside(small, 16); }
static void small_half(void) { inside(small, small / 2); }
static void medium_plus_1(void) { inside(medium, 1); }
static void medium_plus_8(void) { inside(medium, 8); }
static void medium_plus_16(void) { inside(medium, 16); }
static void medium_half(void) { inside(medium, medium / 2); }
static void large_plus_1(void) { inside(large, 1); }
static void large_plus_8(void) { inside(large, 8); }
static void large_plus_16(void) { inside(large, 16); }
static void large_half(void) { inside(large, large / 2); }

static void *free_there(void *block) {
    free(block);
    return NULL;
}

static void inside_by_another_thread(void) {
    char *block = (char *)malloc(small);
    join(start(free_there, wrong(block + 16)));
    for (size_t i = 0; i < 10000; i++)
        opaque(malloc(small));
}

static void realloc_inside(void) {
    char *block = (char *)malloc(small);
    opaque(realloc(wrong(block + 16), 1000));
}

static void beyond_the_last_block(void) {
    char *block = (char *)malloc(200);
    free(wrong((void *)((uintptr_t)block + 64 * MIB)));
}

static void on_stack(void) {
    char local[64];
    free(wrong(opaque(local + 16)));
}

static void *free_local(void *unused) {
    on_stack();
    return unused;
}

static void on_stack_of_thread(void) { join(start(free_local, NULL)); }

static _Alignas(16) char global[64];
static _Alignas(16) char initialised[64] = "x";
static _Alignas(16) const char constant[64] = "y";
static void in_global(void) { free(wrong(global)); }
static void in_initialised(void) { free(wrong(initialised)); }
static void in_constant(void) { free(wrong(constant)); }
static void in_code(void) { free(wrong((void *)(uintptr_t)in_code)); }
static void realloc_global(void) { opaque(realloc(wrong(global), 100)); }

static void size_of_wild(void) { opaque_size(malloc_usable_size(wrong((void *)0xdeadbeef))); }
static void size_of_inside(void) {
    char *block = (char *)malloc(small);
    opaque_size(malloc_usable_size(wrong(block + 16)));
}
static void realloc_wild(void) { opaque(realloc(wrong((void *)0xdeadbeef), 100)); }

#define WILD "wild|not mapped"
#define INSIDE "interior|inside"
#define STACK "stack"
#define GLOBAL "global|code"

int main(void) {
    static const struct mistake mistakes[] = {
        {"wild", wild, WILD},
        {"wild, aligned", wild_aligned, WILD},
        {"not canonical", not_canonical, WILD},
        {"kernel address", in_the_kernel, WILD},
        {"nearly null", nearly_null, WILD},
        {"small + 1", small_plus_1, INSIDE},
        {"small + 8", small_plus_8, INSIDE},
        {"small + 16", small_plus_16, INSIDE},
        {"small, middle", small_half, INSIDE},
        {"medium + 1", medium_plus_1, INSIDE},
        {"medium + 8", medium_plus_8, INSIDE},
        {"medium + 16", medium_plus_16, INSIDE},
        {"medium, middle", medium_half, INSIDE},
        {"large + 1", large_plus_1, INSIDE},
        {"large + 8", large_plus_8, INSIDE},
        {"large + 16", large_plus_16, INSIDE},
        {"large, middle", large_half, INSIDE},
        {"small + 16, by another thread", inside_by_another_thread, INSIDE},
        {"realloc of small + 16", realloc_inside, INSIDE},
        {"beyond the last block", beyond_the_last_block, WILD},
        {"stack", on_stack, STACK},
        {"stack of a thread", on_stack_of_thread, STACK "|wild"},
        {"global variable", in_global, GLOBAL},
        {"initialised variable", in_initialised, GLOBAL},
        {"constant", in_constant, GLOBAL},
        {"function", in_code, GLOBAL},
        {"realloc of a variable", realloc_global, GLOBAL},
        {"size of wild", size_of_wild, WILD},
        {"size of small + 16", size_of_inside, INSIDE},
        {"realloc of wild", realloc_wild, WILD},
    };
    return make_mistakes(mistakes, COUNT(mistakes));
}
