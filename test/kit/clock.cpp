// SPDX-License-Identifier: MIT
#include <lariat/testing/clock.hpp>

#include <lariat/runtime/report.hpp>
#include <lariat/testing/assertions.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace lariat::testing {
namespace {

// What asks for this many turns at one point of time asks for ever.
constexpr int most_turns = 100'000;

}  // namespace

Clock::Clock() : Reactor(std::make_unique<MemoryBackend>()) {}

void Clock::advance(Duration by) {
    memory().advance(by);
    int turns = 0;
    do {
        if (++turns > most_turns) {
            throw AssertionFailed("the clock does not come to rest at "
                                  + std::to_string(std::chrono::duration<double>(now().time_since_epoch()).count())
                                  + " s: something asks for another turn of the loop in every turn");
        }
        turn();
    } while (!is_idle());
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Clock::pump(std::initializer_list<Duration> steps) {
    for (const Duration step : steps) advance(step);
}

bool Clock::turn() {
    const std::uint64_t before = memory().statistics().completions;
    memory().freeze(true);
    iterate(std::chrono::hours(1));  // as long as it likes: the time is frozen
    memory().freeze(false);
    return memory().statistics().completions != before;
}

DelayedCall Clock::call_later(Duration delay, Function<void()> f, const std::source_location& where) {
    auto call = [this, function = std::move(f)]() mutable {
        try {
            function();
        } catch (...) {
            keep(std::current_exception());
        }
    };
    return Reactor::call_later(delay, std::move(call), where);
}

void Clock::keep(std::exception_ptr thrown) noexcept {
    if (!thrown_) {
        thrown_ = std::move(thrown);
    } else {
        log_failure("clock", "while handling timed call", Failure(std::move(thrown)));
    }
}

}  // namespace lariat::testing
