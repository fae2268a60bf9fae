// SPDX-License-Identifier: MIT
// with_timeout() and with_deadline(): a limit for a Task and for everything it awaits or opens scopes for. One verb is
// bounded by its own within().
//
// Limits nest. The one that passes interrupts what lies inside it, and is TimedOut where it was set; an enclosing
// limit goes on counting. A limit that passes outside reaches the inside as Cancelled, with CancelReason::deadline.
#pragma once

#include <lariat/coro/nested_context.hpp>
#include <lariat/coro/operation.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/runtime/ready.hpp>

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

/// A cancel context with a timer.
class DeadlineScope : public NestedContext, private Timer, private Ready {
protected:
    explicit DeadlineScope(const Limit& limit) noexcept
        : NestedContext("with_timeout"), Timer(on_fire), Ready(on_ready), limit_(limit) {}
    ~DeadlineScope() = default;

    CancelContext& enter(CancelContext& outer) noexcept;
    /// Arms the timer: only what really waits needs one.
    void wait(const PromiseBase& waiter) noexcept;
    /// Throws TimedOut when this limit ended the Task.
    void leave(const Failure& failure);

private:
    void expire() noexcept;
    static void on_fire(Timer& timer) noexcept;
    static void on_ready(Ready& ready) noexcept { static_cast<DeadlineScope&>(ready).expire(); }

    Reactor* reactor_ = nullptr;
    Limit limit_;
    bool expired_ = false;  // the context was cancelled by this limit and by nothing before it
};

template <class T>
using BoundedTask = NestedTask<T, DeadlineScope, Limit>;

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
