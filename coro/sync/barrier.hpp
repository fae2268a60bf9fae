// SPDX-License-Identifier: MIT
// Barrier: a number of coroutines that go on together, again and again.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/io/base/assert.hpp>

#include <cstddef>

namespace lariat {

class Barrier;

namespace detail {

class ArriveAtBarrier final : public QueuedOperation<ArriveAtBarrier> {
public:
    explicit ArriveAtBarrier(Barrier& barrier) noexcept : barrier_(barrier) {}
    bool await_resume() const {
        check();
        return last_;
    }

private:
    friend Operation<ArriveAtBarrier, QueuedWait>;

    bool begin() noexcept;
    bool withdraw() noexcept override;
    const char* verb() const noexcept override { return "arrive_and_wait"; }

    Barrier& barrier_;
    bool last_ = false;
};

}  // namespace detail

class Barrier {
public:
    explicit Barrier(std::size_t parties) noexcept : waiting_("a Barrier"), parties_(parties) {
        LARIAT_CHECK(parties > 0, "a Barrier is for one party at least");
    }

    /// Waits until all parties have arrived; true for the one that came last. The barrier is then ready for the next
    /// round.
    ///
    /// Cancellation: takes the arrival back; the others go on waiting. A round that was complete first is delivered.
    [[nodiscard]] detail::ArriveAtBarrier arrive_and_wait() noexcept { return detail::ArriveAtBarrier(*this); }
    /// Those that wait now.
    [[nodiscard]] std::size_t arrived() const noexcept { return arrived_; }

private:
    friend detail::ArriveAtBarrier;

    detail::WaitQueue waiting_;
    std::size_t parties_;
    std::size_t arrived_ = 0;
};

inline bool detail::ArriveAtBarrier::begin() noexcept {
    if (barrier_.arrived_ + 1 < barrier_.parties_) {
        ++barrier_.arrived_;
        barrier_.waiting_.push(*this);
        return false;
    }
    barrier_.arrived_ = 0;
    barrier_.waiting_.serve_all();
    return last_ = true;
}
inline bool detail::ArriveAtBarrier::withdraw() noexcept {
    unlink();
    --barrier_.arrived_;
    return true;
}

}  // namespace lariat
