// SPDX-License-Identifier: MIT
// Condition: waiting, without the Mutex that guards some state, until somebody says that the state has changed.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/sync/mutex.hpp>
#include <lariat/coro/task.hpp>

namespace lariat {

class Condition {
public:
    Condition() noexcept : waiting_("a Condition") {}

    /// Unlocks `mutex`, which the caller holds, waits to be notified, and locks it again.
    ///
    /// Cancellation: the mutex is held again also when this throws. A notification that came first is delivered.
    [[nodiscard]] Task<> wait(Mutex& mutex);
    /// Waits until `predicate()`, which is called with the mutex held.
    ///
    /// Lifetime: what the predicate refers to must outlive the wait.
    template <class Predicate>
    [[nodiscard]] Task<> wait(Mutex& mutex, Predicate predicate) {
        while (!predicate()) co_await wait(mutex);
    }

    /// The one that has waited longest; nobody when none waits.
    void notify_one() noexcept {
        if (!waiting_.empty()) waiting_.serve_front();
    }
    void notify_all() noexcept { waiting_.serve_all(); }

private:
    friend detail::WaitFor<Condition>;

    bool pass_or_wait(detail::QueuedWait& wait) noexcept {
        waiting_.push(wait);
        return false;
    }

    detail::WaitQueue waiting_;
};

}  // namespace lariat
