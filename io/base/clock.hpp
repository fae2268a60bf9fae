// SPDX-License-Identifier: MIT
// Time as lariat means it: monotonic, in nanoseconds. Only a Backend reads a clock; everybody else is told the time.
#pragma once

#include <chrono>
#include <cstdint>

namespace lariat {

using Duration = std::chrono::nanoseconds;

/// The time line of TimePoint: CLOCK_MONOTONIC on real backends, virtual time on simulated ones. It cannot be asked
/// for the time itself; see io::Backend::now() and Reactor::now().
struct MonotonicClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = Duration;
    using time_point = std::chrono::time_point<MonotonicClock, Duration>;
    static constexpr bool is_steady = true;
};

using TimePoint = MonotonicClock::time_point;

/// A deadline that never comes.
inline constexpr TimePoint never = TimePoint::max();

/// `from + delay`, held at `never` instead of overflowing.
constexpr TimePoint saturating_add(TimePoint from, Duration delay) noexcept {
    if (delay > Duration::zero() && from > TimePoint::max() - delay) return never;
    return from + delay;
}

inline namespace literals {
using namespace std::chrono_literals;

consteval std::size_t operator""_KiB(unsigned long long count) { return static_cast<std::size_t>(count) << 10; }
consteval std::size_t operator""_MiB(unsigned long long count) { return static_cast<std::size_t>(count) << 20; }
}  // namespace literals

}  // namespace lariat
