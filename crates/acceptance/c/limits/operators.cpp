/* Proves that all twenty operators of C++ work, in every pairing that the language allows, for types that are
 * aligned more than malloc aligns, and for arrays.
 *
 * @link dynamic static static-pie
 */
#include <new>

#include "../scenario.h"

static void require(void *block, size_t size, size_t alignment) {
    REQUIRE_SAYING(block != nullptr, "%zu bytes, alignment %zu", size, alignment);
    REQUIRE_SAYING(reinterpret_cast<uintptr_t>(block) % alignment == 0, "%zu bytes, alignment %zu: %p", size,
                   alignment, block);
    fill(block, size, size);
}

static void plain(size_t size) {
    void *block;
    require(block = ::operator new(size), size, 16);
    ::operator delete(block);
    require(block = ::operator new(size), size, 16);
    ::operator delete(block, size);
    require(block = ::operator new(size, std::nothrow), size, 16);
    ::operator delete(block, std::nothrow);
    require(block = ::operator new[](size), size, 16);
    ::operator delete[](block);
    require(block = ::operator new[](size), size, 16);
    ::operator delete[](block, size);
    require(block = ::operator new[](size, std::nothrow), size, 16);
    ::operator delete[](block, std::nothrow);
}

static void aligned(size_t size, size_t bytes) {
    auto alignment = std::align_val_t(bytes);
    void *block;
    require(block = ::operator new(size, alignment), size, bytes);
    ::operator delete(block, alignment);
    require(block = ::operator new(size, alignment), size, bytes);
    ::operator delete(block, size, alignment);
    require(block = ::operator new(size, alignment, std::nothrow), size, bytes);
    ::operator delete(block, alignment, std::nothrow);
    require(block = ::operator new[](size, alignment), size, bytes);
    ::operator delete[](block, alignment);
    require(block = ::operator new[](size, alignment), size, bytes);
    ::operator delete[](block, size, alignment);
    require(block = ::operator new[](size, alignment, std::nothrow), size, bytes);
    ::operator delete[](block, alignment, std::nothrow);
}

struct alignas(128) Wide {
    char bytes[384];
    ~Wide() { bytes[0] = 0; }
};

int main() {
    for (size_t round = 0; round < 10; round++) {
        for (size_t size = 0; size < 4 * MIB; size = size * 3 / 2 + 1) {
            plain(size);
            for (size_t alignment = 1; alignment <= MIB; alignment *= 4)
                aligned(size, alignment);
        }
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::align_val_t(64));
    void *one = ::operator new(opaque_size(0)), *other = ::operator new(opaque_size(0));
    REQUIRE(one != nullptr && other != nullptr && one != other);
    ::operator delete(one);
    ::operator delete(other);

    auto *wide = static_cast<Wide *>(opaque(new Wide));
    auto *row = static_cast<Wide *>(opaque(new Wide[10]));
    REQUIRE(reinterpret_cast<uintptr_t>(wide) % 128 == 0 && reinterpret_cast<uintptr_t>(row) % 128 == 0);
    delete wide;
    delete[] row;
    size_t resident = in_time(resident_bytes, 64 * MIB);
    REQUIRE_SAYING(resident < 64 * MIB, "%zu KiB resident", resident / KIB);
    return 0;
}
