// SPDX-License-Identifier: MIT
#include <lariat/io/base/fiber_context.hpp>

#include <lariat/io/base/assert.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <cstring>
#include <cxxabi.h>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_ASAN 1
# endif
#endif
#if defined(__SANITIZE_THREAD__)
# define LARIAT_TSAN 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define LARIAT_TSAN 1
# endif
#endif
#ifdef LARIAT_ASAN
# include <sanitizer/common_interface_defs.h>
#endif
#ifdef LARIAT_TSAN
# include <sanitizer/tsan_interface.h>
#endif

namespace lariat {
namespace {

thread_local FiberContext* current_context = nullptr;

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

// The thread sanitizer keeps a history of calls for each stack. Switching orders what comes before and after it.
#ifdef LARIAT_TSAN
void begin_history(void*& own, void*& resumer) noexcept {
    if (!own) own = __tsan_create_fiber(0);
    resumer = __tsan_get_current_fiber();
}
void switch_history(void* to) noexcept { __tsan_switch_to_fiber(to, 0); }
void end_history(void* own) noexcept {
    if (own) __tsan_destroy_fiber(own);
}
#else
void begin_history(void*&, void*&) noexcept {}
void switch_history(void*) noexcept {}
void end_history(void*) noexcept {}
#endif

}  // namespace

struct FiberContext::Switch {
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
        switch_history(self.resumer_history_);
        self.context_ = boost::context::detail::jump_fcontext(self.context_, nullptr).fctx;
        enter_stack(self.fake_stack_, &self.resumer_stack_, &self.resumer_stack_size_);
    }

    static void to_fiber(FiberContext& self) noexcept {
        void* fake_stack = nullptr;
        leave_stack(&fake_stack, self.stack_.bottom(), self.stack_.size());
        begin_history(self.own_history_, self.resumer_history_);
        switch_history(self.own_history_);
        self.context_ = boost::context::detail::jump_fcontext(self.context_, &self).fctx;
        enter_stack(fake_stack, nullptr, nullptr);
    }
};

FiberContext::FiberContext(Entry entry, void* argument, std::size_t stack_size)
    : entry_(entry),
      argument_(argument),
      stack_(stack_size),
      context_(boost::context::detail::make_fcontext(stack_.top(), stack_.size(), Switch::begin)) {}

FiberContext::~FiberContext() {
    LARIAT_CHECK(state_ == State::fresh || state_ == State::ended,
                 "a fiber was destroyed before its function had returned");
    end_history(own_history_);
}

FiberContext* FiberContext::current() noexcept { return current_context; }

void FiberContext::resume() noexcept {
    LARIAT_CHECK(state_ == State::fresh || state_ == State::suspended,
                 "a fiber can only be resumed while it is stopped");
    LARIAT_CHECK(state_ == State::fresh || thread_ == &current_context,
                 "a fiber was resumed on another thread than the one it began on; fibers never move");
    thread_ = &current_context;
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
