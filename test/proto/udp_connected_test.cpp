// SPDX-License-Identifier: MIT
// UDP ports that are connected to a peer, what they hear of one that refuses, and what a network does to datagrams.
#include "scripted_datagrams.hpp"
#include <lariat/io/base/log.hpp>
#include <lariat/io/sim/world.hpp>

#include <stdexcept>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

LARIAT_BACKEND_TEST_CASE("U05 a connected port sends to its peer and hears from nobody else") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server"), client = loop.protocol("client");
    auto port = loop.bind(server), stranger = loop.bind(loop.protocol("stranger"));
    client->on_start = [&] {
        client->transport().connect("127.0.0.1", port->host().port());
        client->transport().write("hello");
    };
    server->on_datagram = [&](Bytes) { server->transport().write("welcome", server->from); };
    auto connected = loop.bind(client);
    CHECK(connected->peer() == port->host());
    CHECK(port->peer() == Address());
    stranger->write("psst", connected->host());
    loop.until_saw("client got welcome");
    connected->write("with the address", port->host());
    connected->write_sequence({"in ", "parts"});
    loop.until_saw("server got in parts");
    CHECK(loop.saw("server got with the address"));
    CHECK(server->from == connected->host());
    CHECK_FALSE(loop.saw("client got psst"));
    CHECK_THROWS_AS(connected->write("astray", stranger->host()), UsageError);
}

LARIAT_BACKEND_TEST_CASE("U05 U09 a port of every address has the one it sends from when it is connected") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto port = loop.bind(server);
    auto client = loop.reactor.listen_udp(0, loop.protocol("client"));
    const std::uint16_t number = client->host().port();
    loop.connect_to(*client, *port);
    CHECK(client->host() == Address::loopback(number));
    client->write("hello");
    loop.until_saw("server got hello");
    CHECK(server->from == client->host());
}

LARIAT_BACKEND_TEST_CASE("U08 when its reactor dies a port cannot listen again, and what it asks to be called is not") {
    const CapturedLogs logs;
    Events events;
    bool called = false;
    std::shared_ptr<UdpPort> port;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        auto protocol = std::make_shared<ScriptedDatagrams>(events, "server");
        port = reactor.listen_udp(0, protocol);
        protocol->on_stop = [&] { reactor.call_later(Duration::zero(), [&] { called = true; }); };
        port->stop_listening().add_callback([&] { CHECK_THROWS_AS(port->start_listening(), CannotListenError); });
    }
    CHECK(events == Events{"server start", "server stop"});
    CHECK_FALSE(called);
    CHECK_FALSE(port->listening());
}

LARIAT_BACKEND_TEST_CASE("U05 a port that is connected to any address has the peer that this means") {
    UdpLoop loop(backend_kind);
    auto server = loop.protocol("server");
    auto port = loop.bind(server);
    auto client = loop.bind(loop.protocol("client"));
    client->connect("0.0.0.0", port->host().port());
    CHECK(client->peer() == port->host());
    client->write("hello");
    loop.until_saw("server got hello");
    client->write("to whom it is", port->host());
    loop.until_saw("server got to whom it is");
}

LARIAT_BACKEND_TEST_CASE("U05 connect takes an IP literal of its family, and only once") {
    UdpLoop loop(backend_kind);
    auto port = loop.bind(loop.protocol("client"));
    CHECK_THROWS_WITH_AS(port->connect("localhost", 7), "'localhost': not an IPv4 or IPv6 address",
                         InvalidAddressError);
    CHECK_THROWS_WITH_AS(port->connect("::1", 7), "'::1': IPv4 port connect() called with IPv6 address",
                         InvalidAddressError);
    CHECK_THROWS_AS(port->write("x"), UsageError);  // it is not connected yet
    port->connect("127.0.0.1", port->host().port());
    CHECK_THROWS_WITH_AS(port->connect("127.0.0.1", 7), "already connected, reconnecting is not currently supported",
                         UsageError);
    record_firing(loop.events, "stop", port->stop_listening());
    CHECK_THROWS_AS(port->connect("127.0.0.1", 7), UsageError);
    loop.until_saw("stop fired");
    port->start_listening();
    CHECK(port->peer() == Address());
    port->connect("127.0.0.1", port->host().port());
    port->write("to itself");
    loop.until_saw("client got to itself");
}

LARIAT_BACKEND_TEST_CASE("U05 U06 a port that does nothing hears that its peer refuses, every time, and stays open") {
    UdpLoop loop(backend_kind);
    auto refusing = loop.refusing_port();
    auto port = loop.bind(loop.protocol("client"));
    loop.connect_to(*port, *refusing);
    loop.take();
    for (int i = 0; i < 3; ++i) {
        port->write("anybody?");
        CHECK(loop.events.empty());
        loop.until_saw("client refused");
        loop.settle();
        CHECK(loop.take() == Events{"client refused"});
    }
    CHECK(port->listening());
    auto alive = loop.revive(*refusing, loop.protocol("alive"));
    port->write("somebody");
    loop.until_saw("alive got somebody");
}

// The system tells of a refusal in place of sending the next datagram. A simulated network needs a turn to refuse.
LARIAT_KERNEL_TEST_CASE("U05 write never enters the protocol, and sends what it was given after a refusal, too") {
    UdpLoop loop(backend_kind);
    auto refusing = loop.refusing_port();
    auto port = loop.bind(loop.protocol("client"));
    loop.connect_to(*port, *refusing);
    port->write("anybody?");
    auto alive = loop.revive(*refusing, loop.protocol("alive"));
    loop.take();
    port->write("somebody");
    CHECK(loop.events.empty());
    loop.until([&] { return loop.events.size() == 2; });
    loop.settle();
    CHECK(loop.events_of("client") == Events{"client refused"});
    CHECK(loop.events_of("alive") == Events{"alive got somebody"});
}

