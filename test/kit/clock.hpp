// SPDX-License-Identifier: MIT
// Clock: a Reactor whose time stands still until a test moves it (Twisted: task.Clock). It can be handed to whatever
// takes a Reactor, and its timers are the real ones. It is not running: what waits for that (call_when_running(), work
// for threads) waits until run() or fire_system_event("startup").
//
// Threads: one.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/runtime/delayed_call.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/testing/memory_backend.hpp>

#include <exception>
#include <initializer_list>
#include <source_location>

namespace lariat::testing {

class Clock : public Reactor {
public:
    /// It is 0 o'clock: seconds() is 0.
    Clock();

    /// Moves the time to its end at once, then makes every call that is due, in the order of their times, and those
    /// they ask for without a delay; and runs whatever else the loop has to do, until nothing is left for this time.
    /// seconds() inside a call is therefore the end of the step.
    ///
    /// Errors: what a call asked for with the Clock's own call_later() throws comes out of here, once the others have
    /// been made; of several, the first, and the others are logged. UsageError for a negative `by`; AssertionFailed
    /// when there is always something left to do.
    void advance(Duration by);
    /// advance() by each of `steps`.
    void pump(std::initializer_list<Duration> steps);
    /// One turn of the loop at the present time: a round of what was sent, called or completed. True when something
    /// was received, connected or closed.
    bool turn();
    /// Whether the last turn left nothing to be done at the present time.
    [[nodiscard]] bool is_idle() noexcept { return memory().is_idle(); }

    /// As Reactor::call_later(), but what `f` throws comes out of advance().
    DelayedCall call_later(Duration delay, Function<void()> f,
                           const std::source_location& where = std::source_location::current());

    /// For the parts of the kit.
    [[nodiscard]] MemoryBackend& memory() noexcept { return static_cast<MemoryBackend&>(backend()); }

private:
    void keep(std::exception_ptr thrown) noexcept;

    std::exception_ptr thrown_;  // by a call of the advance() that is going on
};

}  // namespace lariat::testing
