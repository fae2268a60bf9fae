// SPDX-License-Identifier: MIT
// Listening: Port and Reactor::listen_tcp.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <fcntl.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>

namespace lariat::test {
namespace {

/// While it lives no descriptor can be opened, except in the place of one that is closed.
class FullDescriptorTable {
public:
    FullDescriptorTable() {
        getrlimit(RLIMIT_NOFILE, &before_);
        for (int i = 0; i < 20; ++i) fill_.emplace_back(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));  // closes the gaps
        rlimit full = before_;
        full.rlim_cur = static_cast<rlim_t>(fill_.back().get()) + 1;
        setrlimit(RLIMIT_NOFILE, &full);
    }
    FullDescriptorTable(const FullDescriptorTable&) = delete;
    FullDescriptorTable& operator=(const FullDescriptorTable&) = delete;
    ~FullDescriptorTable() { setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
    std::vector<UniqueFd> fill_;
};

LARIAT_KERNEL_TEST_CASE("P01 listen_tcp binds and listens synchronously, before the reactor runs") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    CHECK(port->listening());
    // A blocking socket of the test's own connects although the loop never turned.
    const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = port->host();
    CHECK(connect(client.get(), address.data(), address.size()) == 0);
}

LARIAT_BACKEND_TEST_CASE("P01 the interface is every IPv4 address by default, and an IPv6 literal selects IPv6") {
    Loop loop(backend_kind);
    auto any = loop.reactor.listen_tcp(0, loop.idle_factory("server"));
    CHECK(any->host().host() == "0.0.0.0");
    auto one = loop.listen(loop.idle_factory("server"));
    CHECK(one->host().host() == "127.0.0.1");
    auto six = loop.reactor.listen_tcp(0, loop.idle_factory("server"), ListenOptions().interface("::1"));
    CHECK(six->host().family() == Address::Family::ipv6);
    CHECK(six->host().host() == "::1");
    CHECK(ListenOptions().backlog() == 50);
}

LARIAT_BACKEND_TEST_CASE(
    "P02 an address that cannot be listened on is a CannotListenError, and the factory is not started") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("first"));
    loop.take();
    auto factory = loop.idle_factory("second");
    const std::uint16_t taken = port->host().port();
    try {
        loop.reactor.listen_tcp(taken, factory, ListenOptions().interface("127.0.0.1"));
        FAIL("a taken port was listened on");
    } catch (const CannotListenError& error) {
        CHECK(error.interface() == "127.0.0.1");
        CHECK(error.port() == taken);
        CHECK(error.os_error() == EADDRINUSE);
        const std::string text = "Couldn't listen on 127.0.0.1:" + std::to_string(taken) + ": ";
        CHECK(std::string(error.what()).starts_with(text));
    }
    CHECK(loop.events.empty());
    CHECK(factory->num_ports() == 0);
    CHECK_THROWS_AS(loop.reactor.listen_tcp(0, factory, ListenOptions().interface("not an address")),
                    CannotListenError);
    CHECK(loop.events.empty());
}

LARIAT_BACKEND_TEST_CASE("P03 port 0 is a port the kernel chose, and start and end are logged") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    const std::string number = std::to_string(port->host().port());
    CHECK(number != "0");
    CHECK(logs.count("ScriptedFactory starting on " + number) == 1);
    CHECK(port->str() == "<ScriptedFactory on " + number + ">");
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until([&] { return loop.saw("stop fired"); });
    CHECK(logs.count("(TCP Port " + number + " Closed)") == 1);
    CHECK(port->str() == "<ScriptedFactory (not listening)>");
}

