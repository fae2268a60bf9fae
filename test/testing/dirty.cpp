// SPDX-License-Identifier: MIT
// Tests that must fail, and what doctest must say of each: a line `// says: TEXT` in front of a case is a text that its
// output holds, `// hides: TEXT` one that it does not, `// passes` stands before those that pass all the same. Looked
// at by must_fail.py.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/testing/assertions.hpp>
#include <lariat/testing/doctest.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace lariat;
using testing::TestOptions;

// says: left behind: a delayed call, due in 3600 s, asked for at
// says: dirty.cpp:29
// says: 1 failed
LARIAT_TEST_CASE("a test that leaves a timer") {
    reactor().call_later(1h, [] {});
    co_return;
}

// says: left behind: a port, <ClientFactory on
// hides: open descriptors
LARIAT_TEST_CASE("a test that leaves a port") {
    reactor().listen_tcp(0, factory_for<Protocol>(), ListenOptions().interface("127.0.0.1"));
    co_return;
}

Task<> wait_for_godot() { co_await sleep(1h); }

// says: left behind: a coroutine that has not ended:
// says: wait_for_godot()
// says: waits for sleep
LARIAT_TEST_CASE("a test that leaves a task") {
    spawn(wait_for_godot);
    co_return;
}

// says: an error was logged by deferred: Unhandled error in Deferred created at
// says: std::runtime_error: nobody looked
LARIAT_TEST_CASE("a test that drops a failure") {
    static_cast<void>(fail(std::runtime_error("nobody looked")));
    co_return;
}

// says: an error was logged by plumbing: the pipe leaks
LARIAT_TEST_CASE("a test that logs an error") {
    log(LogLevel::error, "plumbing", "the pipe leaks");
    co_return;
}

// passes
LARIAT_TEST_CASE("a test that expects the error it logs") {
    log(LogLevel::error, "plumbing", "the pipe leaks");
    CHECK(flush_logged_errors().size() == 1);
    co_return;
}

// says: the test was still running after 0.01 s: it waits for sleep
// says: dirty.cpp:
// says: wait_for_godot()
LARIAT_TEST_CASE("a test that takes too long", TestOptions().timeout(10ms)) { co_await wait_for_godot(); }

struct Hasty : testing::TestCase {
    static constexpr Duration timeout = 20ms;
};

// says: the test was still running after 0.02 s
LARIAT_TEST_CASE_FIXTURE(Hasty, "a test of a class whose tests may not take long") { co_await wait_for_godot(); }

// says: the test was still running after 0.01 s
LARIAT_TEST_CASE_FIXTURE(Hasty, "a test that may take even less", TestOptions().timeout(10ms)) {
    co_await wait_for_godot();
}

Task<> require_two(int number) {
    co_await sleep(1ms);
    REQUIRE(number == 2);
    MESSAGE("it went on");
}

// says: FATAL ERROR: REQUIRE( number == 2 ) is NOT correct!
// says: 3 == 2
// hides: it went on
// hides: the test failed
LARIAT_TEST_CASE("a test whose REQUIRE fails inside a coroutine that it awaits") {
    co_await require_two(3);
    MESSAGE("it went on");
}

// says: ERROR: CHECK( 1 == 3 ) is NOT correct!
// says: it went on
LARIAT_TEST_CASE("a test whose CHECK fails") {
    CHECK(1 == 3);
    co_await sleep(1ms);
    MESSAGE("it went on");
}

Task<> make_tea() {
    co_await sleep(1ms);
    throw std::runtime_error("out of tea");
}

// says: the test failed:
// says: make_tea()
// says: std::runtime_error: out of tea
// hides: test_case.cpp
LARIAT_TEST_CASE("a test that throws") { co_await make_tea(); }

// says: the test failed:
// says: std::runtime_error: the Deferred failed
LARIAT_DEFERRED_TEST_CASE("a test whose Deferred fails") { return fail(std::runtime_error("the Deferred failed")); }

// says: ERROR: CHECK( 1 == 3 ) is NOT correct!
// says: a cleanup failed:
// says: std::runtime_error: no mop
LARIAT_TEST_CASE("a test that fails and whose cleanup does") {
    add_cleanup([] { throw std::runtime_error("no mop"); });
    CHECK(1 == 3);
    co_return;
}

// says: FATAL ERROR: REQUIRE( number == 2 ) is NOT correct!
// says: see it again: LARIAT_SIM_SEED=1
// hides: program count
LARIAT_SIM_TEST_CASE("a test whose program on another host fails") {
    start(world().add_host("elsewhere"), "count", require_two, 4);
    co_await sleep(1s);
}

// says: ERROR: CHECK( world().seed() < 43 ) is NOT correct!
// says: see it again: LARIAT_SIM_SEED=43
// hides: LARIAT_SIM_SEED=44
LARIAT_SIM_TEST_CASE("a test that fails with one of its seeds", TestOptions().seeds(10, 40)) {
    CHECK(world().seed() < 43);
    co_return;
}

Task<> greet(TcpStream peer) {
    const Buffer name = co_await peer.read_some();
    co_await peer.write("hello, " + name.str() + "\n");
}
Task<> serve_greetings() {
    Listener listener("10.0.0.1:7");
    co_await listener.serve(greet);
}

// says: see it again: LARIAT_SIM_SEED=
LARIAT_SIM_TEST_CASE("a server greets its caller, whatever the network does", testing::TestOptions().seeds(200)) {
    start(world().add_host("server", {"10.0.0.1"}), "serve", serve_greetings);
    TcpStream server = co_await connect("server", 7);
    co_await server.write("world");
    CHECK((co_await server.read_until("\n")).text() == "hello, world\n");
}

// says: Success result expected on <Deferred at
// says: found no result instead
TEST_CASE("an ordinary test whose Deferred has not fired") { testing::success_result_of(Deferred<int>()); }

// passes
// says: Failed as expected so marking it as not failed
LARIAT_TEST_CASE("a test that is known to fail" * doctest::should_fail()) {
    CHECK(1 == 3);
    co_return;
}

// says: Should have failed but didn't! Marking it as failed!
LARIAT_TEST_CASE("a test that succeeds unexpectedly" * doctest::should_fail()) { co_return; }

// passes
// says: 1 passed
// hides: never run
LARIAT_TEST_CASE("a test that is skipped unless it is asked for" * doctest::skip(false)) { co_return; }
