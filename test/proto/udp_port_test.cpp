// SPDX-License-Identifier: MIT
// UDP ports: Reactor::listen_udp, adopt_datagram_port, and what a DatagramProtocol hears from its port.
#include "scripted_datagrams.hpp"
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <fcntl.h>
#include <stdexcept>
#include <sys/socket.h>

namespace lariat::test {
namespace {

constexpr std::size_t longest_over_ipv4 = 65507;  // 65535 without the headers of IP and UDP

LARIAT_BACKEND_TEST_CASE("U01 F10 listen_udp binds and starts the protocol, synchronously, before the reactor runs") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_start = [&] { CHECK(server->transport().host().port() != 0); };
    auto port = loop.bind(server);
    CHECK(loop.take() == Events{"server start"});
    CHECK(port->listening());
    CHECK(&server->transport() == port.get());
    CHECK(server->num_ports() == 1);
    CHECK(port->host().host() == "127.0.0.1");
    auto second = loop.protocol("second");
    try {
        loop.reactor.listen_udp(port->host().port(), second, UdpOptions().interface("127.0.0.1"));
        FAIL("a taken port was listened on");
    } catch (const CannotListenError& error) {
        CHECK(error.os_error() == EADDRINUSE);
        CHECK(error.interface() == "127.0.0.1");
        CHECK(error.port() == port->host().port());
    }
    CHECK(loop.events.empty());
    CHECK_FALSE(second->has_transport());
}

LARIAT_BACKEND_TEST_CASE("U01 the interface is every IPv4 address by default, else an IP literal") {
    UdpLoop loop(backend_kind);
    CHECK(loop.reactor.listen_udp(0, loop.protocol("any"))->host().host() == "0.0.0.0");
    auto six = loop.protocol("six");
    auto port = loop.reactor.listen_udp(0, six, UdpOptions().interface("::1"));
    CHECK(port->host().host() == "::1");
    auto client = loop.protocol("client");
    auto from = loop.reactor.listen_udp(0, client, UdpOptions().interface("::1"));
    from->write("hello", port->host());
    loop.until_saw("six got hello");
    CHECK(six->from == from->host());
    loop.take();
    try {
        loop.reactor.listen_udp(0, loop.protocol("none"), UdpOptions().interface("localhost"));
        FAIL("a name was taken for an address");
    } catch (const InvalidAddressError& error) {
        CHECK(error.address() == "localhost");
        CHECK(std::string(error.what()) == "'localhost': not an IPv4 or IPv6 address");
    }
    CHECK(loop.events.empty());
}

LARIAT_BACKEND_TEST_CASE("F10 a protocol is stopped with its port, has no transport then, and starts on another one") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_stop = [&] { CHECK_FALSE(server->has_transport()); };
    auto first = loop.bind(server);
    record_firing(loop.events, "first", first->stop_listening());
    loop.until_saw("first fired");
    CHECK(loop.take() == Events{"server start", "server stop", "first fired"});
    CHECK(server->num_ports() == 0);
    auto second = loop.bind(server);
    CHECK(loop.take() == Events{"server start"});
    CHECK(server->num_ports() == 1);
    CHECK(&server->transport() == second.get());
    server->do_start();  // one more user of it, who is no port
    record_firing(loop.events, "second", second->stop_listening());
    loop.until_saw("second fired");
    CHECK(loop.take() == Events{"second fired"});
    CHECK_FALSE(server->has_transport());
    server->do_stop();
    CHECK(loop.take() == Events{"server stop"});
}

LARIAT_BACKEND_TEST_CASE(
    "F10 what start_protocol throws comes out of listen_udp, and port and protocol are free again") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_start = [] { throw std::runtime_error("no database"); };
    CHECK_THROWS_WITH(loop.bind(server), "no database");
    CHECK_FALSE(server->has_transport());
    CHECK(server->num_ports() == 0);
    server->on_start = [&] {
        server->transport().lose_connection();
        throw std::runtime_error("no more");
    };
    CHECK_THROWS_WITH(loop.bind(server), "no more");
    loop.settle();
    CHECK(loop.reactor.backend().ledger().descriptors == 0);
    server->on_start = {};
    auto port = loop.bind(server);
    CHECK(loop.take() == Events{"server start", "server start", "server start"});
}

