// SPDX-License-Identifier: MIT
// WaitQueue: the coroutines that wait for one thing, first come first served. The nodes lie in the awaiters: waiting
// allocates nothing. Not for users.
//
// Serving fixes the outcome of a wait at once: a cancellation or a deadline that comes later takes nothing away. The
// coroutine goes on from the loop, never inside the call that served it.
//
// Threads: the reactor's whose coroutines wait; all of them must be of one reactor. Checked where one waits or is
// served.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/runtime/ready.hpp>

namespace lariat::detail {

/// The part of a queued verb that does not depend on it. One hook serves two lists, one after the other: the queue, and
/// what the reactor is to run.
class QueuedWait : public OperationBase, protected Ready {
protected:
    QueuedWait() noexcept : Ready(on_served) {}
    ~QueuedWait() = default;

    bool withdraw() noexcept override { return Ready::unlink(), true; }

private:
    friend class WaitQueue;
    static void on_served(Ready& ready) noexcept { static_cast<QueuedWait&>(ready).finish(); }
};

class WaitQueue {
public:
    /// `what` is the thing waited for, for the text of the panics: "a Mutex".
    explicit WaitQueue(const char* what) noexcept : what_(what) {}
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;
    ~WaitQueue() {
        if (!empty()) panic_destroyed();
    }

    [[nodiscard]] bool empty() const noexcept { return waits_.empty(); }
    /// The one that has waited longest.
    template <class Wait>
    [[nodiscard]] Wait& front() noexcept {
        return static_cast<Wait&>(static_cast<QueuedWait&>(waits_.front()));
    }

    void push(QueuedWait& wait) noexcept;
    /// Ends the wait of one that is in the queue.
    void serve(QueuedWait& wait) noexcept;
    void serve_front() noexcept { serve(front<QueuedWait>()); }
    void serve_all() noexcept {
        while (!empty()) serve_front();
    }

private:
    void check_thread() const noexcept;
    [[noreturn]] void panic_destroyed() const noexcept;

    IntrusiveList<Ready> waits_;
    Reactor* reactor_ = nullptr;    // while somebody waits
    const void* thread_ = nullptr;  // that one's
    const char* what_;
};

/// Base of a verb that waits in a WaitQueue.
template <class Verb>
using QueuedOperation = Operation<Verb, QueuedWait>;

}  // namespace lariat::detail
