// SPDX-License-Identifier: MIT
// TestRun and TestCase: the steps and their order, the limit, and what is said of each thing that is left behind.
#include <lariat/testing/test_case.hpp>

#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/testing/doctest.hpp>
#include <lariat/testing/protocols.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace lariat {
namespace {

using testing::TestCase;
using testing::TestOptions;
using testing::TestRun;
using Problems = std::vector<TestRun::Problem>;

TestOptions on(io::BackendKind kind) { return TestOptions().backend(kind); }
TestOptions on_sim() { return on(io::BackendKind::sim); }

/// What is said of a test whose body is `body(test)`.
template <class Case = TestCase>
Problems run_test(const TestOptions& options, std::function<Task<>(std::type_identity_t<Case>&)> body) {
    TestRun run(options);
    {
        Case test;
        run.run(test, [&] { return body(test); });
    }
    return run.problems();
}

std::string all(const Problems& problems) {
    std::string text;
    for (const TestRun::Problem& each : problems) text += each.text + "\n";
    return text;
}

#define CHECK_SAID(problems, part)                                      \
    do {                                                                \
        const std::string said = all(problems);                         \
        CHECK_MESSAGE(said.find(part) != said.npos, "it says: ", said); \
    } while (false)

struct Recorder : TestCase {
    Task<> set_up() override {
        record("set_up");
        add_cleanup([this] { record("first cleanup"); });
        if (fail_in == "set_up") throw std::runtime_error("in set_up");
        co_await sleep(1ms);
    }
    Task<> tear_down() override {
        record("tear_down");
        co_await sleep(1ms);
    }
    Task<> test() {
        record("test");
        add_cleanup([this]() -> Task<> { return sleeping_cleanup(); });
        add_cleanup([this] {
            record("third cleanup");
            if (fail_in == "cleanup") throw std::runtime_error("in a cleanup");
            return succeed();
        });
        if (fail_in == "test") throw std::runtime_error("in the test");
        co_return;
    }
    Task<> sleeping_cleanup() {
        co_await sleep(1ms);
        record("second cleanup");
    }
    void record(const char* what) { order += (order.empty() ? "" : ", ") + std::string(what); }

