// SPDX-License-Identifier: MIT
// RateLimiter: a token bucket. Tokens come at a steady rate until the bucket is full; acquire() waits for them, first
// come first served.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's, whose time it goes by.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/timer_queue.hpp>

#include <cstdint>

namespace lariat {

class RateLimiter;

namespace detail {

class AcquireTokens final : public QueuedOperation<AcquireTokens> {
public:
    AcquireTokens(RateLimiter& limiter, std::int64_t count) noexcept : limiter_(limiter), count_(count) {}
    void await_resume() const { check(); }
    [[nodiscard]] std::int64_t count() const noexcept { return count_; }

private:
    friend Operation<AcquireTokens, QueuedWait>;

    bool begin() noexcept;
    bool withdraw() noexcept override;
    const char* verb() const noexcept override { return "acquire"; }

    RateLimiter& limiter_;
    std::int64_t count_;
};

}  // namespace detail

class RateLimiter : private Timer {
public:
    /// `tokens` in every `period`, evenly spread: RateLimiter(100, 1s, 10) gives one every 10 ms and lets ten pass at
    /// once after a pause. The bucket is full at first. Errors: UsageError when a number is not positive, or tokens
    /// would come faster than one a nanosecond.
    RateLimiter(std::int64_t tokens, Duration period, std::int64_t burst);
    RateLimiter(const RateLimiter&) = delete;
    RateLimiter& operator=(const RateLimiter&) = delete;

    /// Waits for `count` tokens and takes them. Errors: UsageError when the bucket never holds so many.
    ///
    /// Cancellation: tokens that were taken first are gone, and this returns; otherwise none was taken.
    [[nodiscard]] detail::AcquireTokens acquire(std::int64_t count = 1);
    /// False when there are too few, or others wait. Errors: as acquire().
    [[nodiscard]] bool try_acquire(std::int64_t count = 1);
    /// Those that could be taken now.
    [[nodiscard]] std::int64_t available() const;

private:
    friend detail::AcquireTokens;

    bool acquire_or_wait(detail::AcquireTokens& wait) noexcept;
    bool take(std::int64_t count, TimePoint now) noexcept;
    void serve() noexcept;
    void check(std::int64_t count) const;
    /// For when there will be so many tokens.
    void arm_for(std::int64_t count) noexcept;
    static void on_fire(Timer& timer) noexcept { static_cast<RateLimiter&>(timer).serve(); }

    detail::WaitQueue waiting_;
    Reactor* reactor_ = nullptr;            // of those that wait
    Duration interval_;                     // between two tokens
    Duration capacity_;                     // how long an empty bucket takes to fill
    TimePoint full_at_ = TimePoint::min();  // the whole state: how far the bucket is from being full
};

}  // namespace lariat
