// SPDX-License-Identifier: MIT
// Channel: values from coroutine to coroutine. Without room for values in between, sender and receiver meet: send()
// returns when somebody has the value.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/channel_core.hpp>

namespace lariat {

/// `T` moves without throwing.
template <class T>
class Channel {
public:
    explicit Channel(std::size_t capacity = 0) : core_(capacity, "a Channel") {}

    /// Waits until the value was received or stored. First come, first served.
    ///
    /// Cancellation: a value that was received or stored first is sent, and this returns; otherwise nobody gets it, and
    /// it dies with the await. Errors: ChannelClosed, also when the channel is closed meanwhile.
    [[nodiscard]] detail::GiveValue<T> send(T value) noexcept { return {core_, std::move(value), "send"}; }
    /// False, and `value` is untouched, when it would have to wait or the channel is closed.
    [[nodiscard]] bool try_send(T& value) noexcept { return core_.try_give(value); }

    /// The oldest value; nothing when the channel is closed and empty.
    ///
    /// Cancellation: a value that was handed over first is delivered; otherwise none was taken.
    [[nodiscard]] detail::TakeValue<T> receive() noexcept { return {core_, "receive"}; }
    /// Nothing when it would have to wait.
    [[nodiscard]] std::optional<T> try_receive() noexcept { return core_.try_take(); }

    /// No more values: those that wait to send get ChannelClosed; what is stored can still be received.
    void close() noexcept { core_.close(); }
    [[nodiscard]] bool is_closed() const noexcept { return core_.is_closed(); }
    /// Values that are stored.
    [[nodiscard]] std::size_t size() const noexcept { return core_.size(); }

private:
    detail::ChannelCore<T> core_;
};

}  // namespace lariat
