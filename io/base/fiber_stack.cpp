// SPDX-License-Identifier: MIT
#include <lariat/io/base/fiber_stack.hpp>

#include <algorithm>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_POISON_STACKS 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_POISON_STACKS 1
# endif
#endif
#ifdef LARIAT_POISON_STACKS
# include <sanitizer/asan_interface.h>
#endif

namespace lariat {
namespace {

struct KeptStack {
    std::byte* bottom;
    std::size_t size;
};

struct StackPool {
    KeptStack stacks[FiberStack::kept_per_thread];  // the one used last is the last one
    std::size_t count;
    std::size_t room;  // how many more may be kept; 0 until the thread has used the pool, and when it ends
};

constinit thread_local StackPool stack_pool = {};

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

// What the frames of a stack's last user had poisoned must not be inherited; nobody may touch one that is kept.
#ifdef LARIAT_POISON_STACKS
void poison(const KeptStack& stack) noexcept { __asan_poison_memory_region(stack.bottom, stack.size); }
void unpoison(const KeptStack& stack) noexcept { __asan_unpoison_memory_region(stack.bottom, stack.size); }
#else
void poison(const KeptStack&) noexcept {}
void unpoison(const KeptStack&) noexcept {}
#endif

std::byte* map_stack(std::size_t size) {
    const std::size_t guarded = page_size() + size;
    void* const memory = ::mmap(nullptr, guarded, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    if (::mprotect(memory, page_size(), PROT_NONE) != 0) {
        ::munmap(memory, guarded);
        throw std::bad_alloc();
    }
    return static_cast<std::byte*>(memory) + page_size();
}

void unmap(const KeptStack& stack) noexcept {
    unpoison(stack);  // the next mapping at this place
    ::munmap(stack.bottom - page_size(), page_size() + stack.size);
}

// Opens the pool with the thread's first stack and empties it with the thread.
struct StackPoolKeeper {
    StackPoolKeeper() noexcept { stack_pool.room = FiberStack::kept_per_thread; }
    ~StackPoolKeeper() {
        stack_pool.room = 0;
        while (stack_pool.count > 0) unmap(stack_pool.stacks[--stack_pool.count]);
    }
    void use() const noexcept {}
};

thread_local StackPoolKeeper stack_pool_keeper;

}  // namespace

FiberStack::FiberStack(std::size_t size)
    : size_((std::max(size, smallest) + page_size() - 1) / page_size() * page_size()) {
    for (std::size_t i = stack_pool.count; i > 0; --i) {
        const KeptStack kept = stack_pool.stacks[i - 1];
        if (kept.size != size_) continue;
        std::copy(stack_pool.stacks + i, stack_pool.stacks + stack_pool.count, stack_pool.stacks + i - 1);
        --stack_pool.count;
        ++stack_pool.room;
        unpoison(kept);
        bottom_ = kept.bottom;
        return;
    }
    stack_pool_keeper.use();
    bottom_ = map_stack(size_);
}

FiberStack::~FiberStack() {
    const KeptStack stack{bottom_, size_};
    if (stack_pool.room == 0) {
        unmap(stack);
        return;
    }
    --stack_pool.room;
    stack_pool.stacks[stack_pool.count++] = stack;
    poison(stack);
}

std::size_t FiberStack::kept() noexcept { return stack_pool.count; }

}  // namespace lariat
