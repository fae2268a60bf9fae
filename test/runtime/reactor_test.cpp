// SPDX-License-Identifier: MIT
#include <lariat/runtime/reactor.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/descriptors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::test;
using namespace std::chrono_literals;

namespace {

/// A Ready that does what the test says.
struct ReadyCall : Ready {
    explicit ReadyCall(Function<void()> f)
        : Ready([](Ready& ready) noexcept { static_cast<ReadyCall&>(ready).function(); }), function(std::move(f)) {}
    Function<void()> function;
};

}  // namespace

TEST_SUITE_BEGIN("runtime reactor");

LARIAT_BACKEND_TEST_CASE("R01 run blocks until stop, and no handler is entered while another one runs") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int depth = 0;
    int deepest = 0;
    int handled = 0;
    const auto inner = [&] {
        deepest = std::max(deepest, ++depth);
        if (++handled == 2) reactor.stop();
        --depth;
    };
    reactor.call_later(0s, [&] {
        deepest = std::max(deepest, ++depth);
        reactor.call_later(0s, inner);
        reactor.call_from_thread(inner);
        CHECK(handled == 0);
        --depth;
    });
    CHECK(reactor.run(false) == 0);
    CHECK(handled == 2);
    CHECK(deepest == 1);
}

LARIAT_KERNEL_TEST_CASE("R02 a turn runs calls from threads, then what is ready, then timers, then looks for I/O") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe pipe;
    pipe.put("x");
    std::string order;
    WatchedPipe reader(pipe.read_end());
    reader.on_read = [&]() -> Failure {
        pipe.take();
        order += 'i';
        return {};
    };
    ReadyCall ready([&] { order += 'r'; });
    reactor.add_reader(reader);
    reactor.call_later(0s, [&] { order += 't'; });
    reactor.schedule(ready);
    reactor.call_from_thread([&] { order += 'c'; });
    reactor.iterate();
    CHECK(order.substr(0, 3) == "crt");
    while (order.size() < 4) reactor.iterate();
    CHECK(order == "crti");
}

LARIAT_BACKEND_TEST_CASE("R02 H01 calls made by a call from a thread wait for the next turn; all keep their order") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    reactor.call_from_thread([&] {
        order += 'a';
        reactor.call_from_thread([&] { order += 'd'; });
    });
    reactor.call_from_thread([&] { order += 'b'; });
    reactor.call_later(0s, [&] { order += 'c'; });
    CHECK(order.empty());
    reactor.iterate();
    CHECK(order == "abc");
    reactor.iterate();
    CHECK(order == "abcd");
}

LARIAT_BACKEND_TEST_CASE("R02 an idle loop sleeps until its next timer instead of turning") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const TimePoint begin = reactor.now();
    const std::uint64_t waits = reactor.backend().statistics().waits;
    reactor.call_later(30ms, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(reactor.now() - begin >= 30ms);
    CHECK(reactor.backend().statistics().waits - waits < 20);
}

LARIAT_BACKEND_TEST_CASE("R02 what makes itself ready again and again starves neither timers nor stop") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int runs = 0;
    std::optional<ReadyCall> forever;
    forever.emplace([&] {
        ++runs;
        reactor.schedule(*forever);
    });
    reactor.schedule(*forever);
    reactor.call_later(1ms, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(runs > 1);
    CHECK(forever->is_scheduled());
}

LARIAT_BACKEND_TEST_CASE(
    "R02 ready elements run in order; a chain of them shares a turn; a destroyed one does not run") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    ReadyCall second([&] { order += 'b'; }), chained([&] { order += 'd'; });
    ReadyCall first([&] {
        order += 'a';
        reactor.schedule(chained);
    });
    std::optional<ReadyCall> dead;
    dead.emplace([&] { order += 'x'; });
    ReadyCall third([&] { order += 'c'; });
    reactor.schedule(first);
    reactor.schedule(second);
    reactor.schedule(*dead);
    reactor.schedule(third);
    dead.reset();
    reactor.iterate();
    CHECK(order == "abcd");
}