LARIAT_BACKEND_TEST_CASE(
    "P04 the factory is started while the socket listens, then one protocol is built per connection") {
    Loop loop(backend_kind);
    std::vector<Address> peers;
    auto factory = loop.factory("factory", [&](const Address& peer) {
        peers.push_back(peer);
        return std::make_shared<Scripted>(loop.events, "server", Script());
    });
    auto port = loop.listen(factory);
    CHECK(loop.take() == Events{"factory start"});
    auto second = loop.listen(factory);
    CHECK(loop.events.empty());  // the first port started it
    CHECK(factory->num_ports() == 2);
    auto connector = loop.connect(*port, factory_for<Protocol>());
    loop.until([&] { return loop.events.size() == 2; });
    CHECK(loop.take() == Events{"factory build", "server made"});
    loop.until([&] { return connector->transport() != nullptr; });
    CHECK(peers[0] == connector->transport()->host());
    auto another = loop.connect(*second, factory_for<Protocol>());
    loop.until([&] { return loop.events.size() == 2; });
    loop.until([&] { return another->transport() != nullptr; });
    CHECK(peers[1] == another->transport()->host());
}

LARIAT_BACKEND_TEST_CASE("P04 a factory that cannot start closes the socket, and listen_tcp throws what it threw") {
    Loop loop(backend_kind);
    auto factory = loop.idle_factory("server");
    factory->on_start = [] { throw std::runtime_error("no database"); };
    CHECK_THROWS_WITH(loop.listen(factory), "no database");
    CHECK(factory->num_ports() == 0);
    loop.settle();
    CHECK(loop.reactor.backend().ledger().descriptors == 0);
}

LARIAT_BACKEND_TEST_CASE("P05 a null protocol refuses the connection, and accepting goes on") {
    Loop loop(backend_kind);
    int built = 0;
    auto port = loop.listen(loop.factory("factory", [&](const Address&) -> ProtocolPtr {
        if (++built == 1) return nullptr;
        return std::make_shared<Scripted>(loop.events, "server", Script());
    }));
    loop.take();
    loop.connect(*port, loop.idle_factory("refused"));
    loop.until([&] { return loop.saw("refused factory stop"); });
    CHECK(loop.saw("refused lost ConnectionDone"));
    CHECK(!loop.saw("server made"));
    loop.connect(*port, loop.idle_factory("taken"));
    loop.until([&] { return loop.saw("server made"); });
}

LARIAT_BACKEND_TEST_CASE(
    "P05 X24 what escapes build_protocol is logged, the socket is dropped, and accepting goes on") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    int built = 0;
    auto port = loop.listen(loop.factory("factory", [&](const Address&) -> ProtocolPtr {
        if (++built == 1) throw std::runtime_error("a bug");
        return std::make_shared<Scripted>(loop.events, "server", Script());
    }));
    loop.connect(*port, loop.idle_factory("dropped"));
    loop.until([&] { return loop.saw("dropped factory stop"); });
    CHECK(logs.count("a bug") == 1);
    loop.connect(*port, loop.idle_factory("taken"));
    loop.until([&] { return loop.saw("server made"); });
}

LARIAT_BACKEND_TEST_CASE("P06 many connections that wait are all accepted, each with a protocol of its own") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    constexpr std::size_t count = 40;  // below the backlog of 50
    for (std::size_t i = 0; i < count; ++i) loop.connect(*port, factory_for<Protocol>());
    loop.until([&] { return std::count(loop.events.begin(), loop.events.end(), "server made") == count; });
}

LARIAT_KERNEL_TEST_CASE("P07 P08 with a full descriptor table clients see a close, and the port logs it and goes on") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    const UniqueFd refused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = port->host();
    {
        const FullDescriptorTable full;
        REQUIRE(connect(refused.get(), address.data(), address.size()) == 0);
        loop.until([&] {
            char byte;
            const ssize_t got = recv(refused.get(), &byte, 1, MSG_DONTWAIT);
            return got == 0 || (got < 0 && errno == ECONNRESET);
        });
    }
    CHECK(logs.count("Could not accept new connection (Too many open files)") >= 1);
    CHECK(!loop.saw("server made"));
    CHECK(port->listening());
    loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made"); });
}