LARIAT_KERNEL_TEST_CASE("U05 U08 a port that was stopped does not hear of refusals") {
    UdpLoop loop(backend_kind);
    auto refusing = loop.refusing_port();
    auto port = loop.bind(loop.protocol("client"));
    loop.connect_to(*port, *refusing);
    loop.take();
    for (int i = 0; i < 2; ++i) port->write("anybody?");  // the second one finds the refusal of the first
    record_firing(loop.events, "stop", port->stop_listening());
    loop.until_saw("stop fired");
    loop.settle();
    CHECK(loop.events == Events{"client stop", "stop fired"});
}

LARIAT_BACKEND_TEST_CASE("U05 U07 what connection_refused throws is logged, and the port stays open") {
    CapturedLogs logs;
    UdpLoop loop(backend_kind);
    auto refusing = loop.refusing_port();
    auto client = loop.protocol("client");
    client->on_refused = [] { throw std::runtime_error("offended"); };
    auto port = loop.bind(client);
    loop.connect_to(*port, *refusing);
    port->write("anybody?");
    loop.until_saw("client refused");
    CHECK(logs.count("Unhandled error in connection_refused") == 1);
    auto alive = loop.revive(*refusing, loop.protocol("alive"));
    port->write("somebody");
    loop.until_saw("alive got somebody");
}

/// A server at 10.0.0.1:7 that answers, and a client that asks every 100 ms and counts the answers.
struct Conversation {
    Conversation() {
        server.start("serve", [this] {
            Reactor reactor;
            auto protocol = std::make_shared<ScriptedDatagrams>(events, "server");
            protocol->on_datagram = [&](Bytes datagram) { protocol->transport().write(datagram, protocol->from); };
            reactor.listen_udp(7, protocol, UdpOptions().interface("10.0.0.1"));
            return reactor.run();
        });
        client.start("ask", [this] {
            Reactor reactor;
            auto protocol = std::make_shared<ScriptedDatagrams>(events, "client");
            protocol->on_datagram = [this](Bytes) { ++answers; };
            auto port = reactor.listen_udp(0, protocol);
            port->connect("10.0.0.1", 7);
            std::function<void()> ask = [&] {
                port->write("?");
                ++questions;
                reactor.call_later(100ms, [&] { ask(); });
            };
            reactor.call_when_running([&] { ask(); });
            return reactor.run();
        });
    }
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    ~Conversation() { CHECK(world.end_programs() == sim::World::Outcome::ended); }

    /// Lets `time` pass; true when every question in it was answered, false when none was.
    bool goes_on_for(Duration time) {
        world.run_until([end = world.elapsed() + 50ms, this] { return world.elapsed() >= end; });  // the last answer
        const int asked = questions, answered = answers;
        world.run_until([end = world.elapsed() + time, this] { return world.elapsed() >= end; });
        CHECK((questions - asked) * 100ms == time);
        CHECK((answers == answered || answers - answered == questions - asked));
        return answers > answered;
    }

    Events events;
    int questions = 0, answers = 0;
    sim::World world{1};
    sim::Host& server = world.add_host("server", {"10.0.0.1"});
    sim::Host& client = world.add_host("client", {"10.0.0.2"});
};

TEST_CASE("sim: U06 a partition and a crash lose datagrams, and ports go on where they were") {
    Conversation conversation;
    sim::World& world = conversation.world;
    CHECK(conversation.goes_on_for(1s));
    world.partition(conversation.server, conversation.client);
    CHECK_FALSE(conversation.goes_on_for(1s));
    world.heal();
    CHECK(conversation.goes_on_for(1s));
    conversation.server.crash();
    CHECK_FALSE(conversation.goes_on_for(1s));
    const auto refusals = [&] {
        return std::count(conversation.events.begin(), conversation.events.end(), "client refused");
    };
    CHECK(refusals() == 0);
    conversation.server.restart();
    CHECK(conversation.goes_on_for(1s));
    const int asked = conversation.questions;
    conversation.server.terminate();  // the host is there, the port is not
    CHECK_FALSE(conversation.goes_on_for(1s));
    CHECK(refusals() == conversation.questions - asked);
}

TEST_CASE("sim: U04 when there is no room to send, write says EAGAIN, and later there is room again") {
    sim::World world(1);
    world.default_link(sim::LinkOptions().bandwidth(10'000));
    world.add_host("server", {"10.0.0.1"});
    int sent = 0, refused = 0;
    world.add_host("client", {"10.0.0.2"}).start("send", [&] {
        Reactor reactor;
        Events events;
        auto port = reactor.listen_udp(0, std::make_shared<ScriptedDatagrams>(events, "client"));
        const std::string kilobyte(1000, 'x');
        reactor.call_when_running([&] {
            try {
                while (sent < 1000) port->write(kilobyte, "10.0.0.1:7"), ++sent;
            } catch (const Error& error) {
                refused = error.os_error();
            }
            CHECK(port->listening());
        });
        reactor.call_later(1min, [&] {
            port->write(kilobyte, "10.0.0.1:7");
            reactor.stop();
        });
        return reactor.run();
    });
    CHECK(world.run() == sim::World::Outcome::ended);
    CHECK(refused == EAGAIN);
    CHECK(sent > 1);
    CHECK(sent < 1000);
    CHECK(world.host("client").status("send") == 0);
}

}  // namespace
}  // namespace lariat::test
