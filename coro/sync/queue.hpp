// SPDX-License-Identifier: MIT
// Queue: values from producers to consumers, a bounded number in between. It is full before memory is: producers wait.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's; Reactor::call_from_thread() brings values from
// others.
#pragma once

#include <lariat/coro/sync/channel_core.hpp>
#include <lariat/io/base/assert.hpp>

namespace lariat {

/// `T` moves without throwing. The room is made once.
template <class T>
class Queue {
public:
    /// For at least one value; Channel does with none.
    explicit Queue(std::size_t capacity) : core_(capacity, "a Queue") {
        LARIAT_CHECK(capacity > 0, "a Queue holds one value at least; Channel hands over without room");
    }

    /// Waits while the queue is full. First come, first served.
    ///
    /// Cancellation: a value that is in the queue stays there, and this returns; otherwise it dies with the await.
    /// Errors: ChannelClosed, also when the queue is closed meanwhile.
    [[nodiscard]] detail::GiveValue<T> put(T value) noexcept { return {core_, std::move(value), "put"}; }
    /// False, and `value` is untouched, when the queue is full or closed.
    [[nodiscard]] bool try_put(T& value) noexcept { return core_.try_give(value); }

    /// The oldest value; nothing when the queue is closed and empty: `while (auto job = co_await jobs.get())`.
    ///
    /// Cancellation: a value that was handed over first is delivered; otherwise none was taken.
    [[nodiscard]] detail::TakeValue<T> get() noexcept { return {core_, "get"}; }
    /// Nothing when the queue is empty.
    [[nodiscard]] std::optional<T> try_get() noexcept { return core_.try_take(); }

    /// No more values: those that wait to put get ChannelClosed; consumers get what is left, and then the end.
    void close() noexcept { core_.close(); }
    [[nodiscard]] bool is_closed() const noexcept { return core_.is_closed(); }
    [[nodiscard]] std::size_t size() const noexcept { return core_.size(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return core_.capacity(); }

private:
    detail::ChannelCore<T> core_;
};

}  // namespace lariat
