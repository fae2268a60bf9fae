// SPDX-License-Identifier: MIT
#include <lariat/coro/rate_limiter.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <algorithm>

namespace lariat {

RateLimiter::RateLimiter(std::int64_t tokens, Duration period, std::int64_t burst)
    : Timer(on_fire), waiting_("a RateLimiter") {
    if (tokens <= 0 || burst <= 0 || period.count() < tokens)
        throw UsageError("a RateLimiter needs a rate and a burst above zero, and at most one token a nanosecond");
    interval_ = period / tokens;
    if (burst > Duration::max() / interval_) throw UsageError("the burst of a RateLimiter is more than time can tell");
    capacity_ = interval_ * burst;
}

void RateLimiter::check(std::int64_t count) const {
    if (count < 0 || count > capacity_ / interval_)
        throw UsageError("a RateLimiter never has as many tokens at once as were asked for; its burst is the limit");
}

detail::AcquireTokens RateLimiter::acquire(std::int64_t count) {
    check(count);
    return {*this, count};
}

bool RateLimiter::try_acquire(std::int64_t count) {
    check(count);
    return waiting_.empty() && take(count, detail::this_reactor("a RateLimiter").now());
}

std::int64_t RateLimiter::available() const {
    const TimePoint now = detail::this_reactor("a RateLimiter").now();
    return (capacity_ - (std::max(full_at_, now) - now)) / interval_;
}

bool RateLimiter::take(std::int64_t count, TimePoint now) noexcept {
    const TimePoint full_at = std::max(full_at_, now) + interval_ * count;
    if (full_at - now > capacity_) return false;
    full_at_ = full_at;
    return true;
}

bool RateLimiter::acquire_or_wait(detail::AcquireTokens& wait) noexcept {
    reactor_ = &detail::this_reactor("a RateLimiter");
    if (waiting_.empty() && take(wait.count(), reactor_->now())) return true;
    waiting_.push(wait);
    if (!is_armed()) arm_for(wait.count());  // a wait that only begins cannot be served yet
    return false;
}

void RateLimiter::arm_for(std::int64_t count) noexcept {
    reactor_->timers().arm(*this, full_at_ + interval_ * count - capacity_);
}

// Serves those in front that can be, and comes back when there will be tokens for the next.
void RateLimiter::serve() noexcept {
    disarm();
    while (!waiting_.empty()) {
        const std::int64_t count = waiting_.front<detail::AcquireTokens>().count();
        if (!take(count, reactor_->now())) return arm_for(count);
        waiting_.serve_front();
    }
}

bool detail::AcquireTokens::begin() noexcept { return limiter_.acquire_or_wait(*this); }

bool detail::AcquireTokens::withdraw() noexcept {
    unlink();
    limiter_.serve();  // those behind may want less
    return true;
}

}  // namespace lariat
