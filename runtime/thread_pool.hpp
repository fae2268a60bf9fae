// SPDX-License-Identifier: MIT
// ThreadPool: threads for work that blocks. A Reactor has one of its own (Reactor::call_in_thread); others may be made.
//
// Threads: every function may be called from any thread, except that start(), stop() and the destructor must not be
// called from the pool's own. Threads are made when there is work and none is free.
#pragma once

#include <lariat/io/base/function.hpp>
#include <lariat/runtime/failure.hpp>

namespace lariat {

class ThreadPool {
public:
    /// At least `minimum` threads once started, never more than `maximum`.
    explicit ThreadPool(unsigned minimum = 5, unsigned maximum = 20);
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    /// stop(); work that was queued and never started is destroyed.
    ~ThreadPool();

    /// Work queued before this begins now.
    void start();
    /// Finishes the queued work, then ends and joins every thread. May be started again.
    void stop();
    /// The half of stop() that does not block: `ended` is called, from the last thread on its way out, once the queued
    /// work is done; then stop() returns soon. False when there is no thread, then `ended` is not called.
    bool begin_stop(Function<void()> ended);

    /// Runs `work` in a thread of the pool; what it throws is logged.
    void call_in_thread(Function<void()> work);
    /// Runs `work` in a thread of the pool and then, in that thread, `on_result` with an empty Failure, or with what
    /// `work` threw.
    void call_in_thread_with_callback(Function<void(const Failure&)> on_result, Function<void()> work);
    /// From here on there are no threads: `later` is given each piece of work and calls it some time, outside of that
    /// call, on the thread that uses the pool. For simulated networks, whose runs must not depend on threads. Work that
    /// blocks blocks the program; work that waits for the loop never ends. Before the first work.
    void simulate(Function<void(Function<void()>)> later);

    /// Threads beyond a new maximum end when they have finished what they do.
    /// Errors: UsageError when `minimum` exceeds `maximum`.
    void adjust_size(unsigned minimum, unsigned maximum);

    [[nodiscard]] unsigned minimum() const;
    [[nodiscard]] unsigned maximum() const;
    /// Threads there are now, busy or not.
    [[nodiscard]] unsigned threads() const;

private:
    struct Shared;

    Shared& shared_;  // owned
};

}  // namespace lariat
