// SPDX-License-Identifier: MIT
// with_timeout() and with_deadline(): a limit for a Task and for everything it awaits or opens scopes for. One verb is
// bounded by its own within().
//
// Limits nest. The one that passes interrupts what lies inside it, and is TimedOut where it was set; an enclosing
// limit goes on counting. A limit that passes outside reaches the inside as Cancelled, with CancelReason::deadline.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/runtime/ready.hpp>

#include <coroutine>
#include <utility>

namespace lariat {

namespace detail {

/// When a limit passes: a time after the await begins, or a point in time.
class Limit {
public:
    explicit Limit(Duration duration) noexcept : duration_(duration) {}
    explicit Limit(TimePoint deadline) noexcept : deadline_(deadline), is_deadline_(true) {}

    void begin(TimePoint now) noexcept {
        if (deadline_ == unset) deadline_ = saturating_add(now, duration_);
    }
    [[nodiscard]] TimePoint deadline() const noexcept { return deadline_; }
    [[noreturn]] void raise() const;

private:
    static constexpr TimePoint unset = TimePoint::min();

    Duration duration_ = Duration::zero();
    TimePoint deadline_ = unset;
    bool is_deadline_ = false;  // that was given, not the duration
};

/// A cancel context inside another one, with a timer. What is asked of the outer one is handed on.
class DeadlineScope : private Cancellable, private Timer, private Ready {
public:
    explicit DeadlineScope(const Limit& limit) noexcept : Timer(on_fire), Ready(on_ready), limit_(limit) {}
    DeadlineScope(const DeadlineScope&) = delete;
    DeadlineScope& operator=(const DeadlineScope&) = delete;

protected:
    ~DeadlineScope() = default;

    /// Before the Task starts, and when it waits; the timer is armed only for what really waits.
    CancelContext& enter(CancelContext& outer) noexcept;
    void wait(const PromiseBase& waiter) noexcept;
    /// Behind the end of the Task; `failure` is what it ended with. Throws TimedOut when this limit ended it.
    void leave(const Failure& failure);

private:
    void cancel(CancelReason reason) noexcept override { inner_.cancel(reason); }
    WaitInfo info() const noexcept override { return {.verb = "with_timeout", .inner = &inner_}; }
    void expire() noexcept;
    static void on_fire(Timer& timer) noexcept;
    static void on_ready(Ready& ready) noexcept { static_cast<DeadlineScope&>(ready).expire(); }

    CancelContext inner_{true};
    CancelContext* outer_ = nullptr;
    Reactor* reactor_ = nullptr;
    Limit limit_;
    bool expired_ = false;  // the inner context was cancelled by this limit and by nothing before it
};

template <class T>
class DeadlineAwaiter final : public TaskAwaiter<T>, private DeadlineScope {
public:
    DeadlineAwaiter(typename TaskAwaiter<T>::Handle task, const Limit& limit) noexcept
        : TaskAwaiter<T>(task), DeadlineScope(limit) {}

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        if (this->start(parent, enter(*parent.promise().context()))) return false;
        wait(parent.promise());
        return true;
    }
    T await_resume() {
        leave(this->promise().has_failed() ? this->promise().raised() : Failure());
        return TaskAwaiter<T>::await_resume();
    }
};

template <class T>
class BoundedTask {
public:
    BoundedTask(Task<T> task, const Limit& limit) noexcept : task_(std::move(task)), limit_(limit) {}
    DeadlineAwaiter<T> operator co_await() && noexcept { return DeadlineAwaiter<T>(task_.release(), limit_); }

private:
    Task<T> task_;
    Limit limit_;
};

}  // namespace detail

/// Cancels `task` once `limit` has passed since the await began, and returns when it has ended.
///
/// Cancellation: reaches the task. Errors: TimedOut when the task ended because of this limit. A task that gives a
/// result all the same, or fails with something else while it cleans up, is believed.
template <class T>
[[nodiscard]] Task<T> with_timeout(Duration limit, Task<T> task) {
    co_return co_await detail::Hidden(detail::BoundedTask<T>(std::move(task), detail::Limit(limit)));
}

/// The same with a point of the reactor's time: `reactor.now() + 5s`.
template <class T>
[[nodiscard]] Task<T> with_deadline(TimePoint deadline, Task<T> task) {
    co_return co_await detail::Hidden(detail::BoundedTask<T>(std::move(task), detail::Limit(deadline)));
}

}  // namespace lariat
