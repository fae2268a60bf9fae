// SPDX-License-Identifier: MIT
// What a stopping reactor closes, in which order, and what it waits for.
#include <lariat/io/backend.hpp>
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/shutdown_listener.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/descriptors.hpp>
#include <lariat/test/support/fake_deferred.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace lariat;
using namespace lariat::test;
using namespace std::chrono_literals;

namespace {

struct Recorder final : ConnectionUser {
    explicit Recorder(std::vector<std::string>& log_) : log(log_) {}
    void received(Buffer) override {}
    void ended() override {}
    void drained() override {}
    void closed(int error_) override {
        log.push_back("connection lost");
        error = error_;
    }
    std::vector<std::string>& log;
    int error = -1;
};

/// One end is the reactor's connection, the other the test's.
struct Pair {
    Pair(Reactor& reactor, ConnectionUser& user) {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        theirs.reset(ends[1]);
        REQUIRE(reactor.backend().adopt(ends[0]) == 0);
        connection = &Connection::create(reactor, ends[0], user);
    }
    std::string received() {
        char bytes[256];
        const ssize_t got = ::read(theirs.get(), bytes, sizeof bytes);
        return got > 0 ? std::string(bytes, static_cast<std::size_t>(got)) : std::string();
    }
    UniqueFd theirs;
    Connection* connection = nullptr;
};

/// A listener with a poll in flight, as a listening port has an accept.
struct BusyListener final : ShutdownListener {
    BusyListener(Reactor& reactor_, std::vector<std::string>& log_, int fd)
        : reactor(reactor_), log(log_), poll(&done, this) {
        poll.fd = fd;
        poll.events = 1;
        reactor.add_shutdown_listener(*this);
        reactor.backend().submit(poll);
    }
    void reactor_stopping() noexcept override {
        log.push_back("stopping");
        reactor.backend().cancel(poll);
    }
    static void done(io::Op& op, io::Completion&) noexcept {
        auto& self = *static_cast<BusyListener*>(op.owner);
        self.log.push_back("stopped");
        self.unlink();
    }
    Reactor& reactor;
    std::vector<std::string>& log;
    io::PollOp poll;
};

using Log = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("runtime reactor shutdown");

LARIAT_KERNEL_TEST_CASE("R13 shutdown loses readers, writers, connections and ports, after everything before it") {
    Log log;
    Pipe pipe;
    WatchedPipe reader(pipe.read_end());
    reader.on_lost = [&] { log.push_back("reader lost"); };
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.add_reader(reader);
    Recorder user(log), idle_user(log);
    Pair pair(reactor, user), idle(reactor, idle_user);
    pair.connection->start_reading();
    BusyListener listener(reactor, log, pipe.read_end());
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { log.push_back("before"); });
    reactor.add_system_event_trigger(Phase::during, "shutdown", [&] { log.push_back("during"); });
    reactor.add_system_event_trigger(Phase::after, "shutdown", [&] { log.push_back("after"); });
    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.run(false);
    REQUIRE(log.size() == 8);
    CHECK(Log(log.begin(), log.begin() + 4) == Log{"before", "reader lost", "stopping", "during"});
    CHECK(log.back() == "after");
    CHECK(std::count(log.begin(), log.end(), "connection lost") == 2);
    CHECK(std::count(log.begin(), log.end(), "stopped") == 1);
    CHECK(reader.lost.front().check<ConnectionLost>());
    CHECK(user.error == ESHUTDOWN);
    CHECK(idle_user.error == ESHUTDOWN);
    CHECK(reactor.readers().empty());
    CHECK(reactor.backend().ledger().operations == 0);
    CHECK(reactor.backend().ledger().descriptors == 0);
}

LARIAT_KERNEL_TEST_CASE("R09 R13 nothing is closed and the loop goes on while a before-trigger waits") {
    Log log;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Recorder user(log);
    Pair pair(reactor, user);
    FakeDeferred later;
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { return later; });
    reactor.add_system_event_trigger(Phase::during, "shutdown", [&] { log.push_back("during"); });
    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.call_later(2ms, [&] {
        CHECK(log.empty());
        CHECK(reactor.running());
        CHECK(pair.connection->is_open());
        log.push_back("still running");
        later.fire();
    });
    reactor.run(false);
    CHECK(log == Log{"still running", "during", "connection lost"});
}

LARIAT_KERNEL_TEST_CASE("R13 what was written before stop still leaves") {
    Log log;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Recorder user(log);
    Pair pair(reactor, user);
    reactor.call_later(0s, [&] {
        pair.connection->write("good-bye");
        reactor.stop();
    });
    reactor.run(false);
    CHECK(pair.received() == "good-bye");
    CHECK(user.error == ESHUTDOWN);
}

LARIAT_BACKEND_TEST_CASE("R13 a listener that never unlinks does not keep run from returning") {
    struct Forgetful final : ShutdownListener {
        void reactor_stopping() noexcept override { ++told; }
        int told = 0;
    } forgetful;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.add_shutdown_listener(forgetful);
    bool after = false;
    reactor.add_system_event_trigger(Phase::after, "shutdown", [&] { after = true; });
    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(after);
    CHECK(forgetful.told == 1);
}

LARIAT_KERNEL_TEST_CASE("R04 R13 a connection made during shutdown stays, and the next run goes on with it") {
    Log log;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Recorder user(log);
    std::unique_ptr<Pair> late;
    reactor.add_system_event_trigger(Phase::after, "shutdown", [&] { late = std::make_unique<Pair>(reactor, user); });
    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(log.empty());
    REQUIRE(late);
    reactor.call_later(0s, [&] {
        CHECK(late->connection->is_open());
        late->connection->write("again");
    });
    reactor.call_later(1ms, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK(late->received() == "again");
    CHECK(log == Log{"connection lost"});
}

LARIAT_BACKEND_TEST_CASE("R05 what a crashed shutdown left behind does not end the next run") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    FakeDeferred later;
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { return later; });
    reactor.call_later(0s, [&] { reactor.stop(); });
    reactor.call_later(1ms, [&] { reactor.crash(); });
    reactor.run(false);
    REQUIRE(later.has_callback());
    bool finished = false;
    reactor.call_later(0s, [&] { later.fire(); });
    reactor.call_later(1ms, [&] {
        finished = true;
        reactor.stop();
    });
    reactor.run(false);
    CHECK(finished);
}

LARIAT_KERNEL_TEST_CASE("the destructor closes what is open, tells its users, and leaves nothing in the kernel") {
    Log log;
    Recorder user(log);
    Pipe pipe;
    std::optional<BusyListener> listener;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        Pair pair(reactor, user);
        pair.connection->start_reading();
        listener.emplace(reactor, log, pipe.read_end());
        reactor.iterate();
        CHECK(reactor.backend().ledger().operations == 2);
    }
    CHECK(user.error == ESHUTDOWN);
    CHECK(log.size() == 3);
    CHECK(log.front() == "stopping");
}

LARIAT_BACKEND_TEST_CASE("the destructor closes a port that has nothing in flight, as it has not begun to accept") {
    bool closed = false;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        Acceptor acceptor(reactor, [](int) {}, [](int) {});
        REQUIRE(acceptor.listen(Address::loopback(0), {}) == 0);
        acceptor.close([&] { closed = true; });
        CHECK_FALSE(closed);
    }
    CHECK(closed);
}

TEST_SUITE_END();