LARIAT_BACKEND_TEST_CASE("U08 a protocol may stop its port while it is started") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_start = [&] { record_firing(loop.events, "stop", server->transport().stop_listening()); };
    auto port = loop.bind(server);
    CHECK_FALSE(port->listening());
    loop.until_saw("stop fired");
    CHECK(loop.events == Events{"server start", "server stop", "stop fired"});
}

LARIAT_BACKEND_TEST_CASE("U08 a port that is being closed when its reactor dies stops its protocol, too") {
    Events events;
    {
        UdpLoop loop(backend_kind);
        auto server = std::make_shared<ScriptedDatagrams>(events, "server");
        server->on_start = [&] { record_firing(events, "stop", server->transport().stop_listening()); };
        loop.bind(server);  // nothing has been in flight yet
    }
    CHECK(events == Events{"server start", "server stop", "stop fired"});
}

LARIAT_BACKEND_TEST_CASE("U02 datagrams come whole and with their sender, also empty ones and the longest there are") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server"), client = loop.protocol("client");
    auto port = loop.bind(server), from = loop.bind(client);
    server->on_datagram = [&](Bytes datagram) { server->transport().write(datagram, server->from); };
    loop.take();
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, longest_over_ipv4}) {
        const std::string sent(size, 'x');
        bool same = false;
        client->on_datagram = [&](Bytes datagram) { same = datagram.text() == sent; };
        client->transport().write(sent, port->host());
        loop.until([&] { return loop.events.size() == 2; });
        CHECK(loop.events_of("client").size() == 1);
        CHECK(same);
        CHECK(server->from == from->host());
        CHECK(client->from == port->host());
        loop.take();
    }
    CHECK(port->options().max_packet_size() == 65535);
}

LARIAT_BACKEND_TEST_CASE(
    "U02 of a datagram longer than max_packet_size the beginning comes, and the protocol is told") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto port = loop.bind(server, UdpOptions().max_packet_size(4));
    auto client = loop.bind(loop.protocol("client"));
    loop.take();
    client->write("four", port->host());
    client->write("fives", port->host());
    loop.until([&] { return loop.events.size() == 2; });
    CHECK(loop.take() == Events{"server got four", "server got the beginning five"});
    CHECK(server->from == client->host());
    server->hears_of_truncation = false;  // then it is a datagram like any other, as in Twisted
    client->write("sixsix", port->host());
    loop.until_saw("server got sixs");
}

