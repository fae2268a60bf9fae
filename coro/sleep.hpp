// SPDX-License-Identifier: MIT
// sleep(), sleep_until() and yield(): waiting for time to pass, and letting others run.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/runtime/ready.hpp>

namespace lariat {

namespace detail {

class Sleep final : public Operation<Sleep>, private Timer {
public:
    explicit Sleep(Duration duration) noexcept : Timer(on_fire), duration_(duration) {}
    explicit Sleep(TimePoint until) noexcept : Timer(on_fire), until_(until) {}
    void await_resume() const { check(); }

private:
    friend Operation<Sleep>;

    bool begin() noexcept;
    static void on_fire(Timer& timer) noexcept { static_cast<Sleep&>(timer).finish(); }
    bool withdraw() noexcept override { return disarm(), true; }
    const char* verb() const noexcept override { return "sleep"; }

    Duration duration_ = Duration::zero();
    TimePoint until_ = TimePoint::min();
};

class Yield final : public Operation<Yield>, private Ready {
public:
    Yield() noexcept : Ready(on_ready) {}
    void await_resume() const { check(); }

private:
    friend Operation<Yield>;

    bool begin() noexcept;
    static void on_ready(Ready& ready) noexcept { static_cast<Yield&>(ready).finish(); }
    bool withdraw() noexcept override { return unlink(), true; }
    const char* verb() const noexcept override { return "yield"; }
};

}  // namespace detail

/// Waits until `duration` has passed; at least one turn of the loop, also for zero and negative durations.
[[nodiscard]] inline detail::Sleep sleep(Duration duration) noexcept { return detail::Sleep(duration); }

/// Waits until Reactor::now() has come to `time`; at least one turn of the loop, also when it is past.
[[nodiscard]] inline detail::Sleep sleep_until(TimePoint time) noexcept { return detail::Sleep(time); }

/// Goes on in the next turn of the loop, after everything that is ready now. For loops that compute for long.
[[nodiscard]] inline detail::Yield yield() noexcept { return {}; }

}  // namespace lariat
