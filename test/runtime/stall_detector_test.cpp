// SPDX-License-Identifier: MIT
// A loop that does not come around is reported while it does not.
#include <lariat/runtime/stall_detector.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/watched_logs.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>

using namespace lariat;
using test::WatchedLogs;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("runtime threads");

LARIAT_KERNEL_TEST_CASE("a callback that holds the loop is reported while it does, and its end as well") {
    WatchedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind).stall_limit(20ms));
    reactor.call_later(0s, [&] { logs.wait_for("the loop has been held for more than 20 ms\n  "); });
    DelayedCall poll;
    Function<void()> wait_for_end = [&] {
        if (logs.text().find("the loop goes on after about") != std::string::npos) return reactor.stop();
        poll = reactor.call_later(1ms, [&] { wait_for_end(); });
    };
    reactor.call_later(0s, [&] { wait_for_end(); });
    CHECK(reactor.run() == 0);
}

LARIAT_KERNEL_TEST_CASE("a loop that waits, or turns, is not stalled") {
    WatchedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind).stall_limit(1h));
    int turns = 0;
    Function<void()> turn = [&] {
        if (++turns == 50) return reactor.stop();
        reactor.call_later(0s, [&] { turn(); });
    };
    reactor.call_later(0s, [&] { turn(); });
    CHECK(reactor.run() == 0);
    CHECK(logs.text().find("held") == std::string::npos);
}

TEST_CASE("LARIAT_STALL_MS is the limit of programs that set none") {
    for (const char* bad : {"0", "-5", "soon", "10ms"}) {
        CAPTURE(bad);
        setenv("LARIAT_STALL_MS", bad, 1);
        CHECK_THROWS_WITH_AS(
            Reactor(),
            (std::string("LARIAT_STALL_MS=") + bad + ": it must be a number of milliseconds, 1 or more").c_str(),
            UsageError);
    }
    setenv("LARIAT_STALL_MS", "20", 1);
    WatchedLogs logs;
    Reactor reactor(ReactorOptions().backend(io::BackendKind::epoll));
    unsetenv("LARIAT_STALL_MS");
    reactor.call_later(0s, [&] {
        logs.wait_for("the loop has been held for more than 20 ms");
        reactor.stop();
    });
    CHECK(reactor.run() == 0);
}
