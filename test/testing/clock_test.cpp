// SPDX-License-Identifier: MIT
#include <lariat/testing/clock.hpp>

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/testing/assertions.hpp>
#include <lariat/testing/logs.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace lariat {
namespace {

using testing::AssertionFailed;
using testing::Clock;

TEST_CASE("G05 time stands still until it is advanced, and is at its end before the first call is made") {
    Clock clock;
    std::vector<double> seen;
    clock.call_later(1s, [&] { seen.push_back(clock.seconds()); });
    clock.call_later(3s, [&] { seen.push_back(clock.seconds()); });
    clock.advance(999ms);
    CHECK(seen.empty());
    CHECK(clock.seconds() == doctest::Approx(0.999));
    clock.advance(1501ms);
    CHECK(seen == std::vector{2.5});
    clock.advance(10s);
    CHECK(seen == std::vector{2.5, 12.5});
    CHECK_THROWS_AS(clock.advance(-1s), UsageError);
}

TEST_CASE("G05 calls are made in the order of their times, and what they ask for at once is made in the same step") {
    Clock clock;
    std::string order;
    clock.call_later(2s, [&] { order += 'c'; });
    clock.call_later(1s, [&] {
        order += 'a';
        clock.call_later(0s, [&] { order += 'd'; });
        clock.call_later(1s, [&] { order += "late"; });
    });
    clock.call_later(1s, [&] { order += 'b'; });
    clock.advance(2s);
    CHECK(order == "abcd");
    CHECK(clock.delayed_calls().size() == 1);
}

TEST_CASE("G05 pump() advances by each step, and a call can be moved and cancelled") {
    Clock clock;
    int made = 0;
    const DelayedCall moved = clock.call_later(1s, [&] { ++made; });
    DelayedCall cancelled = clock.call_later(1s, [&] { made += 100; });
    DelayedCall(moved).reset(2s);
    cancelled.cancel();
    clock.pump({1s, 500ms});
    CHECK(made == 0);
    CHECK(moved.active());
    clock.pump({500ms});
    CHECK(made == 1);
    CHECK_FALSE(moved.active());
}

TEST_CASE("G05 what a call throws comes out of advance(), when the others have been made") {
    Clock clock;
    testing::LoggedErrors errors;
    int made = 0;
    clock.call_later(1s, [] { throw std::runtime_error("first"); });
    clock.call_later(1s, [&] { ++made; });
    clock.call_later(1s, [] { throw std::runtime_error("second"); });
    CHECK_THROWS_WITH(clock.advance(1s), "first");
    CHECK(made == 1);
    CHECK(errors.flush<std::runtime_error>().size() == 1);
    clock.advance(1s);
}

TEST_CASE("a Clock is a Reactor: code that takes one runs on it, coroutines and threads' work too") {
    Clock clock;
    Reactor& reactor = clock;
    std::string order;
    reactor.call_later(5s, [&] { order += 'r'; });
    reactor.call_in_thread([&] { order += 't'; });
    reactor.fire_system_event("startup");  // threads work when the reactor runs
    clock.call_later(0s, [&] {
        spawn(
            [](std::string& record) -> Task<> {
                co_await sleep(3s);
                record += 's';
                co_await sleep(3s);
                record += 'S';
            },
            std::ref(order));
    });
    Deferred<> limited;
    limited.add_timeout(4s, clock);
    clock.advance(0s);
    CHECK(order == "t");
    clock.pump({3s, 1s});
    CHECK(order == "ts");
    testing::failure_result_of<TimedOut>(limited);
    clock.pump({1s, 1s});
    CHECK(order == "tsrS");
}

TEST_CASE("what never comes to rest is said so") {
    Clock clock;
    Function<void()> again;
    again = [&] { clock.call_later(0s, [&] { again(); }); };
    again();
    CHECK_THROWS_AS(clock.advance(0s), AssertionFailed);
    for (DelayedCall& call : clock.delayed_calls()) call.cancel();
}

TEST_CASE("run() on a Clock, where nobody else moves the time, jumps to what comes next") {
    Clock clock;
    const auto nap = []() -> Task<int> {
        co_await sleep(90min);
        co_return 7;
    };
    CHECK(run(clock, nap()) == 7);
    CHECK(clock.seconds() == doctest::Approx(5400));
}

}  // namespace
}  // namespace lariat