LARIAT_KERNEL_TEST_CASE("U04 write sends at once") {
    UdpLoop loop(backend_kind);
    const UniqueFd peer(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Address address = Address::loopback(0);
    REQUIRE(bind(peer.get(), address.data(), address.size()) == 0);
    REQUIRE(loop.reactor.backend().local_address(peer.get(), address) == 0);
    auto client = loop.protocol("client");
    client->on_start = [&] { client->transport().write("hello", address); };
    loop.bind(client);
    char got[8];
    CHECK(recv(peer.get(), got, sizeof got, MSG_DONTWAIT) == 5);  // the loop has never turned
}

LARIAT_BACKEND_TEST_CASE("U04 write takes addresses of its own family and no names") {
    UdpLoop loop(backend_kind);
    auto four = loop.bind(loop.protocol("four"));
    auto six = loop.reactor.listen_udp(0, loop.protocol("six"), UdpOptions().interface("::1"));
    CHECK_THROWS_WITH_AS(four->write("x", "localhost", 7),
                         "'localhost': write() only accepts IP addresses, not hostnames", InvalidAddressError);
    CHECK_THROWS_WITH_AS(four->write("x", six->host()), "'::1': IPv4 port write() called with IPv6 address",
                         InvalidAddressError);
    CHECK_THROWS_WITH_AS(six->write("x", four->host()), "'127.0.0.1': IPv6 port write() called with IPv4 address",
                         InvalidAddressError);
    CHECK_THROWS_WITH_AS(six->write("x", "<broadcast>", 7),
                         "'255.255.255.255': IPv6 port write() called with IPv4 address", InvalidAddressError);
    CHECK_THROWS_AS(four->write("x", Address("unix:/nowhere")), InvalidAddressError);
    CHECK_THROWS_AS(four->write("x"), UsageError);
    four->write("to itself", "127.0.0.1", four->host().port());
    loop.until_saw("four got to itself");
}

LARIAT_BACKEND_TEST_CASE("U04 a datagram longer than there can be is a MessageLengthError, and the port goes on") {
    UdpLoop loop(backend_kind);
    auto port = loop.bind(loop.protocol("server"));
    try {
        port->write(std::string(longest_over_ipv4 + 1, 'x'), port->host());
        FAIL("it was sent");
    } catch (const MessageLengthError& error) {
        CHECK(std::string(error.what()) == "Message is too long to send.");
        CHECK(error.os_error() == EMSGSIZE);
    }
    port->write("short", port->host());
    loop.until_saw("server got short");
    CHECK(loop.events == Events{"server start", "server got short"});
}

LARIAT_BACKEND_TEST_CASE("U04 what an unconnected port sends to nobody is lost without a word") {
    CapturedLogs logs;
    UdpLoop loop(backend_kind);
    auto refusing = loop.refusing_port();
    auto port = loop.bind(loop.protocol("client"));
    loop.take();
    for (int i = 0; i < 3; ++i) {
        port->write("anybody?", refusing->host());
        loop.settle();
    }
    port->write("itself", port->host());
    loop.until_saw("client got itself");
    CHECK(loop.events == Events{"client got itself"});
    CHECK(logs.count("goes on after an error") == 0);
}

LARIAT_BACKEND_TEST_CASE("U07 what a protocol throws is logged, and the port stays open") {
    CapturedLogs logs;
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_datagram = [](Bytes datagram) { throw std::runtime_error("cannot bear " + datagram.str()); };
    auto port = loop.bind(server);
    auto client = loop.bind(loop.protocol("client"));
    client->write("one", port->host());
    client->write("two", port->host());
    loop.until_saw("server got two");
    CHECK(logs.count("Unhandled error in datagram_received") == 2);
    CHECK(logs.count("cannot bear one") == 1);
    CHECK(port->listening());
    CHECK_FALSE(loop.saw("server stop"));
}

LARIAT_BACKEND_TEST_CASE("U08 stop_listening fires from the loop, when the protocol was stopped, and logs the end") {
    CapturedLogs logs;
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto port = loop.bind(server);
    auto client = loop.bind(loop.protocol("client"));
    const std::string number = std::to_string(port->host().port());
    CHECK(logs.count("ScriptedDatagrams starting on " + number) == 1);
    CHECK(port->str() == "<ScriptedDatagrams on " + number + ">");
    server->on_stop = [&] { CHECK(logs.count("(UDP Port " + number + " Closed)") == 1); };
    loop.take();
    record_firing(loop.events, "stop", port->stop_listening());
    CHECK(loop.events.empty());
    CHECK_FALSE(port->listening());
    CHECK_THROWS_AS(port->start_listening(), UsageError);
    client->write("too late", port->host());
    port->write("nowhere", client->host());  // nothing happens
    loop.until_saw("stop fired");
    loop.settle();
    CHECK(loop.events == Events{"server stop", "stop fired"});
    server->on_stop = {};
    CHECK(std::to_string(port->host().port()) == number);
    CHECK(port->str() == "<ScriptedDatagrams (not listening)>");
    CHECK_THROWS_AS(port->set_broadcast_allowed(true), UsageError);
    port->start_listening();
    client->write("in time", port->host());
    loop.until_saw("server got in time");
}

LARIAT_BACKEND_TEST_CASE("U08 after stop_listening nothing that had come already is received") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    server->on_datagram = [&](Bytes) { server->transport().lose_connection(); };
    auto port = loop.bind(server);
    auto client = loop.bind(loop.protocol("client"));
    loop.take();
    client->write("first", port->host());
    client->write("second", port->host());
    loop.until_saw("server stop");
    loop.settle();
    CHECK(loop.events == Events{"server got first", "server stop"});
}

LARIAT_BACKEND_TEST_CASE("P11 U08 every Deferred of stop_listening fires, and what stop_protocol throws fails them") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto port = loop.bind(server);
    loop.take();
    record_firing(loop.events, "first", port->stop_listening());
    record_firing(loop.events, "second", port->stop_listening());
    loop.until_saw("second fired");
    record_firing(loop.events, "third", port->stop_listening());
    CHECK(loop.take() == Events{"server stop", "first fired", "second fired", "third fired"});
    port->start_listening();
    server->on_stop = [] { throw std::runtime_error("a bug"); };
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until_saw("stop failed: a bug");
    CHECK_FALSE(port->listening());
}

