// SPDX-License-Identifier: MIT
// shield() and checkpoint(): the two things a Task says about its own cancellation: not now, and now.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/coro/task.hpp>

#include <coroutine>
#include <utility>

namespace lariat {

namespace detail {

template <class T>
class ShieldAwaiter final : public TaskAwaiter<T> {
public:
    using TaskAwaiter<T>::TaskAwaiter;

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        context_ = parent.promise().context();
        context_->shield();
        return !this->start(parent, *context_);
    }
    T await_resume() {
        context_->unshield();
        return TaskAwaiter<T>::await_resume();
    }

private:
    CancelContext* context_ = nullptr;
};

template <class T>
class ShieldedTask {
public:
    explicit ShieldedTask(Task<T> task) noexcept : task_(std::move(task)) {}
    ShieldAwaiter<T> operator co_await() && noexcept { return ShieldAwaiter<T>(task_.release()); }

private:
    Task<T> task_;
};

class Checkpoint final : public Operation<Checkpoint> {
public:
    Checkpoint() noexcept = default;
    void await_resume() const { check(); }

private:
    friend Operation<Checkpoint>;

    static bool begin() noexcept { return true; }
    bool withdraw() noexcept override { return true; }
    const char* verb() const noexcept override { return "checkpoint"; }
};

}  // namespace detail

/// Runs `task` to its own end whatever is asked meanwhile, also in a Task that is cancelled already: for cleanup.
///
/// Cancellation: is remembered; the next wait behind the shield throws. A function that returns Deferred forgets it, as
/// it forgets every cancellation that finds no wait to interrupt. Limits inside the shield, and cancel() of what is
/// spawned inside it, work as ever: shield(with_timeout(1s, say_goodbye())).
template <class T>
[[nodiscard]] Task<T> shield(Task<T> task) {
    co_return co_await detail::Hidden(detail::ShieldedTask<T>(std::move(task)));
}

/// Throws Cancelled in a Task that was cancelled and goes on at once in any other: for loops that compute and do not
/// wait. It lets nobody else run; see yield().
[[nodiscard]] inline detail::Checkpoint checkpoint() noexcept { return {}; }

}  // namespace lariat
