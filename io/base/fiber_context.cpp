// SPDX-License-Identifier: MIT
#include <lariat/io/base/fiber_context.hpp>

#include <lariat/io/base/assert.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <cstring>
#include <cxxabi.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_ASAN 1
# endif
#endif
#ifdef LARIAT_ASAN
# include <sanitizer/asan_interface.h>
# include <sanitizer/common_interface_defs.h>
#endif

namespace lariat {
namespace {

thread_local FiberContext* current_context = nullptr;

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

// Exceptions being handled are a list per thread in the C++ runtime (Itanium C++ ABI, 2.2.2): a pointer and a count.
// A fiber that stops inside a catch block must find its own again.
void swap_exceptions(void* (&saved)[2]) noexcept {
    void* now[2];
    void* globals = abi::__cxa_get_globals();
    std::memcpy(now, globals, sizeof now);
    std::memcpy(globals, saved, sizeof saved);
    std::memcpy(saved, now, sizeof now);
}

#ifdef LARIAT_ASAN
void leave_stack(void** fake_stack, const void* bottom, std::size_t size) noexcept {
    __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}
void enter_stack(void* fake_stack, const void** bottom, std::size_t* size) noexcept {
    __sanitizer_finish_switch_fiber(fake_stack, bottom, size);
}
#else
void leave_stack(void**, const void*, std::size_t) noexcept {}
void enter_stack(void*, const void**, std::size_t*) noexcept {}
#endif

}  // namespace

struct FiberContext::Switch {
    static void* make(FiberContext& context) noexcept {
        std::byte* top = context.memory_ + page_size() + context.stack_size_;
        return boost::context::detail::make_fcontext(top, context.stack_size_, begin);
    }

    static void begin(boost::context::detail::transfer_t transfer) noexcept {
        auto& self = *static_cast<FiberContext*>(transfer.data);
        enter_stack(nullptr, &self.resumer_stack_, &self.resumer_stack_size_);
        self.context_ = transfer.fctx;
        self.entry_(self.argument_);
        self.state_ = State::ended;
        to_resumer(self, nullptr);
        LARIAT_PANIC("a fiber that had ended was resumed");
    }

    // `fake_stack` is null when the stack will not be used again.
    static void to_resumer(FiberContext& self, void** fake_stack) noexcept {
        leave_stack(fake_stack, self.resumer_stack_, self.resumer_stack_size_);
        self.context_ = boost::context::detail::jump_fcontext(self.context_, nullptr).fctx;
        enter_stack(self.fake_stack_, &self.resumer_stack_, &self.resumer_stack_size_);
    }

    static void to_fiber(FiberContext& self) noexcept {
        void* fake_stack = nullptr;
        leave_stack(&fake_stack, self.memory_ + page_size(), self.stack_size_);
        self.context_ = boost::context::detail::jump_fcontext(self.context_, &self).fctx;
        enter_stack(fake_stack, nullptr, nullptr);
    }
};

FiberContext::FiberContext(Entry entry, void* argument, std::size_t stack_size)
    : entry_(entry),
      argument_(argument),
      memory_(nullptr),
      stack_size_((stack_size + page_size() - 1) / page_size() * page_size()) {
    void* memory = ::mmap(nullptr, page_size() + stack_size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<std::byte*>(memory);
    ::mprotect(memory_, page_size(), PROT_NONE);
    context_ = Switch::make(*this);
}

FiberContext::~FiberContext() {
    LARIAT_CHECK(state_ == State::fresh || state_ == State::ended,
                 "a fiber was destroyed before its function had returned");
#ifdef LARIAT_ASAN
    // The next mapping at this place must not inherit what the stack's frames had poisoned.
    __asan_unpoison_memory_region(memory_ + page_size(), stack_size_);
#endif
    ::munmap(memory_, page_size() + stack_size_);
}

FiberContext* FiberContext::current() noexcept { return current_context; }

void FiberContext::resume() noexcept {
    LARIAT_CHECK(state_ == State::fresh || state_ == State::suspended,
                 "a fiber can only be resumed while it is stopped");
    state_ = State::running;
    resumer_ = std::exchange(current_context, this);
    swap_exceptions(exceptions_);
    Switch::to_fiber(*this);
    swap_exceptions(exceptions_);
    current_context = resumer_;
}

void FiberContext::suspend() noexcept {
    FiberContext* self = current_context;
    LARIAT_CHECK(self != nullptr, "suspend() outside of a fiber");
    self->state_ = State::suspended;
    Switch::to_resumer(*self, &self->fake_stack_);
}

}  // namespace lariat
