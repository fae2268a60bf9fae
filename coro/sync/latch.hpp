// SPDX-License-Identifier: MIT
// Latch: opens for good once it was counted down to zero.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/event.hpp>
#include <lariat/io/base/assert.hpp>

#include <cstddef>

namespace lariat {

class Latch {
public:
    explicit Latch(std::size_t count) noexcept : waiting_("a Latch"), count_(count) {}

    void count_down(std::size_t by = 1) noexcept {
        LARIAT_CHECK(by <= count_, "a Latch was counted down below zero");
        count_ -= by;
        if (count_ == 0) waiting_.serve_all();
    }
    /// Goes on when the count is zero. Cancellation: takes nothing back.
    [[nodiscard]] detail::WaitFor<Latch> wait() noexcept { return detail::WaitFor<Latch>(*this); }
    /// Counts down, now, and waits when it is awaited.
    [[nodiscard]] detail::WaitFor<Latch> arrive_and_wait(std::size_t by = 1) noexcept {
        count_down(by);
        return wait();
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    friend detail::WaitFor<Latch>;

    bool pass_or_wait(detail::QueuedWait& wait) noexcept {
        if (count_ > 0) waiting_.push(wait);
        return count_ == 0;
    }

    detail::WaitQueue waiting_;
    std::size_t count_;
};

}  // namespace lariat