LARIAT_BACKEND_TEST_CASE("U08 the reactor's shutdown stops protocols, also of ports that nobody holds") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    const Address there = loop.bind(server)->host();
    auto client = loop.protocol("client");
    client->on_start = [&] { client->transport().write("hello", there); };
    server->on_datagram = [&](Bytes) { loop.reactor.stop(); };
    loop.bind(client);
    CHECK(loop.reactor.run() == 0);
    CHECK(loop.events_of("server") == Events{"server start", "server got hello", "server stop"});
    CHECK(loop.events_of("client") == Events{"client start", "client stop"});
    CHECK(loop.reactor.backend().ledger().descriptors == 0);
}

LARIAT_BACKEND_TEST_CASE("U09 U04 broadcasts must be allowed first") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto everywhere = loop.reactor.listen_udp(0, server);
    auto port = loop.bind(loop.protocol("client"));
    // A real host has broadcast addresses of its networks, also of loopback.
    const std::string all = backend_kind == io::BackendKind::sim ? "<broadcast>" : "127.255.255.255";
    CHECK_FALSE(port->broadcast_allowed());
    try {
        port->write("all", all, everywhere->host().port());
        FAIL("it was sent");
    } catch (const Error& error) {
        CHECK(error.os_error() == EACCES);
    }
    port->set_broadcast_allowed(true);
    CHECK(port->broadcast_allowed());
    port->write("all", all, everywhere->host().port());
    loop.until_saw("server got all");
    port->set_broadcast_allowed(false);
    CHECK_FALSE(port->broadcast_allowed());
}

LARIAT_BACKEND_TEST_CASE("U09 write_sequence sends its parts as one datagram, however many they are") {
    UdpLoop loop(backend_kind);
    auto port = loop.bind(loop.protocol("server"));
    loop.take();
    port->write_sequence({"one ", "", "data", "gram"}, port->host());
    const std::vector<Bytes> many(5000, Bytes("x"));
    port->write_sequence(many, port->host());
    loop.until([&] { return loop.events.size() == 2; });
    CHECK(loop.events == Events{"server got one datagram", "server got 5000 bytes"});
}

LARIAT_KERNEL_TEST_CASE("U10 adopt_datagram_port receives on a duplicate and leaves the socket to its other holders") {
    UdpLoop loop(backend_kind);
    const UniqueFd bound(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const Address loopback = Address::loopback(0);
    REQUIRE(bind(bound.get(), loopback.data(), loopback.size()) == 0);
    auto client = loop.bind(loop.protocol("client"));
    auto port = loop.reactor.adopt_datagram_port(bound.get(), loop.protocol("server"), 3);
    client->write("hello", port->host());
    loop.until_saw("server got the beginning hel");
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until_saw("stop fired");
    client->write("again", port->host());
    char got[8];
    CHECK(recv(bound.get(), got, sizeof got, MSG_DONTWAIT) == 5);
    const std::uint16_t adopted = port->host().port();
    port->start_listening();  // on a port of its own
    CHECK(port->host().port() != adopted);
    const Address peer = client->host();
    REQUIRE(connect(bound.get(), peer.data(), peer.size()) == 0);
    auto connected = loop.reactor.adopt_datagram_port(bound.get(), loop.protocol("connected"));
    CHECK(connected->peer() == peer);
    connected->write("of a connected one");
    loop.until_saw("client got of a connected one");
}

LARIAT_BACKEND_TEST_CASE("U10 what is no UDP socket cannot be adopted") {
    UdpLoop loop(backend_kind);
    const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd tcp(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const UniqueFd local(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const bool real = backend_kind != io::BackendKind::sim;  // the simulated host knows none of them
    const auto error_of = [&](int descriptor) {
        try {
            loop.reactor.adopt_datagram_port(descriptor, loop.protocol("server"));
        } catch (const CannotListenError& error) {
            return error.os_error();
        }
        return 0;
    };
    CHECK(error_of(-1) == EBADF);
    CHECK(error_of(file.get()) == (real ? ENOTSOCK : EBADF));
    CHECK(error_of(tcp.get()) == (real ? EPROTOTYPE : EBADF));
    CHECK(error_of(local.get()) == (real ? EAFNOSUPPORT : EBADF));
    CHECK(loop.events.empty());
    CHECK(fcntl(tcp.get(), F_GETFD) >= 0);
}

}  // namespace
}  // namespace lariat::test
