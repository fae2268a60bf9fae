// SPDX-License-Identifier: MIT
// What a simulated network does to datagrams between hosts: loss, doubling, overtaking, fragments, limits, partitions,
// crashes, groups and broadcasts.
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/test/support/datagram_world.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <netinet/in.h>
#include <poll.h>

namespace lariat {
namespace {

using namespace lariat::test;
using namespace std::chrono_literals;
using sim::LinkOptions;
using Texts = std::vector<std::string>;

LinkOptions plain() { return LinkOptions().latency(10ms).jitter(Duration::zero()); }

/// A network, and a backend of each of its hosts for the test itself to use.
class Network {
public:
    explicit Network(const LinkOptions& link = plain(), int hosts = 2, std::uint64_t seed = 1) : world(seed) {
        for (int i = 1; i <= hosts; ++i) world.add_host("host" + std::to_string(i), {address_of(i)});
        world.default_link(link);
        for (const auto& host : world.hosts()) {
            backends.push_back(std::make_unique<World>(std::make_unique<sim::SimBackend>(*host)));
        }
    }
    static std::string address_of(int host) { return "10.0.0." + std::to_string(host); }
    /// A socket of the host with this number, from 1 on, that receives.
    std::unique_ptr<Station> station(int host, std::uint16_t port = 7, const std::vector<int>& options = {}) {
        auto made = std::make_unique<Station>(*backends[static_cast<std::size_t>(host - 1)],
                                              Address(address_of(host) + ":" + std::to_string(port)), options);
        made->receive.submit();
        return made;
    }
    /// Lets time pass for all.
    void pass(Duration time) {
        for (const TimePoint end = world.now() + time; world.now() < end;) {
            (*backends[0])->wait(end);
            for (auto& backend : backends) (*backend)->dispatch(1000);
        }
    }

