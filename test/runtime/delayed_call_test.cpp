// SPDX-License-Identifier: MIT
#include <lariat/runtime/delayed_call.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/descriptors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("runtime delayed call");

LARIAT_BACKEND_TEST_CASE("T01 a call is made from the loop only, once, and not before its time") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int calls = 0;
    TimePoint called_at{};
    const TimePoint asked_at = reactor.now();
    const DelayedCall call = reactor.call_later(3ms, [&] {
        ++calls;
        called_at = reactor.now();
    });
    const DelayedCall at_once = reactor.call_later(0s, [&] { ++calls; });
    CHECK(calls == 0);
    CHECK(call.active());
    CHECK(call.time() >= asked_at + 3ms);
    reactor.call_later(6ms, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(calls == 2);
    CHECK(called_at >= call.time());
    CHECK_FALSE(call.active());
    CHECK_FALSE(at_once.active());
}

LARIAT_BACKEND_TEST_CASE("T01 a negative delay is refused") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    CHECK_THROWS_AS(reactor.call_later(-1ns, [] {}), UsageError);
    CHECK(reactor.delayed_calls().empty());
}

LARIAT_KERNEL_TEST_CASE(
    "T02 a call without delay that a call asks for is made in the next turn, after I/O was looked for") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::vector<std::string> log;
    Pipe pipe;
    pipe.put("x");
    WatchedPipe reader(pipe.read_end());
    reader.on_read = [&]() -> Failure {
        log.push_back("read");
        pipe.take();
        return {};
    };
    reactor.call_later(0s, [&] {
        log.push_back("first");
        reactor.add_reader(reader);
        reactor.call_later(0s, [&] { log.push_back("second"); });
    });
    // Poll results may take a turn to arrive; the second call is due all the while.
    reactor.iterate();
    CHECK(log.front() == "first");
    CHECK(std::count(log.begin(), log.end(), "second") == 0);
    while (log.size() < 3) reactor.iterate();
    CHECK(log == std::vector<std::string>{"first", "read", "second"});
}

LARIAT_KERNEL_TEST_CASE("T02 a call that always asks for the next one starves nobody") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Function<void()> again;
    int rounds = 0;
    again = [&] {
        ++rounds;
        reactor.call_later(0s, [&] { again(); });
    };
    again();
    Pipe pipe;
    WatchedPipe reader(pipe.read_end());
    reader.on_read = [&]() -> Failure {
        pipe.take();
        reactor.stop();
        return {};
    };
    reactor.add_reader(reader);
    reactor.call_later(0s, [&] { pipe.put("x"); });
    reactor.run(false);
    CHECK(rounds > 1);
}

LARIAT_BACKEND_TEST_CASE("T03 calls are made in the order of their times, and of asking among equal ones") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    std::vector<DelayedCall> calls;
    for (char name : {'a', 'b', 'c', 'd'}) calls.push_back(reactor.call_later(1h, [&order, name] { order += name; }));
    // All of them to one time; the last one moved comes last.
    const TimePoint when = reactor.now();
    for (std::size_t index : {2, 0, 3, 1}) calls[index].delay(when - calls[index].time());
    DelayedCall early = reactor.call_later(1h, [&] { order += '0'; });
    early.delay(when - early.time() - 1s);
    reactor.iterate();
    CHECK(order == "0cadb");
}

LARIAT_BACKEND_TEST_CASE("T04 cancel takes a call back, and says so when it comes too late") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int calls = 0;
    DelayedCall cancelled = reactor.call_later(0s, [&] { ++calls; });
    cancelled.cancel();
    CHECK_FALSE(cancelled.active());
    CHECK_THROWS_WITH_AS(cancelled.cancel(), "Tried to cancel an already-cancelled event.", AlreadyCancelled);
    CHECK_THROWS_AS(cancelled.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(cancelled.delay(1s), AlreadyCancelled);

    DelayedCall called;
    bool active_inside = true;
    called = reactor.call_later(0s, [&] {
        active_inside = called.active();
        CHECK_THROWS_WITH_AS(called.cancel(), "Tried to cancel an already-called event.", AlreadyCalled);
    });
    reactor.iterate();
    CHECK(calls == 0);
    CHECK_FALSE(active_inside);
    CHECK_THROWS_AS(called.cancel(), AlreadyCalled);
    CHECK_THROWS_AS(called.reset(1s), AlreadyCalled);
    CHECK_THROWS_AS(called.delay(1s), AlreadyCalled);
    CHECK_THROWS_AS(called.cancel(), DelayedCallError);
}

LARIAT_BACKEND_TEST_CASE("T05 reset counts from now, delay from the time it had") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    DelayedCall call = reactor.call_later(1h, [] {});
    const TimePoint first = call.time();
    call.delay(1h);
    CHECK(call.time() == first + 1h);
    call.delay(-2h);
    CHECK(call.time() == first - 1h);
    const TimePoint now = reactor.now();
    call.reset(5h);
    CHECK(call.time() >= now + 5h);
    CHECK(call.time() < now + 6h);

    bool ran = false;
    DelayedCall sooner = reactor.call_later(1h, [&] { ran = true; });
    sooner.reset(0s);
    reactor.iterate();
    CHECK(ran);
    CHECK(call.active());
}