LARIAT_BACKEND_TEST_CASE(
    "P09 stop_listening fires from the loop, after the factory was stopped, and leaves connections open") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    auto connector = loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made") && loop.saw("client made"); });
    loop.take();
    record_firing(loop.events, "stop", port->stop_listening());
    CHECK(loop.events.empty());
    CHECK(!port->listening());
    loop.until([&] { return loop.events.size() == 2; });
    CHECK(loop.take() == Events{"server factory stop", "stop fired"});
    loop.settle();
    CHECK(connector->state() == Connector::State::connected);
    loop.connect(*port, loop.idle_factory("late"));
    loop.until([&] { return loop.saw("late factory failed ConnectionRefused"); });
    record_firing(loop.events, "stopped", port->stop_listening());
    CHECK(loop.last() == "stopped fired");
}

LARIAT_BACKEND_TEST_CASE("P09 what stop_factory throws fails the Deferred; the port is closed and can listen again") {
    Loop loop(backend_kind);
    auto factory = loop.idle_factory("server");
    factory->on_stop = [] { throw std::runtime_error("a bug"); };
    auto port = loop.listen(factory);
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until([&] { return loop.saw("stop failed: a bug"); });
    CHECK(!port->listening());
    factory->on_stop = {};
    port->start_listening();
    CHECK(port->listening());
}

LARIAT_BACKEND_TEST_CASE("P10 a stopped port can listen again, on a port of its own when that was 0") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    CHECK_THROWS_AS(port->start_listening(), UsageError);
    record_firing(loop.events, "stop", port->stop_listening());
    CHECK_THROWS_AS(port->start_listening(), UsageError);
    loop.until([&] { return loop.saw("stop fired"); });
    loop.take();
    port->start_listening();
    CHECK(loop.take() == Events{"server factory start"});
    CHECK(port->host().port() != 0);
    loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made"); });
}

LARIAT_BACKEND_TEST_CASE("P10 P11 stopping twice before it is done fires both Deferreds, unlike in Twisted") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    loop.take();
    record_firing(loop.events, "first", port->stop_listening());
    record_firing(loop.events, "second", port->stop_listening());
    loop.until([&] { return loop.events.size() == 3; });
    loop.settle();
    CHECK(loop.events == Events{"server factory stop", "first fired", "second fired"});
}

LARIAT_KERNEL_TEST_CASE(
    "P12 adopt_stream_port listens on a duplicate, and stopping leaves the socket to its other holders") {
    Loop loop(backend_kind);
    const UniqueFd listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const Address loopback = Address::loopback(0);
    REQUIRE(bind(listening.get(), loopback.data(), loopback.size()) == 0);
    REQUIRE(listen(listening.get(), 5) == 0);
    auto port = loop.reactor.adopt_stream_port(listening.get(), loop.idle_factory("server"));
    loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made"); });
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until([&] { return loop.saw("stop fired"); });
    const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = port->host();
    CHECK(connect(client.get(), address.data(), address.size()) == 0);
}

LARIAT_BACKEND_TEST_CASE("P12 adopting what is no socket is a CannotListenError") {
    Loop loop(backend_kind);
    const UniqueFd no_socket(open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto factory = loop.idle_factory("server");
    CHECK_THROWS_AS(loop.reactor.adopt_stream_port(no_socket.get(), factory), CannotListenError);
    CHECK_THROWS_AS(loop.reactor.adopt_stream_port(-1, factory), CannotListenError);
    CHECK(loop.events.empty());
}

LARIAT_BACKEND_TEST_CASE("a port that nobody holds goes on listening, and ends with the reactor") {
    Events events;
    {
        Loop loop(backend_kind);
        const std::uint16_t number = loop.listen(loop.idle_factory("server"))->host().port();
        loop.reactor.connect_tcp("127.0.0.1", number, loop.idle_factory("client"));
        loop.until([&] { return loop.saw("server made"); });
    }
    Reactor after(ReactorOptions().backend(backend_kind));
    CHECK(after.backend().ledger().descriptors == 0);
}

}  // namespace
}  // namespace lariat::test
