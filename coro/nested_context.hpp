// SPDX-License-Identifier: MIT
// A Task with a cancel context of its own inside the one around it: what with_timeout() and with_token() are made of.
// Not for users.
#pragma once

#include <lariat/coro/promise.hpp>
#include <lariat/coro/task.hpp>

#include <coroutine>
#include <utility>

namespace lariat::detail {

/// The context inside; what is asked of the outer one is handed on.
class NestedContext : private Cancellable {
public:
    NestedContext(const NestedContext&) = delete;
    NestedContext& operator=(const NestedContext&) = delete;

protected:
    explicit NestedContext(const char* verb) noexcept : verb_(verb) {}
    ~NestedContext() = default;

    /// Before the Task starts, when it waits, and behind its end.
    CancelContext& enter_inside(CancelContext& outer) noexcept {
        outer_ = &outer;
        if (outer.is_cancelled()) inner_.request(outer.reason());
        return inner_;
    }
    void wait_inside(const PromiseBase& waiter) noexcept { outer_->begin_wait(*this, waiter); }
    void leave_inside() noexcept { outer_->end_wait(); }

    CancelContext inner_{true};

private:
    void cancel(CancelReason reason) noexcept override { inner_.cancel(reason); }
    WaitInfo info() const noexcept override { return {.verb = verb_, .inner = &inner_}; }

    const char* verb_;
    CancelContext* outer_ = nullptr;
};

/// Awaits a Task inside a `Scope`: a NestedContext with `CancelContext& enter(outer)`, `wait(waiter)` and
/// `leave(failure)`, where `failure` is what the Task ended with.
template <class T, class Scope>
class NestedAwaiter final : public TaskAwaiter<T>, private Scope {
public:
    template <class Argument>
    NestedAwaiter(typename TaskAwaiter<T>::Handle task, const Argument& argument)
        : TaskAwaiter<T>(task), Scope(argument) {}

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        if (this->start(parent, this->enter(*parent.promise().context()))) return false;
        this->wait(parent.promise());
        return true;
    }
    T await_resume() {
        this->leave(this->promise().has_failed() ? this->promise().raised() : Failure());
        return TaskAwaiter<T>::await_resume();
    }
};

template <class T, class Scope, class Argument>
class NestedTask {
public:
    NestedTask(Task<T> task, Argument argument) noexcept : task_(std::move(task)), argument_(std::move(argument)) {}
    NestedAwaiter<T, Scope> operator co_await() && noexcept {
        return NestedAwaiter<T, Scope>(task_.release(), argument_);
    }

private:
    Task<T> task_;
    Argument argument_;
};

}  // namespace lariat::detail
