// SPDX-License-Identifier: MIT
// ChannelCore: values handed from coroutine to coroutine in order, with room for some in between. What Channel and
// Queue are made of; not for users.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/io/base/error.hpp>

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat {

/// Giving something to a Channel or a Queue that was closed.
class ChannelClosed : public Error {
public:
    ChannelClosed() : Error("the channel was closed") {}
};

namespace detail {

template <class T>
class ChannelCore;

/// Gives a value: to one that waits for it, into the room, or waits for either.
template <class T>
class GiveValue final : public QueuedOperation<GiveValue<T>> {
public:
    GiveValue(ChannelCore<T>& core, T&& value, const char* verb) noexcept
        : core_(core), value_(std::move(value)), verb_(verb) {}
    void await_resume() const {
        this->check();
        if (refused_) throw ChannelClosed();
    }

private:
    friend Operation<GiveValue, QueuedWait>;
    friend ChannelCore<T>;

    bool begin() noexcept { return core_.give(*this); }
    const char* verb() const noexcept override { return verb_; }

    ChannelCore<T>& core_;
    T value_;
    const char* verb_;
    bool refused_ = false;
};

template <class T>
class TakeValue final : public QueuedOperation<TakeValue<T>> {
public:
    TakeValue(ChannelCore<T>& core, const char* verb) noexcept : core_(core), verb_(verb) {}
    std::optional<T> await_resume() {
        this->check();
        return std::move(value_);
    }

private:
    friend Operation<TakeValue, QueuedWait>;
    friend ChannelCore<T>;

    bool begin() noexcept { return core_.take(*this); }
    const char* verb() const noexcept override { return verb_; }

    ChannelCore<T>& core_;
    std::optional<T> value_;
    const char* verb_;
};

template <class T>
class ChannelCore {
    static_assert(std::is_nothrow_move_constructible_v<T>, "what is handed over must move without throwing");
    static_assert(safe_as_temporary<T>,
                  "an aggregate that owns something; g++ 12 destroys such temporaries of a co_await expression twice "
                  "(PR 107288): give the class a constructor");

public:
    ChannelCore(std::size_t capacity, const char* what) : givers_(what), takers_(what), room_(capacity) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return room_.size(); }
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }

    /// True when the value was taken out of `value`.
    bool try_give(T& value) noexcept {
        if (closed_) return false;
        if (!takers_.empty()) {
            auto& taker = takers_.template front<TakeValue<T>>();
            taker.value_.emplace(std::move(value));
            takers_.serve(taker);
            return true;
        }
        if (size_ == room_.size()) return false;
        room_[(first_ + size_) % room_.size()].emplace(std::move(value));
        ++size_;
        return true;
    }
    bool give(GiveValue<T>& giver) noexcept {
        giver.refused_ = closed_;
        if (closed_ || try_give(giver.value_)) return true;
        givers_.push(giver);
        return false;
    }

    std::optional<T> try_take() noexcept {
        std::optional<T> value;
        if (size_ > 0) {
            value = std::exchange(room_[first_], std::nullopt);
            first_ = (first_ + 1) % room_.size();
            --size_;
        }
        if (givers_.empty()) return value;
        auto& giver = givers_.template front<GiveValue<T>>();
        if (value) {
            room_[(first_ + size_) % room_.size()].emplace(std::move(giver.value_));
            ++size_;
        } else {
            value.emplace(std::move(giver.value_));
        }
        givers_.serve(giver);
        return value;
    }
    bool take(TakeValue<T>& taker) noexcept {
        taker.value_ = try_take();
        if (taker.value_ || closed_) return true;
        takers_.push(taker);
        return false;
    }

    void close() noexcept {
        closed_ = true;
        takers_.serve_all();  // with nothing: they wait only when there is nothing
        while (!givers_.empty()) {
            givers_.template front<GiveValue<T>>().refused_ = true;
            givers_.serve_front();
        }
    }

private:
    WaitQueue givers_;  // while the room is full
    WaitQueue takers_;  // while it is empty
    std::vector<std::optional<T>> room_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    bool closed_ = false;
};

}  // namespace detail
}  // namespace lariat
