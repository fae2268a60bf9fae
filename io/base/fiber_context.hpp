// SPDX-License-Identifier: MIT
// FiberContext: a stack of its own for a function that can stop in the middle and go on later. The switch is
// Boost.Context's; this class adds the guarded stack, the bookkeeping of exceptions and what sanitizers must be told.
//
// Threads: a context belongs to the thread that resumed it first and never moves: compilers keep addresses of
// thread-local variables across switches. Resuming it on another one panics.
#pragma once

#include <lariat/io/base/fiber_stack.hpp>

#include <cstddef>

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

    /// Goes on where the function stopped; returns when it stops again or ends. Not from inside itself.
    void resume() noexcept;
    /// Stops the context the caller runs in and returns to whoever resumed it; returns with the next resume().
    static void suspend() noexcept;

    /// The context the calling code runs in; null on the thread's own stack.
    [[nodiscard]] static FiberContext* current() noexcept;
    [[nodiscard]] bool ended() const noexcept { return state_ == State::ended; }
    /// It was resumed and has not stopped; also while it has resumed another one itself.
    [[nodiscard]] bool is_running() const noexcept { return state_ == State::running; }

private:
    enum class State : unsigned char { fresh, running, suspended, ended };
    struct Switch;  // the calls of Boost.Context

    Entry entry_;
    void* argument_;
    FiberStack stack_;
    void* context_;  // where to go on; while it runs, where its resumer goes on
    FiberContext* resumer_ = nullptr;
    const void* thread_ = nullptr;  // an address that no other thread has
    void* exceptions_[2] = {};  // what the C++ runtime knows of exceptions being handled here, while it does not run
    // What the address sanitizer and the thread sanitizer need to follow the switch.
    void* fake_stack_ = nullptr;
    const void* resumer_stack_ = nullptr;
    std::size_t resumer_stack_size_ = 0;
    void* own_history_ = nullptr;
    void* resumer_history_ = nullptr;
    State state_ = State::fresh;
};

}  // namespace lariat