    sim::World world;
    std::vector<std::unique_ptr<World>> backends;
};

Texts numbers(int count) {
    Texts texts;
    for (int i = 0; i < count; ++i) texts.push_back(std::to_string(1000 + i));
    return texts;
}

/// What the second host gets of `count` datagrams of the first.
Texts got(Network& network, int count) {
    const auto from = network.station(1), to = network.station(2);
    for (const std::string& text : numbers(count)) {
        CHECK(from->send(text, to->address) == 4);
        if (text.ends_with("99")) network.pass(1s);  // a receiver has room for some 250
    }
    network.pass(1s);
    return to->texts;
}

TEST_CASE("sim: a datagram takes the link's latency") {
    Network network;
    const auto from = network.station(1), to = network.station(2);
    from->send("hello", to->address);
    network.pass(9ms);
    CHECK(to->texts.empty());
    network.pass(2ms);
    CHECK(to->texts == Texts{"hello"});
    CHECK(to->senders == Texts{"10.0.0.1:7"});
}

TEST_CASE("sim: datagrams are lost at the rate of the link, and what is lost does not come back") {
    Network whole{plain()}, broken{plain().loss(1000)}, bad{plain().loss(300)};
    CHECK(got(whole, 100) == numbers(100));
    CHECK(got(broken, 100).empty());
    const std::size_t count = got(bad, 1000).size();
    CHECK(count > 600);
    CHECK(count < 800);
}

TEST_CASE("sim: datagrams are doubled at the rate of the link, with the same bytes") {
    Network network(plain().duplication(1000));
    Texts twice;
    for (const std::string& text : numbers(20)) twice.insert(twice.end(), 2, text);
    CHECK(got(network, 20) == twice);
    Network some(plain().duplication(200));
    const std::size_t count = got(some, 1000).size();
    CHECK(count > 1100);
    CHECK(count < 1300);
}

TEST_CASE("sim: datagrams overtake each other where the link reorders or has jitter, and none is lost by it") {
    for (const LinkOptions& link : {plain().reordering(300), plain().jitter(5ms)}) {
        Network network(link);
        Texts texts = got(network, 100);
        CHECK(texts != numbers(100));
        std::sort(texts.begin(), texts.end());
        CHECK(texts == numbers(100));
    }
}

TEST_CASE("sim: what is longer than the link's packets travels in fragments, and is lost with any of them") {
    Network network(plain().loss(50).mtu(576));
    const auto from = network.station(1), to = network.station(2);
    const auto arrived = [&](std::size_t size) {
        const std::size_t before = to->texts.size();
        for (int i = 0; i < 200; ++i) {
            from->send(pattern(size), to->address);
            network.pass(20ms);
        }
        return to->texts.size() - before;
    };
    const std::size_t small = arrived(548);  // 576 with the headers
    CHECK(small > 170);
    CHECK(small < 200);
    const std::size_t large = arrived(10'000);  // 19 fragments: 0.95^19 = 0.38 of them arrive
    CHECK(large > 40);
    CHECK(large < 110);
    CHECK(to->texts.back() == pattern(10'000));
}

TEST_CASE("sim: who forbids fragments is told what is too long") {
    Network network(plain().mtu(576));
    const auto from = network.station(1), to = network.station(2);
    from->set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    CHECK(from->send(pattern(548), to->address) == 548);
    CHECK(from->send(pattern(549), to->address) == -EMSGSIZE);
    from->set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    CHECK(from->send(pattern(549), to->address) == 549);
}

TEST_CASE("sim: the line's bandwidth is shared, and a sender that is far ahead of it finds no room for a while") {
    Network network(plain().bandwidth(100'000));
    const auto from = network.station(1), to = network.station(2);
    from->set(SOL_SOCKET, SO_SNDBUF, 5000);  // 10'000
    std::size_t sent = 0;
    while (from->send(pattern(972), to->address) == 972) ++sent;
    CHECK(sent == 10);  // with headers 1000 each
    CHECK(from->send("more", to->address) == -EAGAIN);
    Polling room(*network.backends[0], from->fd);
    room.op.events = POLLOUT;
    room.submit();
    network.pass(45ms);
    CHECK_FALSE(room.over);
    network.pass(10ms);
    CHECK(room.results == std::vector<std::int32_t>{POLLOUT});
    CHECK(from->send("more", to->address) == 4);
    network.pass(1s);
    CHECK(to->texts.size() == 11);
}

TEST_CASE("sim: a receiver that does not receive loses what it has no room for") {
    Network network;
    const auto from = network.station(1), to = network.station(2);
    to->receive.cancel();
    network.pass(1ms);
    to->set(SOL_SOCKET, SO_RCVBUF, 2500);  // 5000
    for (const std::string& text : numbers(10)) from->send(text + pattern(996), to->address);
    network.pass(20ms);
    to->receive.submit();
    network.pass(1ms);
    CHECK(to->texts.size() == 4);  // 1000 bytes and 256 to keep each; the last one just fits in
    CHECK(from->send("again", to->address) == 5);
    network.pass(20ms);
    CHECK(to->texts.back() == "again");
}

TEST_CASE("sim: a closed port is told to a connected sender after a round trip, and to no other") {
    Network network;
    const auto from = network.station(1), other = network.station(1, 8);
    CHECK((*network.backends[0])->connect(from->fd, Address("10.0.0.2:9")) == 0);
    from->send("anybody?", {});
    other->send("anybody?", Address("10.0.0.2:9"));
    network.pass(19ms);
    CHECK(from->receive.results.empty());
    network.pass(2ms);
    CHECK(from->receive.results == std::vector<std::int32_t>{-ECONNREFUSED});
    CHECK(other->receive.results.empty());
}

TEST_CASE("sim: partitions, crashed hosts and addresses that nobody has swallow datagrams") {
    Network network;
    const auto from = network.station(1);
    (*network.backends[0])->connect(from->fd, Address("10.0.0.2:7"));
    {
        const auto to = network.station(2);
        from->send("through", {});
        network.pass(11ms);
        from->send("on its way when the network parts", {});
        network.pass(5ms);
        network.world.partition(network.world.host("host1"), network.world.host("host2"));
        from->send("parted", {});
        network.pass(20ms);
        network.world.heal();
        CHECK(to->texts == Texts{"through"});
        network.world.host("host2").crash();
        from->send("crashed", {});
        network.pass(20ms);
        CHECK(to->send("from the dead", from->address) == 13);
        network.pass(20ms);
    }
    CHECK(from->send("nobody", Address("10.9.9.9:7")) == 6);
    network.pass(1s);
    CHECK(from->receive.results.empty());
}

TEST_CASE("sim: a host that has restarted hears what is sent to its new sockets") {
    Network network;
    const auto from = network.station(1);
    network.world.host("host2").crash();
    from->send("too early", Address("10.0.0.2:7"));
    network.pass(5ms);
    network.world.host("host2").restart();
    World reborn(std::make_unique<sim::SimBackend>(network.world.host("host2")));
    Station to(reborn, Address("10.0.0.2:7"));
    to.receive.submit();
    from->send("in time", to.address);
    for (int i = 0; i < 40; ++i) {
        network.pass(1ms);
        reborn->dispatch(10);
    }
    CHECK(to.texts == Texts{"too early", "in time"});  // the first was on its way, and the port is there again
}

TEST_CASE("sim: what a host says to itself ends with its life") {
    Network network(plain(), 1);
    Station old(*network.backends[0], Address("127.0.0.1:8"));
    CHECK(old.send("on its way", Address("127.0.0.1:7")) == 10);
    network.world.host("host1").crash();
    network.world.host("host1").restart();
    World reborn(std::make_unique<sim::SimBackend>(network.world.host("host1")));
    Station to(reborn, Address("127.0.0.1:7"));
    to.receive.submit();
    CHECK(old.send("from a ghost", to.address) == 12);
    Station neighbour(reborn, Address("127.0.0.1:9"));
    CHECK(neighbour.send("from the living", to.address) == 15);
    to.wait_for(1);
    reborn.pump(20);
    CHECK(to.texts == Texts{"from the living"});
}

TEST_CASE("sim: of two sockets of a port the one hears of a refusal that has sent") {
    Network network;
    network.world.add_host("two", {"10.0.0.8", "10.0.0.9"});
    World world(std::make_unique<sim::SimBackend>(network.world.host("two")));
    Station one(world, Address("10.0.0.8:7")), other(world, Address("10.0.0.9:7"));
    for (Station* station : {&one, &other}) {
        station->receive.submit();
        CHECK(world->connect(station->fd, Address("10.0.0.2:9")) == 0);
    }
    CHECK(other.send("anybody?", {}) == 8);
    world.pump_until([&] { return !other.receive.results.empty(); });
    CHECK(other.receive.results == std::vector<std::int32_t>{-ECONNREFUSED});
    CHECK(one.receive.results.empty());
}

TEST_CASE("sim: a broadcast reaches every host on the port, a group its members, and groups can leave out the sender") {
    Network network(plain(), 3);
    const Address all("255.255.255.255:7"), group("239.9.9.9:7");
    std::vector<std::unique_ptr<Station>> stations;
    for (int host = 1; host <= 3; ++host) {
        World& world = *network.backends[static_cast<std::size_t>(host - 1)];
        stations.push_back(std::make_unique<Station>(world, Address("0.0.0.0:7")));
        stations.back()->receive.submit();
    }
    const auto counts = [&] {
        network.pass(50ms);
        Texts counted;
        for (auto& station : stations) counted.push_back(std::to_string(std::exchange(station->texts, {}).size()));
        return counted;
    };
    CHECK(stations[0]->send("may I?", all) == -EACCES);
    stations[0]->set(SOL_SOCKET, SO_BROADCAST, 1);
    CHECK(stations[0]->send("to all", all) == 6);
    CHECK(counts() == Texts{"1", "1", "1"});
    for (const std::size_t member : {0u, 1u}) {
        ip_mreq request{};
        request.imr_multiaddr.s_addr = htonl(0xef'09'09'09);
        CHECK((*network.backends[member])
                  ->set_option(stations[member]->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request)
              == 0);
    }
    CHECK(stations[0]->send("to some", group) == 7);
    CHECK(counts() == Texts{"1", "1", "0"});
    stations[0]->set(IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    CHECK(stations[0]->send("to others", group) == 9);
    CHECK(counts() == Texts{"0", "1", "0"});
    CHECK(stations[2]->send("from outside", group) == 12);
    CHECK(counts() == Texts{"1", "1", "0"});
}

TEST_CASE("sim: one seed loses, doubles and delays the same datagrams again") {
    const auto trace_of = [](std::uint64_t seed) {
        Network network(LinkOptions().jitter(1ms).loss(100).duplication(100).reordering(100), 2, seed);
        std::string trace;
        network.world.trace_to([&](std::string_view line) { trace.append(line).append("\n"); });
        got(network, 200);
        return trace;
    };
    const std::string first = trace_of(5);
    CHECK(first.find("10.0.0.1:7 > 10.0.0.2:7 datagram 4") != std::string::npos);
    CHECK(first.find("10.0.0.1:7 > 10.0.0.2:7 lost on its way") != std::string::npos);
    CHECK(trace_of(5) == first);
    CHECK(trace_of(6) != first);
}

}  // namespace
}  // namespace lariat