LARIAT_BACKEND_TEST_CASE("T06 delayed_calls lists what is pending and nothing else") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    CHECK(reactor.delayed_calls().empty());
    DelayedCall a = reactor.call_later(1h, [] {});
    DelayedCall b = reactor.call_later(2h, [] {});
    DelayedCall now = reactor.call_later(0s, [&] { CHECK(reactor.delayed_calls().size() == 2); });
    CHECK(reactor.delayed_calls().size() == 3);
    reactor.iterate();
    b.cancel();
    REQUIRE(reactor.delayed_calls().size() == 1);
    CHECK(reactor.delayed_calls().front() == a);
    CHECK_FALSE(reactor.delayed_calls().front() == b);
    const unsigned here = std::source_location::current().line();
    const DelayedCall placed = reactor.call_later(1h, [] {});
    CHECK(placed.where().line() == here + 1);
    CHECK(std::string(placed.where().file_name()).find("delayed_call_test.cpp") != std::string::npos);
}

LARIAT_BACKEND_TEST_CASE("T08 delays longer than anything neither overflow nor fire") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    bool ran = false;
    DelayedCall longest = reactor.call_later(Duration::max(), [&] { ran = true; });
    DelayedCall centuries = reactor.call_later(std::chrono::hours(24 * 365 * 200), [&] { ran = true; });
    CHECK(longest.time() == never);
    longest.delay(1h);
    CHECK(longest.time() == never);
    centuries.delay(Duration::max());
    CHECK(centuries.time() == never);
    for (int i = 0; i < 3; ++i) centuries.delay(Duration::min() + 1ns);
    CHECK(centuries.time() == TimePoint::min());
    centuries.reset(Duration::max());
    reactor.call_later(1ms, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK_FALSE(ran);
    CHECK(longest.active());
}

LARIAT_BACKEND_TEST_CASE("T09 time is the reactor's own, monotonic, and what calls are measured by") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const double before = reactor.seconds();
    const TimePoint from = reactor.now();
    CHECK(reactor.backend().now() >= from);
    DelayedCall call = reactor.call_later(10s, [] {});
    CHECK(call.time() - from >= 10s);
    CHECK(call.time() - reactor.now() <= 10s);
    CHECK(reactor.seconds() >= before);
    CHECK(reactor.seconds() - before < 10.0);
}

LARIAT_BACKEND_TEST_CASE("R23 what a delayed call throws is logged with its traceback and ends nothing else") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    bool next_ran = false;
    reactor.call_later(0s, [] { throw UsageError("the first call failed"); });
    reactor.call_later(0s, [] { throw 17; });
    reactor.call_later(0s, [&] { next_ran = true; });
    reactor.iterate();
    CHECK(next_ran);
    CHECK(logs.count("while handling timed call") == 2);
    CHECK(logs.count("the first call failed") == 1);
    REQUIRE(logs.events().size() == 2);
    CHECK(logs.events().front().level == LogLevel::critical);
}

LARIAT_BACKEND_TEST_CASE("a handle outlives its reactor, and its call counts as cancelled then") {
    const auto captured = std::make_shared<int>(1);
    std::optional<Reactor> reactor(std::in_place, ReactorOptions().backend(backend_kind));
    DelayedCall pending = reactor->call_later(1h, [captured] {});
    DelayedCall called = reactor->call_later(0s, [] {});
    reactor->iterate();
    CHECK(captured.use_count() == 2);
    reactor.reset();
    CHECK(captured.use_count() == 1);
    CHECK_FALSE(pending.active());
    CHECK_THROWS_AS(pending.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(called.cancel(), AlreadyCalled);
    DelayedCall copy = pending;
    CHECK(copy == pending);
}

LARIAT_BACKEND_TEST_CASE("a call may own the last handle to itself") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int calls = 0;
    const auto own = std::make_shared<DelayedCall>();
    *own = reactor.call_later(0s, [&calls, own] { ++calls; });
    const auto cancelled = std::make_shared<DelayedCall>();
    *cancelled = reactor.call_later(0s, [&calls, cancelled] { ++calls; });
    cancelled->cancel();
    CHECK(cancelled.use_count() == 1);
    reactor.iterate();
    CHECK(calls == 1);
    CHECK(own.use_count() == 1);
}

LARIAT_BACKEND_TEST_CASE("calls that come and go use the same memory again") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int calls = 0;
    for (int round = 0; round < 3; ++round) {
        std::vector<DelayedCall> handles;
        for (int i = 0; i < 100; ++i) handles.push_back(reactor.call_later(0s, [&] { ++calls; }));
        for (int i = 0; i < 100; i += 2) handles[static_cast<std::size_t>(i)].cancel();
        reactor.iterate();
        // A handle of the past must not reach the call that has its place now.
        DelayedCall fresh = reactor.call_later(1h, [] {});
        for (DelayedCall& handle : handles) CHECK_FALSE(handle.active());
        CHECK(fresh.active());
        fresh.cancel();
    }
    CHECK(calls == 150);
}

TEST_SUITE_END();
