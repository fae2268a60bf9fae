// SPDX-License-Identifier: MIT
#include <lariat/io/base/fiber_context.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <cxxabi.h>

#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_ASAN 1
# endif
#endif
#ifdef LARIAT_ASAN
# include <sanitizer/common_interface_defs.h>
#endif

namespace lariat {
namespace {

// The address sanitizer must know the bounds of the stack that is used, and keeps the locals of each elsewhere.
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

// The thread sanitizer keeps a history of calls for each stack. What came before a switch happened before what follows.
#ifdef LARIAT_TSAN
void begin_history(void*& own, void*& resumer) noexcept {
    if (!own) own = __tsan_create_fiber(0);
    resumer = __tsan_get_current_fiber();
}
void end_history(void* own) noexcept {
    if (own) __tsan_destroy_fiber(own);
}
#else
void begin_history(void*&, void*&) noexcept {}
void end_history(void*) noexcept {}
#endif

}  // namespace

// The same function under the name that users need no header of Boost for.
static_assert(sizeof(boost::context::detail::transfer_t) == 2 * sizeof(void*));
FiberContext::Arrival (*const FiberContext::jump)(void* to, void* data) =
    reinterpret_cast<Arrival (*)(void*, void*)>(reinterpret_cast<void*>(&boost::context::detail::jump_fcontext));

constinit thread_local FiberContext* FiberContext::current_ = nullptr;

struct FiberContext::Function {
    static void run(boost::context::detail::transfer_t transfer) noexcept {
        auto& self = *static_cast<FiberContext*>(transfer.data);
        self.context_ = transfer.fctx;
        enter_stack(nullptr, &self.resumer_stack_, &self.resumer_stack_size_);
        self.entry_(self.argument_);
        self.state_ = State::ended;
        leave_stack(nullptr, self.resumer_stack_, self.resumer_stack_size_);  // null: it will not be used again
        LARIAT_SWITCH_HISTORY(self.resumer_history_);
        boost::context::detail::jump_fcontext(self.context_, nullptr);
        LARIAT_PANIC("a fiber that had ended was resumed");
    }
};

FiberContext::FiberContext(Entry entry, void* argument, std::size_t stack_size)
    : entry_(entry), argument_(argument), stack_(stack_size) {
    context_ = boost::context::detail::make_fcontext(stack_.top(), stack_.size(), Function::run);
}

FiberContext::~FiberContext() {
    LARIAT_CHECK(state_ == State::fresh || state_ == State::ended,
                 "a fiber was destroyed before its function had returned");
    end_history(history_);
}

void FiberContext::begin() noexcept {
    thread_ = &current_;
    exceptions_of_thread_ = abi::__cxa_get_globals();
    state_ = State::suspended;
}

void FiberContext::tell_of_resuming() noexcept {
    leave_stack(&resumer_fake_stack_, stack_.bottom(), stack_.size());
    begin_history(history_, resumer_history_);
}
void FiberContext::tell_of_return() noexcept { enter_stack(resumer_fake_stack_, nullptr, nullptr); }

void FiberContext::tell_of_stopping() noexcept { leave_stack(&fake_stack_, resumer_stack_, resumer_stack_size_); }
void FiberContext::tell_of_going_on() noexcept { enter_stack(fake_stack_, &resumer_stack_, &resumer_stack_size_); }

}  // namespace lariat