LARIAT_BACKEND_TEST_CASE(
    "R03 stop only marks: the handler goes on, and shutdown fires behind the timers of that turn") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { order += 's'; });
    reactor.call_later(0s, [&] {
        reactor.stop();
        CHECK(reactor.running());
        order += 'a';
    });
    reactor.call_later(0s, [&] { order += 'b'; });
    reactor.run(false);
    CHECK(order == "abs");
    CHECK_FALSE(reactor.running());
}

LARIAT_BACKEND_TEST_CASE("R03 stopping what does not run, or twice, is an error") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    CHECK_THROWS_WITH_AS(reactor.stop(), "Can't stop reactor that isn't running.", ReactorNotRunning);
    reactor.call_later(0s, [&] {
        reactor.stop();
        CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    });
    reactor.run(false);
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
}

LARIAT_BACKEND_TEST_CASE("R04 run inside run is an error; run after a stop is not, unlike in Twisted") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int runs = 0;
    const auto once = [&] {
        ++runs;
        CHECK_THROWS_AS(reactor.run(false), ReactorAlreadyRunning);
        CHECK(reactor.running());
        reactor.stop();
    };
    reactor.call_later(0s, once);
    reactor.run(false);
    reactor.call_later(0s, once);
    reactor.run(false);
    CHECK(runs == 2);
}

LARIAT_KERNEL_TEST_CASE("R05 crash leaves at once, fires nothing, disconnects nothing, and run may follow") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe pipe;
    WatchedPipe reader(pipe.read_end());
    reactor.add_reader(reader);
    bool shut_down = false;
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { shut_down = true; });
    reactor.call_later(0s, [&] {
        reactor.crash();
        CHECK_FALSE(reactor.running());
    });
    DelayedCall pending = reactor.call_later(1h, [] {});
    reactor.run(false);
    CHECK_FALSE(shut_down);
    CHECK(reader.lost.empty());
    CHECK(reactor.readers().size() == 1);
    CHECK(pending.active());
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);

    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(shut_down);
    CHECK(reader.lost.size() == 1);
}

LARIAT_BACKEND_TEST_CASE("R05 crash in a startup trigger ends run before the first turn") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    bool called = false;
    reactor.call_when_running([&] { reactor.crash(); });
    reactor.call_later(0s, [&] { called = true; });
    reactor.run(false);
    CHECK_FALSE(called);
}

LARIAT_KERNEL_TEST_CASE("R06 iterate makes one turn without run, and waits no longer than it is told") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    bool called = false;
    reactor.call_later(0s, [&] {
        called = true;
        CHECK_FALSE(reactor.running());
        CHECK(Reactor::current() == &reactor);
    });
    reactor.iterate();
    CHECK(called);
    CHECK(Reactor::current() == nullptr);

    Pipe pipe;
    WatchedPipe reader(pipe.read_end());
    reactor.add_reader(reader);
    reactor.iterate(1ms);
    CHECK(reader.reads == 0);
    pipe.put("x");
    while (reader.reads == 0) reactor.iterate(1h);
    reactor.remove_all();
}

LARIAT_BACKEND_TEST_CASE("R06 iterate may be called from inside a handler") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    ReadyCall inner([&] { order += 'i'; }), behind([&] { order += 'b'; });
    ReadyCall outer([&] {
        order += 'o';
        reactor.schedule(inner);
        reactor.iterate();
        order += 'O';
    });
    reactor.call_later(0s, [&] { order += 't'; });
    reactor.schedule(outer);
    reactor.schedule(behind);
    reactor.iterate();
    CHECK(order == "obitO");
}

LARIAT_BACKEND_TEST_CASE(
    "R07 call_when_running waits for startup, in order, can be taken back, and is direct when running") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    reactor.add_system_event_trigger(Phase::before, "startup", [&] { order += 'a'; });
    reactor.add_system_event_trigger(Phase::after, "startup", [&] { order += 'c'; });
    reactor.add_system_event_trigger(Phase::during, "startup", [&] { order += 'b'; });
    reactor.call_when_running([&] {
        order += 'd';
        const SystemEvents::Trigger direct = reactor.call_when_running([&] { order += 'e'; });
        CHECK_FALSE(direct);
        order += 'f';
    });
    const SystemEvents::Trigger unwanted = reactor.call_when_running([&] { order += 'x'; });
    CHECK(unwanted);
    reactor.remove_system_event_trigger(unwanted);
    CHECK_THROWS_AS(reactor.remove_system_event_trigger(unwanted), UsageError);
    reactor.call_when_running([&] {
        order += 'g';
        reactor.stop();
    });
    reactor.run(false);
    CHECK(order == "abcdefg");
}