    static inline std::string order, fail_in;
};

Problems run_recorder(const std::string& fail_in) {
    Recorder::order.clear();
    Recorder::fail_in = fail_in;
    return run_test<Recorder>(on_sim(), [](Recorder& test) { return test.test(); });
}

const std::string everything = "set_up, test, third cleanup, second cleanup, first cleanup, tear_down";

TEST_CASE("V02 set_up, the test, cleanups from last to first, tear_down; each may wait") {
    CHECK(run_recorder("").empty());
    CHECK(Recorder::order == everything);
}

TEST_CASE("V02 a test that fails is cleaned up and torn down") {
    CHECK_SAID(run_recorder("test"), "the test failed:\n");
    CHECK(Recorder::order == everything);
}

TEST_CASE("V02 when set_up fails there is no test and no tear_down, but there are cleanups") {
    const Problems problems = run_recorder("set_up");
    CHECK_SAID(problems, "set_up() failed:\n");
    CHECK_SAID(problems, "in set_up");
    CHECK(problems.size() == 1);
    CHECK(Recorder::order == "set_up, first cleanup");
}

TEST_CASE("V02 a cleanup that fails is reported, and the rest still run") {
    const Problems problems = run_recorder("cleanup");
    CHECK_SAID(problems, "a cleanup failed:\n");
    CHECK(problems.size() == 1);
    CHECK(Recorder::order == everything);
}

TEST_CASE("V04 a test's patches end with it") {
    int value = 1;
    CHECK(run_test(on_sim(), [&](TestCase& test) -> Task<> {
              test.patch(value, 2);
              CHECK(value == 2);
              co_return;
          }).empty());
    CHECK(value == 1);
}

LARIAT_BACKEND_TEST_CASE("V01 the reactor runs while the test waits, and the test may be a Deferred or a coroutine") {
    bool called = false;
    CHECK(run_test(on(backend_kind), [&](TestCase& test) -> Task<> {
              CHECK(test.reactor().running());
              CHECK(Reactor::current() == &test.reactor());
              Deferred<> fires;
              test.reactor().call_later(1ms, [fires, &called] {
                  called = true;
                  fires.callback();
              });
              return as_task(fires);
          }).empty());
    CHECK(called);
}

LARIAT_BACKEND_TEST_CASE("V01 a test that takes too long is cancelled and says where it stood") {
    bool cancelled = false;
    const Problems problems = run_test(on(backend_kind).timeout(20ms), [&](TestCase&) -> Task<> {
        try {
            co_await sleep(1h);
        } catch (const Cancelled&) {
            cancelled = true;
            throw;
        }
    });
    CHECK(cancelled);
    CHECK(problems.size() == 1);
    CHECK_SAID(problems, "the test was still running after 0.02 s:");
    CHECK_SAID(problems, "waits for sleep");
    CHECK_SAID(problems, "test_case_test.cpp:");
}

TEST_CASE("V01 the limit is 120 seconds unless set, of virtual time on a simulated network") {
    CHECK(TestOptions().timeout() == Duration(120s));
    CHECK(run_test(on_sim(), [](TestCase&) -> Task<> { co_await sleep(119s); }).empty());
    CHECK_SAID(run_test(on_sim(), [](TestCase&) -> Task<> { co_await sleep(121s); }), "still running after 120 s");
}

TEST_CASE("V01 each step has the limit for itself, and an expected TimedOut is none") {
    CHECK(run_test(on_sim().timeout(10s), [](TestCase& test) -> Task<> {
              test.add_cleanup([]() -> Task<> { co_await sleep(9s); });
              co_await sleep(9s);
          }).empty());
    const Problems problems = run_test(on_sim(), [](TestCase&) -> Task<> { co_await sleep(10s).within(1s); });
    CHECK_SAID(problems, "the test failed:\n");
    CHECK_SAID(problems, "lariat::TimedOut");
}

TEST_CASE("V01 a test that will not end is given up, and the next one runs") {
    const Problems problems = run_test(
        on_sim().timeout(1s), [](TestCase&) -> Task<> { co_await shield([]() -> Task<> { co_await sleep(24h); }()); });
    CHECK_SAID(problems, "the test was still running after 1 s");
    CHECK_SAID(problems, "the test does not end although it was cancelled");
    CHECK(run_test(on_sim(), [](TestCase&) -> Task<> { co_return; }).empty());
}

LARIAT_BACKEND_TEST_CASE("V03 a delayed call that is left behind is said with its place, and not made") {
    bool made = false;
    const Problems problems = run_test(on(backend_kind), [&](TestCase& test) -> Task<> {
        test.reactor().call_later(50ms, [&] { made = true; });
        test.reactor().call_later(0s, [] {});  // this one is made
        co_return;
    });
    REQUIRE(problems.size() == 1);
    CHECK_SAID(problems, "left behind: a delayed call, due in 0.0");
    CHECK_SAID(problems, "test_case_test.cpp:");
    CHECK_FALSE(made);
}

LARIAT_BACKEND_TEST_CASE("V03 ports, connections and listeners that are left behind are named") {
    const Problems problems = run_test(on(backend_kind), [&](TestCase& test) -> Task<> {
        const auto factory = std::make_shared<testing::AccumulatingFactory>();
        const auto port = test.reactor().listen_tcp(0, factory, ListenOptions().interface("127.0.0.1"));
        test.reactor().connect_tcp("127.0.0.1", port->host().port(), std::make_shared<testing::AccumulatingFactory>());
        co_await factory->protocol_connection_made;
    });
    CHECK(problems.size() == 3);
    CHECK_SAID(problems, "left behind: a port, <AccumulatingFactory on ");
    CHECK_SAID(problems, "left behind: a connection, from 127.0.0.1:");

    Listener* kept = nullptr;
    CHECK_SAID(run_test(on(backend_kind),
                        [&](TestCase& test) -> Task<> {
                            kept = new Listener(Address::loopback(0));
                            test.reactor().add_system_event_trigger(Phase::before, "shutdown",
                                                                    [&kept] { delete kept; });
                            co_return;
                        }),
               "left behind: 2 open descriptors");
}

TEST_CASE("V03 a connection that is being made is named") {
    CHECK_SAID(run_test(on_sim(),
                        [](TestCase& test) -> Task<> {
                            test.world().isolate(test.world().add_host("far"));
                            test.reactor().connect_tcp("far", 7, std::make_shared<ClientFactory>(),
                                                       ConnectOptions().no_timeout());
                            co_await sleep(1ms);
                        }),
               "left behind: a connection that is being made, to far:7");
}

Task<> linger() { co_await sleep(1h); }
Deferred<> linger_deferred() { co_await sleep(1h); }

LARIAT_BACKEND_TEST_CASE("V03 tasks and functions that return Deferred and have not ended are named") {
    const Problems problems = run_test(on(backend_kind), [&](TestCase& test) -> Task<> {
        spawn(linger);
        auto deferred = std::make_shared<Deferred<>>(linger_deferred());
        test.reactor().add_system_event_trigger(Phase::before, "shutdown", [deferred] {
            deferred->add_errback([](const Failure&) {});
            deferred->cancel();
        });
        co_return;
    });
    CHECK(problems.size() == 2);
    CHECK_SAID(problems, "linger()");
    CHECK_SAID(problems, "linger_deferred()");
    CHECK_SAID(problems, "waits for sleep");
}

LARIAT_BACKEND_TEST_CASE("V03 what is closed in time is not left behind") {
    CHECK(run_test(on(backend_kind), [&](TestCase& test) -> Task<> {
              const auto factory = std::make_shared<testing::AccumulatingFactory>();
              const auto client = std::make_shared<testing::AccumulatingFactory>();
              const auto port = test.reactor().listen_tcp(0, factory, ListenOptions().interface("127.0.0.1"));
              const auto connector = test.reactor().connect_tcp("127.0.0.1", port->host().port(), client);
              co_await factory->protocol_connection_made;
              co_await client->protocol_connection_made;
              connector->disconnect();
              port->stop_listening();
          }).empty());
}

TEST_CASE("V03 a logged error fails the test unless it is flushed") {
    const auto logs = [](TestCase&) -> Task<> {
        log(LogLevel::error, "plumbing", "the pipe leaks");
        co_return;
    };
    CHECK_SAID(run_test(on_sim(), logs), "an error was logged by plumbing: the pipe leaks");
    CHECK(run_test(on_sim(), [](TestCase& test) -> Task<> {
              static_cast<void>(fail(UserError()));
              log(LogLevel::error, "plumbing", "the pipe leaks");
              CHECK(test.flush_logged_errors<UserError>().size() == 1);
              CHECK(test.flush_logged_errors().size() == 1);
              co_return;
          }).empty());
}

struct Holder : TestCase {
    Deferred<int> held = fail<int>(UserError());
};

TEST_CASE("V05 a failure that nobody looked at fails the test that dropped it, and no other") {
    const Problems dropped = run_test(on_sim(), [](TestCase&) -> Task<> {
        static_cast<void>(fail(UserError()));
        co_return;
    });
    REQUIRE(dropped.size() == 1);
    CHECK(dropped.front().failure.check<UserError>());
    CHECK_SAID(dropped, "Unhandled error in Deferred created at ");
    // Also one that dies with the test's own class.
    CHECK_SAID(run_test<Holder>(on_sim(), [](Holder&) -> Task<> { co_return; }), "Unhandled error in Deferred");
    CHECK(run_test(on_sim(), [](TestCase&) -> Task<> { co_return; }).empty());
}

TEST_CASE("V03 a program of a host that fails, or does not end, is the test's failure") {
    const Problems problems = run_test(on_sim(), [](TestCase& test) -> Task<> {
        test.start(
            test.world().add_host("server"), "serve",
            [](std::string what) -> Task<> {
                co_await sleep(1ms);
                throw std::runtime_error(what);
            },
            std::string("out of tea"));
        co_await sleep(1s);
    });
    CHECK_SAID(problems, "program serve of host server failed:");
    CHECK_SAID(problems, "out of tea");
    CHECK(problems.size() == 1);
}

TEST_CASE("a test whose reactor is stopped is told so, and its cleanups may still wait") {
    bool cleaned = false;
    const Problems problems = run_test(on_sim(), [&](TestCase& test) -> Task<> {
        test.add_cleanup([&cleaned]() -> Task<> {
            co_await sleep(1ms);
            cleaned = true;
        });
        test.reactor().stop();
        co_await sleep(1s);
    });
    CHECK(cleaned);
    CHECK_SAID(problems, "the test was cancelled because its reactor was stopped");
}

// The macros of testing/doctest.hpp, where they pass.

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}
Task<> serve(std::string where) {
    Listener listener(where);
    co_await listener.serve(echo);
}

LARIAT_SIM_TEST_CASE("V01 the body is on a network whose other hosts run programs", TestOptions().seeds(5)) {
    start(world().add_host("server", {"10.0.0.1"}), "serve", serve, std::string("10.0.0.1:7"));
    co_await sleep(1ms);
    TcpStream stream = co_await connect("server", 7);
    co_await stream.write("hello");
    CHECK((co_await stream.read_exactly(5)).text() == "hello");
}

LARIAT_TEST_CASE("V01 a coroutine on a real reactor, or whatever LARIAT_BACKEND says") {
    SUBCASE("once") { co_await sleep(1ms); }
    SUBCASE("and again") { co_await sleep(2ms); }
    REQUIRE(reactor().running());
}

LARIAT_DEFERRED_TEST_CASE("V01 a body that returns a Deferred", TestOptions().timeout(10s)) {
    Deferred<> fires;
    reactor().call_later(1ms, [fires] { fires.callback(); });
    return fires;
}

LARIAT_SIM_TEST_CASE_FIXTURE(Recorder, "V02 a body with a fixture") {
    co_await sleep(1s);
    record("body");
}

}  // namespace
}  // namespace lariat
