// SPDX-License-Identifier: MIT
#include <lariat/coro/run.hpp>

#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace lariat {
namespace {

using namespace literals;

// What `f` writes to stderr.
template <class F>
std::string stderr_of(F f) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::fflush(stderr);
    const int kept = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    f();
    std::fflush(stderr);
    ::dup2(kept, STDERR_FILENO);
    ::close(kept);
    std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

// The test runner handles these signals itself; a reactor leaves SIGINT alone then.
class DefaultSignals {
public:
    DefaultSignals() noexcept : interrupt_(std::signal(SIGINT, SIG_DFL)), terminate_(std::signal(SIGTERM, SIG_DFL)) {}
    DefaultSignals(const DefaultSignals&) = delete;
    DefaultSignals& operator=(const DefaultSignals&) = delete;
    ~DefaultSignals() {
        std::signal(SIGINT, interrupt_);
        std::signal(SIGTERM, terminate_);
    }

private:
    using Handler = void (*)(int);
    Handler interrupt_;
    Handler terminate_;
};

Task<int> gives(int status) {
    co_await yield();
    co_return status;
}
Task<> gives_nothing() { co_return; }
Task<> throws() {
    co_await yield();
    throw ProtocolViolation("nobody caught this");
}

TEST_CASE("run() gives main its status") {
    CHECK(run(gives(7)) == 7);
    CHECK(run(gives(0)) == 0);
    CHECK(run(gives_nothing()) == 0);
}

TEST_CASE("what escapes the task is one line on stderr and status 1") {
    int status = 0;
    CHECK(stderr_of([&] { status = run(throws()); }) == "error: lariat::ProtocolViolation: nobody caught this\n");
    CHECK(status == 1);
}

TEST_CASE("a backend that is not known is one line on stderr and status 1") {
    const char* before = std::getenv("LARIAT_BACKEND");
    const std::string kept = before ? before : "";
    ::setenv("LARIAT_BACKEND", "carrier-pigeon", 1);
    int status = 0;
    const std::string text = stderr_of([&] { status = run(gives_nothing()); });
    if (before) {
        ::setenv("LARIAT_BACKEND", kept.c_str(), 1);
    } else {
        ::unsetenv("LARIAT_BACKEND");
    }
    CHECK(status == 1);
    CHECK(text.starts_with("error: "));
    CHECK(text.find("carrier-pigeon") != std::string::npos);
    CHECK(text.find('\n') == text.size() - 1);
}

LARIAT_BACKEND_TEST_CASE("run() may be called again on its reactor") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    for (int status = 1; status < 4; ++status) CHECK(run(reactor, gives(status)) == status);
}

Task<> runs_inside(bool& refused) {
    try {
        run(*Reactor::current(), gives_nothing());
    } catch (const ReactorAlreadyRunning&) {
        refused = true;
    }
    co_return;
}
TEST_CASE("run() on a reactor that runs is refused") {
    bool refused = false;
    CHECK(run(runs_inside(refused)) == 0);
    CHECK(refused);
}

Task<> interrupted(int signal, std::string& ended) {
    std::string outcome;
    std::raise(signal);
    co_await test::record(outcome, [](Duration time) -> Task<std::string> {
        co_await sleep(time);
        co_return "slept";
    }(test::an_hour));
    ended = outcome;
    co_await yield();
    ended = "never reached";
}
LARIAT_BACKEND_TEST_CASE("SIGINT and SIGTERM cancel the task and its end is status 0") {
    const DefaultSignals signals;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    for (const int signal : {SIGINT, SIGTERM}) {
        std::string ended;
        CHECK(run(reactor, interrupted(signal, ended)) == 0);
        CHECK(ended == "Cancelled: shutdown");
        CHECK(reactor.exit_signal() == signal);
    }
}

Task<int> cleans_up() {
    std::raise(SIGINT);
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {}
    co_return 3;
}
TEST_CASE("a task that returns after Ctrl-C decides the status itself") {
    const DefaultSignals signals;
    CHECK(run(cleans_up()) == 3);
}

Task<> interrupted_server(std::string& seen) {
    Listener listener(Address::loopback(0));
    TcpStream client;
    co_await with_scope([&](TaskScope& scope) -> Task<> {
        scope.spawn(
            [](Listener& l) -> Task<> {
                co_await l.serve([](TcpStream peer) -> Task<> {
                    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
                });
            },
            std::ref(listener));
        client = co_await connect(listener.local_address());
        co_await client.write("echo");
        seen = (co_await client.read_exactly(4)).str();
        std::raise(SIGINT);
        co_await sleep(test::an_hour);
    });
}
LARIAT_BACKEND_TEST_CASE("a server is drained by Ctrl-C and leaves nothing open") {
    const DefaultSignals signals;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string seen;
    CHECK(run(reactor, interrupted_server(seen)) == 0);
    CHECK(seen == "echo");
    CHECK(reactor.backend().ledger().descriptors == 0);
    CHECK(reactor.backend().ledger().operations == 0);
}

Task<> will_not_end() {
    std::raise(SIGINT);
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {}
    std::raise(SIGINT);
    std::_Exit(5);
}
TEST_CASE("a second Ctrl-C ends the process at once") {
    const DefaultSignals signals;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) std::_Exit(run(will_not_end()));
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
}

Task<> crashes() {
    Reactor::current()->crash();
    co_await yield();
}
TEST_CASE("a reactor that crashes before the task has ended is one line and status 1") {
    int status = 0;
    const std::string text = stderr_of([&] { status = run(crashes()); });
    CHECK(status == 1);
    CHECK(text.starts_with("error: the reactor was stopped by crash() before the task had ended\n"));
}

// sleep() and yield()

Task<> naps(std::string& order, char name, Duration time) {
    co_await sleep(time);
    order += name;
}
Task<> sleeps_in_order(std::string& order) {
    co_await with_scope([&order](TaskScope& scope) -> Task<> {
        scope.spawn(naps, std::ref(order), 'c', 3ms);
        scope.spawn(naps, std::ref(order), 'a', -1s);
        scope.spawn(naps, std::ref(order), 'b', 1ms);
        order += '-';
        co_return;
    });
}
LARIAT_BACKEND_TEST_CASE("sleep() wakes in the order of the deadlines, never at once") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::string order;
    CHECK(run(reactor, sleeps_in_order(order)) == 0);
    CHECK(order == "-abc");
}

Task<> interleaves(std::string& order, char name) {
    for (int i = 0; i < 3; ++i) {
        order += name;
        co_await yield();
    }
}
Task<> yields(std::string& order) {
    co_await with_scope([&order](TaskScope& scope) -> Task<> {
        scope.spawn(interleaves, std::ref(order), 'a');
        scope.spawn(interleaves, std::ref(order), 'b');
        co_return;
    });
}
TEST_CASE("yield() lets the others run") {
    std::string order;
    CHECK(run(yields(order)) == 0);
    CHECK(order == "ababab");
}

}  // namespace
}  // namespace lariat