LARIAT_BACKEND_TEST_CASE("R12 the reactor is running from during startup until during shutdown") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::vector<std::string> seen;
    const auto note = [&](Phase phase, const char* event, const char* name) {
        reactor.add_system_event_trigger(phase, event, [&, name] {
            seen.push_back(std::string(name) + (reactor.running() ? " yes" : " no"));
            CHECK(Reactor::current() == &reactor);
        });
    };
    note(Phase::before, "startup", "before startup");
    note(Phase::during, "startup", "during startup");
    note(Phase::after, "startup", "after startup");
    note(Phase::before, "shutdown", "before shutdown");
    note(Phase::during, "shutdown", "during shutdown");
    note(Phase::after, "shutdown", "after shutdown");
    reactor.call_when_running([&] { reactor.stop(); });
    CHECK_FALSE(reactor.running());
    reactor.run(false);
    CHECK_FALSE(reactor.running());
    CHECK(seen
          == std::vector<std::string>{"before startup no", "during startup yes", "after startup yes",
                                      "before shutdown yes", "during shutdown no", "after shutdown no"});
}

LARIAT_BACKEND_TEST_CASE("R20 a reactor takes the backend it is given, in code or by the environment") {
    Reactor by_kind(ReactorOptions().backend(backend_kind));
    const std::string name(by_kind.backend().name());
    CHECK(io::backend_kind(name) == backend_kind);
    Reactor by_object(io::make_backend(backend_kind));
    CHECK(by_object.backend().name() == name);

    const char* setting = std::getenv("LARIAT_BACKEND");
    const std::optional<std::string> before = setting ? std::optional<std::string>(setting) : std::nullopt;
    ::setenv("LARIAT_BACKEND", name.c_str(), 1);
    CHECK(Reactor().backend().name() == name);
    ::setenv("LARIAT_BACKEND", "select", 1);
    CHECK_THROWS_AS(Reactor(), UsageError);
    if (before) {
        ::setenv("LARIAT_BACKEND", before->c_str(), 1);
    } else {
        ::unsetenv("LARIAT_BACKEND");
    }
}

LARIAT_BACKEND_TEST_CASE("R23 what calls from threads and triggers throw is logged with a traceback and ends nothing") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.call_from_thread([] { throw UsageError("the call failed"); });
    reactor.add_system_event_trigger(Phase::during, "startup", [] { throw UsageError("the trigger failed"); });
    reactor.add_system_event_trigger(Phase::during, "shutdown", [] { throw UsageError("another trigger failed"); });
    reactor.call_from_thread([&] { reactor.stop(); });
    reactor.run(false);
    CHECK(logs.count("while calling from thread") == 1);
    CHECK(logs.count("the call failed") == 1);
    CHECK(logs.count("the trigger failed") == 1);
    CHECK(logs.count("another trigger failed") == 1);
    CHECK(logs.count("Unhandled Error") == 2);
    CHECK(logs.count("UsageError") == 3);
    CHECK(logs.count("Main loop terminated.") == 1);
}

LARIAT_BACKEND_TEST_CASE("reactors nest and know which of them is current") {
    Reactor outer(ReactorOptions().backend(backend_kind));
    Reactor inner(ReactorOptions().backend(backend_kind));
    CHECK(Reactor::current() == nullptr);
    outer.call_later(0s, [&] {
        inner.call_later(0s, [&] {
            CHECK(Reactor::current() == &inner);
            inner.stop();
        });
        inner.run(false);
        CHECK(Reactor::current() == &outer);
        outer.stop();
    });
    outer.run(false);
    CHECK(Reactor::current() == nullptr);
}

LARIAT_BACKEND_TEST_CASE("a reactor that dies drops the calls it was given, and what they own") {
    const auto captured = std::make_shared<int>(0);
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.call_from_thread([captured] { *captured = 1; });
        reactor.call_later(0s, [captured] { *captured = 1; });
        reactor.call_when_running([captured] { *captured = 1; });
    }
    CHECK(captured.use_count() == 1);
    CHECK(*captured == 0);
}

TEST_SUITE_END();
