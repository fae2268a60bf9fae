// SPDX-License-Identifier: MIT
// DeferredQueue<T>: objects put in come out in order; whoever gets first waits first.
#pragma once

#include <lariat/coro/deferred.hpp>

#include <cstddef>
#include <deque>
#include <limits>
#include <source_location>
#include <utility>

namespace lariat {

/// put() found the queue full.
class QueueOverflow : public Error {
public:
    QueueOverflow() : Error("the DeferredQueue is full") {}
};
/// get() found too many waiting.
class QueueUnderflow : public Error {
public:
    QueueUnderflow() : Error("too many wait for this DeferredQueue") {}
};

/// Those who wait for it when it is destroyed fail with AbandonedError.
template <class T>
class DeferredQueue {
public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    /// At most `size` objects are stored, and at most `backlog` gets may wait.
    explicit DeferredQueue(std::size_t size = unlimited, std::size_t backlog = unlimited)
        : size_(size), backlog_(backlog) {}
    ~DeferredQueue() {
        while (!waiting_.empty()) {
            Deferred<T> next = std::move(waiting_.front());
            waiting_.pop_front();
            detail::abandon(std::move(next));
        }
    }
    DeferredQueue(const DeferredQueue&) = delete;
    DeferredQueue& operator=(const DeferredQueue&) = delete;

    /// Gives it to the get that waits longest, whose callbacks run before this returns, or stores it.
    /// Throws QueueOverflow.
    void put(T object) {
        if (!waiting_.empty()) {
            const Deferred<T> next = std::move(waiting_.front());
            waiting_.pop_front();
            next.callback(std::move(object));
        } else if (pending_.size() < size_) {
            pending_.push_back(std::move(object));
        } else {
            throw QueueOverflow();
        }
    }

    /// The oldest object, now or when there is one. Throws QueueUnderflow.
    /// Cancellation: a waiting one leaves the queue.
    [[nodiscard]] Deferred<T> get(const std::source_location& where = std::source_location::current()) {
        if (!pending_.empty()) {
            Deferred<T> ready(where);
            T object = std::move(pending_.front());
            pending_.pop_front();
            ready.callback(std::move(object));
            return ready;
        }
        if (waiting_.size() >= backlog_) throw QueueUnderflow();
        Deferred<T> waiter([this](Deferred<T>& cancelled) { std::erase(waiting_, cancelled); }, where);
        waiting_.push_back(waiter);
        return waiter;
    }

    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

private:
    std::size_t size_;
    std::size_t backlog_;
    std::deque<T> pending_;
    std::deque<Deferred<T>> waiting_;
};

}  // namespace lariat
