// SPDX-License-Identifier: MIT
// Counts the allocations of the server it is linked into, in a page that the runner shares with it: word 0 says that
// counting works, word 1 is the number so far. The descriptor of the page is in the environment
// (LARIAT_BENCH_COUNTERS); without it the counts go nowhere. Covers malloc and everything on top of it, operator new
// included; glibc only, and not under the sanitizers, which have a malloc of their own.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>

#if defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#  define LARIAT_BENCH_SANITIZED 1
# endif
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) \
    && !defined(LARIAT_BENCH_SANITIZED)

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

std::uint64_t nowhere[2];
std::uint64_t* counters = nowhere;

void count() noexcept { __atomic_fetch_add(counters + 1, 1, __ATOMIC_RELAXED); }

[[gnu::constructor]] void attach_counters() {
    const char* descriptor = std::getenv("LARIAT_BENCH_COUNTERS");
    if (descriptor == nullptr) return;
    void* page = mmap(nullptr, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(descriptor), 0);
    if (page == MAP_FAILED) return;
    counters = static_cast<std::uint64_t*>(page);
    __atomic_store_n(counters, 1, __ATOMIC_RELAXED);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
    count();
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
    count();
    return __libc_calloc(number, size);
}
void* realloc(void* old, std::size_t size) {
    count();
    return __libc_realloc(old, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
    count();
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** result, std::size_t alignment, std::size_t size) {
    void* memory = memalign(alignment, size);
    if (memory == nullptr) return ENOMEM;
    *result = memory;
    return 0;
}

}  // extern "C"

#endif
