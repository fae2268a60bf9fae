// SPDX-License-Identifier: MIT
#include <lariat/runtime/signals.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/fake_deferred.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <thread>

using namespace lariat;
using namespace lariat::test;
using namespace std::chrono_literals;

namespace {

void own_handler(int) {}

/// Gives a signal a disposition while it lives: the test runner has its own for both.
class Disposition {
public:
    Disposition(int signal, void (*handler)(int)) : signal_(signal) {
        struct sigaction action = {};
        action.sa_handler = handler;
        sigaction(signal_, &action, &before_);
    }
    ~Disposition() { sigaction(signal_, &before_, nullptr); }

    static bool is(int signal, void (*handler)(int)) {
        struct sigaction present = {};
        return sigaction(signal, nullptr, &present) == 0 && present.sa_handler == handler;
    }

private:
    int signal_;
    struct sigaction before_ = {};
};

}  // namespace

TEST_SUITE_BEGIN("runtime signals");

LARIAT_BACKEND_TEST_CASE("R14 SIGINT and SIGTERM stop the reactor, say so, and are remembered") {
    for (int signal : {SIGINT, SIGTERM}) {
        CapturedLogs logs;
        const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, own_handler);
        Reactor reactor(ReactorOptions().backend(backend_kind));
        bool shut_down = false;
        reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { shut_down = true; });
        reactor.add_system_event_trigger(Phase::before, "startup", [] {
            CHECK(Disposition::is(SIGINT, SIG_DFL));
            CHECK(Disposition::is(SIGTERM, own_handler));
        });
        reactor.add_system_event_trigger(Phase::after, "startup",
                                         [] { CHECK_FALSE(Disposition::is(SIGINT, SIG_DFL)); });
        reactor.call_later(0s, [&] { std::raise(signal); });
        reactor.run();
        CHECK(shut_down);
        CHECK(reactor.exit_signal() == signal);
        CHECK(logs.count(signal == SIGINT ? "Received SIGINT, shutting down." : "Received SIGTERM, shutting down.")
              == 1);
        CHECK(Disposition::is(SIGINT, SIG_DFL));
        CHECK(Disposition::is(SIGTERM, own_handler));
    }
}

LARIAT_BACKEND_TEST_CASE("R14 a program that handles or ignores SIGINT itself keeps doing so") {
    for (auto* handler : {&own_handler, SIG_IGN}) {
        const Disposition interrupt(SIGINT, handler), terminate(SIGTERM, SIG_DFL);
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.call_later(0s, [&] {
            CHECK(Disposition::is(SIGINT, handler));
            std::raise(SIGINT);
            reactor.call_later(0s, [] { std::raise(SIGTERM); });
        });
        reactor.run();
        CHECK(reactor.exit_signal() == SIGTERM);
        CHECK(Disposition::is(SIGTERM, SIG_DFL));
    }
}

LARIAT_BACKEND_TEST_CASE("R14 run(false) touches no signal, and exit_signal forgets an earlier run's") {
    const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, SIG_DFL);
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.call_later(0s, [] { std::raise(SIGTERM); });
    reactor.run();
    CHECK(reactor.exit_signal() == SIGTERM);
    reactor.call_later(0s, [&] {
        CHECK(Disposition::is(SIGINT, SIG_DFL));
        CHECK(Disposition::is(SIGTERM, SIG_DFL));
        reactor.stop();
    });
    reactor.run(false);
    CHECK(reactor.exit_signal() == 0);
}

LARIAT_BACKEND_TEST_CASE("R14 a second signal during a shutdown that takes its time changes nothing") {
    CapturedLogs logs;
    const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, SIG_DFL);
    Reactor reactor(ReactorOptions().backend(backend_kind));
    FakeDeferred later;
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] {
        reactor.call_later(0s, [] { std::raise(SIGINT); });
        reactor.call_later(1ms, [&] { later.fire(); });
        return later;
    });
    reactor.call_later(0s, [] { std::raise(SIGTERM); });
    reactor.run();
    CHECK(logs.count("Received SIGINT") == 1);
    CHECK(logs.count("Traceback") == 0);
}

LARIAT_BACKEND_TEST_CASE("R14 crash restores the handlers as well") {
    const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, SIG_IGN);
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.call_later(0s, [&] { reactor.crash(); });
    reactor.run();
    CHECK(Disposition::is(SIGINT, SIG_DFL));
    CHECK(Disposition::is(SIGTERM, SIG_IGN));
}

LARIAT_BACKEND_TEST_CASE("a handler that the program installs while the reactor runs stays") {
    const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, SIG_DFL);
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.call_later(0s, [&] {
        std::signal(SIGINT, own_handler);
        reactor.stop();
    });
    reactor.run();
    CHECK(Disposition::is(SIGINT, own_handler));
    CHECK(Disposition::is(SIGTERM, SIG_DFL));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("runtime signals threads");

LARIAT_BACKEND_TEST_CASE("R14 every running reactor that asked hears of a signal, also asleep on another thread") {
    const Disposition interrupt(SIGINT, SIG_DFL), terminate(SIGTERM, SIG_DFL);
    std::atomic<int> running{0};
    std::atomic<int> signals[2] = {};
    const auto run_one = [&](int index) {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.call_when_running([&] { ++running; });
        reactor.run();
        signals[index] = reactor.exit_signal();
    };
    std::thread first(run_one, 0), second(run_one, 1);
    while (running < 2) std::this_thread::yield();
    CHECK_FALSE(Disposition::is(SIGTERM, SIG_DFL));
    std::raise(SIGTERM);
    first.join();
    second.join();
    CHECK(signals[0] == SIGTERM);
    CHECK(signals[1] == SIGTERM);
    CHECK(Disposition::is(SIGTERM, SIG_DFL));
}

TEST_SUITE_END();
