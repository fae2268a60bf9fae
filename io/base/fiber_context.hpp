// SPDX-License-Identifier: MIT
// FiberContext: a stack of its own for a function that can stop in the middle and go on later. The switch is
// Boost.Context's; this class adds the guarded stack, the bookkeeping of exceptions and what sanitizers must be told.
//
// Threads: a context belongs to the thread that resumed it first and never moves: compilers keep addresses of
// thread-local variables across switches. Resuming it on another one panics.
#pragma once

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/fiber_stack.hpp>

#include <cstddef>
#include <cstring>
#include <utility>

// Sanitizers must be told of every switch. What the thread sanitizer is told takes effect at once: it must hear of it
// in the very function that switches, since any other would return in the wrong history.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define LARIAT_TELL_OF_SWITCHES 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#  define LARIAT_TELL_OF_SWITCHES 1
# endif
#endif
#ifndef LARIAT_TELL_OF_SWITCHES
# define LARIAT_TELL_OF_SWITCHES 0
#endif
#if defined(__SANITIZE_THREAD__)
# define LARIAT_TSAN 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define LARIAT_TSAN 1
# endif
#endif
#ifdef LARIAT_TSAN
# include <sanitizer/tsan_interface.h>
# define LARIAT_SWITCH_HISTORY(to) __tsan_switch_to_fiber((to), 0)
#else
# define LARIAT_SWITCH_HISTORY(to) void()
#endif

namespace lariat {

class FiberContext {
public:
    using Entry = void (*)(void* argument) noexcept;

    /// Enough for deep calls of an unoptimised, instrumented build. Only the pages that are touched take memory.
    static constexpr std::size_t default_stack_size = 1024 * 1024;

    /// `entry(argument)` begins with the first resume(), on a FiberStack of `stack_size` bytes. Errors: std::bad_alloc.
    FiberContext(Entry entry, void* argument, std::size_t stack_size = default_stack_size);
    FiberContext(const FiberContext&) = delete;
    FiberContext& operator=(const FiberContext&) = delete;
    /// Must have ended or never begun: a stack with live objects cannot be thrown away.
    ~FiberContext();

    // Both are inline: a function that returns on another stack than it was called on costs as much as the switch,
    // since the processor has predicted where it returns to.

    /// Goes on where the function stopped; returns when it stops again or ends. Not from inside itself.
    void resume() noexcept {
        if (state_ == State::fresh) begin();
        LARIAT_CHECK(state_ == State::suspended, "a fiber can only be resumed while it is stopped");
        LARIAT_CHECK(thread_ == &current_,
                     "a fiber was resumed on another thread than the one it began on; fibers never move");
        state_ = State::running;
        resumer_ = std::exchange(current_, this);
        swap_exceptions();
        if constexpr (LARIAT_TELL_OF_SWITCHES) tell_of_resuming();
        LARIAT_SWITCH_HISTORY(history_);
        context_ = jump(context_, this).from;
        if constexpr (LARIAT_TELL_OF_SWITCHES) tell_of_return();
        swap_exceptions();
        current_ = resumer_;
    }
    /// Stops the context the caller runs in and returns to whoever resumed it; returns with the next resume().
    static void suspend() noexcept {
        FiberContext* const self = current_;
        LARIAT_CHECK(self != nullptr, "suspend() outside of a fiber");
        self->state_ = State::suspended;
        if constexpr (LARIAT_TELL_OF_SWITCHES) self->tell_of_stopping();
        LARIAT_SWITCH_HISTORY(self->resumer_history_);
        self->context_ = jump(self->context_, nullptr).from;
        if constexpr (LARIAT_TELL_OF_SWITCHES) self->tell_of_going_on();
    }

    /// The context the calling code runs in; null on the thread's own stack.
    [[nodiscard]] static FiberContext* current() noexcept { return current_; }
    [[nodiscard]] bool ended() const noexcept { return state_ == State::ended; }
    /// It was resumed and has not stopped; also while it has resumed another one itself.
    [[nodiscard]] bool is_running() const noexcept { return state_ == State::running; }

private:
    enum class State : unsigned char { fresh, running, suspended, ended };
    struct Function;  // what runs on the new stack

    /// What Boost.Context's transfer_t is: where the other side stopped, and what it says.
    struct Arrival {
        void* from;
        void* data;
    };
    static Arrival (*const jump)(void* to, void* data);
    static constinit thread_local FiberContext* current_;

    void begin() noexcept;
    // Exceptions being handled are a list per thread in the C++ runtime (Itanium C++ ABI, 2.2.2): a pointer and a
    // count. A fiber that stops inside a catch block must find its own again.
    void swap_exceptions() noexcept {
        void* now[2];
        std::memcpy(now, exceptions_of_thread_, sizeof now);
        std::memcpy(exceptions_of_thread_, exceptions_, sizeof now);
        std::memcpy(exceptions_, now, sizeof now);
    }
    void tell_of_resuming() noexcept;
    void tell_of_return() noexcept;
    void tell_of_stopping() noexcept;
    void tell_of_going_on() noexcept;

    void* context_;  // where to go on; while it runs, where its resumer goes on
    FiberContext* resumer_ = nullptr;
    const void* thread_ = nullptr;  // an address that no other thread has
    void* exceptions_of_thread_ = nullptr;
    void* exceptions_[2] = {};  // the fiber's while it does not run, else its resumer's
    State state_ = State::fresh;
    Entry entry_;
    void* argument_;
    FiberStack stack_;
    // Of the address sanitizer and the thread sanitizer.
    void* fake_stack_ = nullptr;
    void* resumer_fake_stack_ = nullptr;
    const void* resumer_stack_ = nullptr;
    std::size_t resumer_stack_size_ = 0;
    void* history_ = nullptr;
    void* resumer_history_ = nullptr;
};

}  // namespace lariat
