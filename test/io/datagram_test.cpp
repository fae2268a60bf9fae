// SPDX-License-Identifier: MIT
// Datagrams through the seam: what is promised of them on every backend.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/datagram_world.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <netinet/in.h>
#include <poll.h>

using namespace lariat;
using namespace lariat::test;

namespace {

using Results = std::vector<std::int32_t>;
using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("io datagrams");

LARIAT_BACKEND_TEST_CASE("datagrams arrive whole, each with its sender, empty ones too") {
    for (const int domain : {AF_INET, AF_INET6}) {
        World world(backend_kind);
        Station here(world, loopback_of(domain)), one(world, loopback_of(domain)), two(world, loopback_of(domain));
        here.receive.submit();
        CHECK(one.send("first", here.address) == 5);
        here.wait_for(1);
        CHECK(two.send("", here.address) == 0);
        here.wait_for(2);
        CHECK(two.send("third", here.address) == 5);
        here.wait_for(3);
        CHECK(here.texts == Texts{"first", "", "third"});
        CHECK(here.senders == Texts{one.address.str(), two.address.str(), two.address.str()});
        CHECK(here.receive.results == Results{5, 0, 5});
        CHECK_FALSE(here.receive.over);
        CHECK(one.texts.empty());
    }
}

LARIAT_BACKEND_TEST_CASE("a datagram is one however many parts it is sent in") {
    World world(backend_kind);
    Station here(world), there(world);
    here.receive.submit();
    std::string parts[3] = {"in ", "three ", "parts"};
    const iovec vectors[] = {
        {parts[0].data(), parts[0].size()}, {parts[1].data(), parts[1].size()}, {parts[2].data(), parts[2].size()}};
    CHECK(world->try_send_to(there.fd, vectors, here.address) == 14);
    here.wait_for(1);
    CHECK(here.texts == Texts{"in three parts"});
}

LARIAT_BACKEND_TEST_CASE("the longest datagram there is arrives whole, and none can be longer") {
    World world(backend_kind);
    Station here(world), there(world);
    here.receive.submit();
    const std::string longest = pattern(65507);
    CHECK(there.send(longest, here.address) == 65507);
    here.wait_for(1);
    CHECK(here.texts[0] == longest);
    CHECK_FALSE(here.truncated[0]);
    CHECK(there.send(longest + "x", here.address) == -EMSGSIZE);
}

LARIAT_BACKEND_TEST_CASE("many datagrams are received by one operation") {
    World world(backend_kind);
    Station here(world), there(world);
    here.receive.submit();
    Texts sent;
    for (int i = 0; i < 300; ++i) {
        sent.push_back(std::to_string(1000 + i));
        CHECK(there.send(sent.back(), here.address) == 4);
        if (i % 20 == 19) here.wait_for(sent.size());
    }
    CHECK(here.sorted() == sent);
    CHECK_FALSE(here.receive.over);
}

LARIAT_BACKEND_TEST_CASE("datagrams go on when the program holds all receive buffers") {
    World world(backend_kind, io::BackendOptions().datagram_buffers(2).receive_buffers(2));
    Station here(world), there(world);
    here.receive.hold = true;
    here.receive.submit();
    for (int i = 0; i < 12; ++i) {
        CHECK(there.send("held " + std::to_string(i), here.address) > 0);
        here.wait_for(static_cast<std::size_t>(i) + 1);
    }
    CHECK(here.receive.held.size() == 12);
    CHECK(here.receive.held[11].text() == "held 11");
    CHECK(world->ledger().buffers == 2);
    here.receive.held.clear();
}

LARIAT_BACKEND_TEST_CASE("a burst of datagrams finds buffers although few are given") {
    World world(backend_kind, io::BackendOptions().datagram_buffers(4).receive_buffers(4));
    Station here(world), there(world);
    here.receive.submit();
    Texts sent;
    for (int i = 0; i < 60; ++i) {
        sent.push_back(std::to_string(100 + i));
        there.send(sent.back(), here.address);
    }
    here.wait_for(sent.size());
    CHECK(here.sorted() == sent);
}

LARIAT_BACKEND_TEST_CASE("a connected socket sends to its peer and hears nobody else") {
    World world(backend_kind);
    Station here(world), peer(world), other(world);
    CHECK(world->connect(here.fd, peer.address) == 0);
    Address at_end;
    CHECK(world->peer_address(here.fd, at_end) == 0);
    CHECK(at_end == peer.address);
    here.receive.submit();
    peer.receive.submit();
    CHECK(here.send("to the peer", {}) == 11);
    peer.wait_for(1);
    CHECK(peer.senders == Texts{here.address.str()});
    CHECK(other.send("from a stranger", here.address) == 15);
    CHECK(peer.send("from the peer", here.address) == 13);
    here.wait_for(1);
    world.pump(20);
    CHECK(here.texts == Texts{"from the peer"});
}

LARIAT_BACKEND_TEST_CASE("what is sent to no address in particular stays on this host") {
    for (const char* any : {"0.0.0.0:0", "[::]:0"}) {
        World world(backend_kind);
        Address to(any);
        Station here(world, loopback_of(to.domain())), there(world, loopback_of(to.domain()));
        to.set_port(here.address.port());
        here.receive.submit();
        CHECK(there.send("who is there?", to) == 13);
        here.wait_for(1);
        CHECK(world->connect(there.fd, to) == 0);
        Address peer;
        CHECK(world->peer_address(there.fd, peer) == 0);
        CHECK(peer == here.address);
    }
}

LARIAT_BACKEND_TEST_CASE("a socket bound to any address is at one when it is connected") {
    World world(backend_kind);
    Station here(world, Address::any_ipv4(0)), peer(world);
    CHECK(here.address.host() == "0.0.0.0");
    CHECK(world->connect(here.fd, peer.address) == 0);
    CHECK(world.address_of(here.fd) == Address::loopback(here.address.port()));
}

LARIAT_BACKEND_TEST_CASE("what a connected socket sends to nobody is refused, and receiving goes on") {
    World world(backend_kind);
    Station here(world);
    Address gone;
    {
        Station there(world);
        gone = there.address;
        world.close(there.fd);
    }
    CHECK(world->connect(here.fd, gone) == 0);
    here.receive.submit();
    CHECK(here.send("anybody?", {}) == 8);
    world.pump_until([&] { return !here.receive.results.empty(); });
    CHECK(here.receive.results == Results{-ECONNREFUSED});
    CHECK(here.receive.op.from.family() == Address::Family::none);
    CHECK_FALSE(here.receive.over);
    Station there(world, gone);
    CHECK(there.send("back again", here.address) == 10);
    here.wait_for(1);
    CHECK(here.texts == Texts{"back again"});
}

LARIAT_BACKEND_TEST_CASE("a refusal that nobody receives fails the next send once") {
    World world(backend_kind);
    Station here(world), pulse(world);
    Address gone;
    {
        Station there(world);
        gone = there.address;
        world.close(there.fd);
    }
    CHECK(world->connect(here.fd, gone) == 0);
    CHECK(here.send("anybody?", {}) == 8);
    Polling error(world, here.fd);
    error.submit();  // POLLERR needs no asking
    error.wait();
    CHECK((error.last() & POLLERR) != 0);
    CHECK(here.send("still?", {}) == -ECONNREFUSED);
    CHECK(here.send("once more", {}) == 9);
}

LARIAT_BACKEND_TEST_CASE("a datagram that cannot be sent is refused with the reason") {
    World world(backend_kind);
    Station here(world);
    CHECK(here.send("to whom?", {}) == -EDESTADDRREQ);
    CHECK(here.send("which family?", Address("[::1]:9")) == -EAFNOSUPPORT);
    CHECK(here.send("which port?", Address::loopback(0)) == -EINVAL);
    CHECK(here.send("all?", Address("255.255.255.255:9")) == -EACCES);
    CHECK(world->connect(here.fd, Address("[::1]:9")) == -EAFNOSUPPORT);
    CHECK(world->try_send_to(-1, {}, here.address) == -EBADF);
    CHECK(world->connect(-1, here.address) == -EBADF);
    CHECK(world->listen(here.fd, 5) == -EOPNOTSUPP);
    int type = 0;
    CHECK(world->get_option(here.fd, SOL_SOCKET, SO_TYPE, &type, sizeof type) == 0);
    CHECK(type == SOCK_DGRAM);
}

LARIAT_BACKEND_TEST_CASE("multicast stays in the local network and is heard on the host unless told otherwise") {
    World world(backend_kind);
    const auto value_of = [&](int domain, int level, int name) {
        int value = 0;
        CHECK(world->get_option(world.open(domain, SOCK_DGRAM), level, name, &value, sizeof value) == 0);
        return value;
    };
    CHECK(value_of(AF_INET, IPPROTO_IP, IP_MULTICAST_TTL) == 1);
    CHECK(value_of(AF_INET, IPPROTO_IP, IP_MULTICAST_LOOP) == 1);
    CHECK(value_of(AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS) == 1);
    CHECK(value_of(AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP) == 1);
    CHECK(value_of(AF_INET, SOL_SOCKET, SO_BROADCAST) == 0);
}

LARIAT_BACKEND_TEST_CASE("ports of datagrams and of streams are not the same, and each can be had once") {
    World world(backend_kind);
    const int listening = world.listen();
    Station here(world, world.address_of(listening));
    const int second = world.open(AF_INET, SOCK_DGRAM);
    CHECK(world->bind(second, here.address) == -EADDRINUSE);
}

LARIAT_BACKEND_TEST_CASE("a socket that sends before it is bound gets a port of its own") {
    World world(backend_kind);
    Station here(world);
    here.receive.submit();
    const int fd = world.open(AF_INET, SOCK_DGRAM);
    const iovec part{const_cast<char*>("hello"), 5};
    CHECK(world->try_send_to(fd, {&part, 1}, here.address) == 5);
    here.wait_for(1);
    CHECK(world.address_of(fd).port() != 0);
    CHECK(here.senders == Texts{Address::loopback(world.address_of(fd).port()).str()});
}

LARIAT_BACKEND_TEST_CASE("receiving datagrams ends when it is cancelled, and only once") {
    World world(backend_kind);
    Station here(world);
    here.receive.submit();
    here.receive.cancel();
    CHECK(here.receive.op.in_flight());
    here.receive.wait();
    CHECK(here.receive.results == Results{-ECANCELED});
    here.receive.submit();
    world.pump(3);
    here.receive.cancel();
    here.receive.cancel();
    here.receive.wait();
    world.pump(3);
    CHECK(here.receive.results == Results{-ECANCELED, -ECANCELED});
}

LARIAT_BACKEND_TEST_CASE("a datagram that completed before the cancellation is delivered first") {
    World world(backend_kind);
    Station here(world), there(world);
    here.receive.submit();
    world.pump(2);
    CHECK(there.send("in time", here.address) == 7);
    world.wait_for_completions();
    here.receive.cancel();
    here.receive.wait();
    CHECK(here.texts == Texts{"in time"});
    CHECK(here.receive.last() == -ECANCELED);
    CHECK(there.send("later", here.address) == 5);
    here.receive.submit();
    here.wait_for(2);
    CHECK(here.texts == Texts{"in time", "later"});
}

LARIAT_BACKEND_TEST_CASE("a handler may cancel, and what had arrived is not lost") {
    World world(backend_kind);
    Station here(world), there(world);
    here.then = [&] { here.receive.cancel(); };
    here.receive.submit();
    Texts sent;
    for (int i = 0; i < 5; ++i) {
        sent.push_back(std::to_string(i));
        there.send(sent.back(), here.address);
    }
    here.receive.wait();
    CHECK(here.texts.size() >= 1);
    here.then = {};
    here.receive.submit();
    here.wait_for(5);
    CHECK(here.sorted() == sent);
}

LARIAT_BACKEND_TEST_CASE("a handler may close the socket when its operation is over") {
    World world(backend_kind);
    Station here(world), there(world);
    here.receive.submit();
    world.pump(2);
    auto record = std::move(here.receive.then);
    here.receive.then = [&](io::Completion& completion) {
        record(completion);
        if (!completion.more) world.close(here.fd);
    };
    here.receive.cancel();
    here.receive.wait();
    CHECK(world->local_address(here.fd, here.address) == -EBADF);
}

LARIAT_BACKEND_TEST_CASE("datagrams of UNIX sockets keep their order, and say who sent them when there is a name") {
    World world(backend_kind);
    Station here(world, unused_unix_address()), there(world, unused_unix_address());
    here.receive.submit();
    const int unnamed = world.open(AF_UNIX, SOCK_DGRAM);
    for (const char* text : {"one", "two", "three"}) CHECK(there.send(text, here.address) > 0);
    const iovec part{const_cast<char*>("four"), 4};
    CHECK(world->try_send_to(unnamed, {&part, 1}, here.address) == 4);
    here.wait_for(4);
    CHECK(here.texts == Texts{"one", "two", "three", "four"});
    CHECK(here.senders[2] == there.address.str());
    CHECK(here.senders[3] == Address().str());
    CHECK(there.send("who?", {}) == -ENOTCONN);
    CHECK(there.send("nobody", Address("unix:@no such socket in this test")) == -ECONNREFUSED);
}

LARIAT_BACKEND_TEST_CASE("a UNIX socket that is full makes its connected senders wait") {
    World world(backend_kind);
    Station here(world, unused_unix_address()), there(world, unused_unix_address());
    REQUIRE(world->connect(there.fd, here.address) == 0);
    std::size_t sent = 0;
    std::ptrdiff_t last = 0;
    while (sent < 10'000 && (last = there.send("again", {})) == 5) ++sent;
    REQUIRE(last == -EAGAIN);
    CHECK(sent >= 10);
    Polling room(world, there.fd);
    room.op.events = POLLOUT;
    room.submit();
    world.pump(5);
    CHECK_FALSE(room.over);
    here.receive.submit();
    room.wait();
    CHECK(there.send("again", {}) == 5);
    here.wait_for(sent + 1);
}

LARIAT_BACKEND_TEST_CASE("who waits for room in a UNIX socket that is closed waits no longer") {
    World world(backend_kind);
    Station here(world, unused_unix_address()), there(world, unused_unix_address());
    REQUIRE(world->connect(there.fd, here.address) == 0);
    for (int i = 0; i < 10'000 && there.send("again", {}) == 5; ++i) {}
    Polling room(world, there.fd);
    room.op.events = POLLOUT;
    room.submit();
    world.pump(5);
    CHECK_FALSE(room.over);
    world.close(here.fd);
    room.wait();
    CHECK(there.send("again", {}) == -ECONNREFUSED);
}

LARIAT_KERNEL_TEST_CASE("errors that a socket keeps for others to look at do not keep the loop awake") {
    World world(backend_kind);
    Station here(world), there(world);
    here.set(IPPROTO_IP, IP_RECVERR, 1);
    const Address gone = there.address;
    world.close(there.fd);
    CHECK(world->connect(here.fd, gone) == 0);
    here.receive.submit();
    CHECK(here.send("anybody?", {}) == 8);
    world.pump_until([&] { return !here.receive.results.empty(); });
    CHECK(here.receive.results == Results{-ECONNREFUSED});
    world.pump(5);
    if (backend_kind == io::BackendKind::uring) return;  // it is told once of what goes on
    pollfd error{here.fd, 0, 0};
    CHECK(::poll(&error, 1, 0) == 0);
}

LARIAT_BACKEND_TEST_CASE("a datagram that is too long for any buffer is cut, and says so") {
    World world(backend_kind);
    Station here(world, unused_unix_address()), there(world, unused_unix_address());
    there.set(SOL_SOCKET, SO_SNDBUF, 200'000);
    const std::string text = pattern(70'000);
    here.receive.submit();
    REQUIRE(there.send(text, here.address) == 70'000);
    here.wait_for(1);
    CHECK(here.truncated[0]);
    CHECK(here.texts[0] == text.substr(0, io::ReceiveFromOp::most_bytes));
    CHECK(there.send("short", here.address) == 5);
    here.wait_for(2);
    CHECK_FALSE(here.truncated[1]);
}

LARIAT_BACKEND_TEST_CASE("what is sent to a group reaches all of its members on the port") {
    World world(backend_kind);
    Station one(world, Address::any_ipv4(0), {SO_REUSEADDR});
    Station two(world, Address::any_ipv4(one.address.port()), {SO_REUSEADDR});
    Station sender(world);
    const auto change = [&](Station& station, int name) {
        ip_mreq request{};
        request.imr_multiaddr.s_addr = htonl(0xef'01'02'03);  // 239.1.2.3
        request.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
        return world->set_option(station.fd, IPPROTO_IP, name, &request, sizeof request);
    };
    CHECK(change(one, IP_ADD_MEMBERSHIP) == 0);
    CHECK(change(one, IP_ADD_MEMBERSHIP) == -EADDRINUSE);
    CHECK(change(two, IP_ADD_MEMBERSHIP) == 0);
    const in_addr interface{htonl(INADDR_LOOPBACK)};
    CHECK(world->set_option(sender.fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) == 0);
    Address group = Address("239.1.2.3:0");
    group.set_port(one.address.port());
    one.receive.submit();
    two.receive.submit();
    CHECK(sender.send("to all", group) == 6);
    one.wait_for(1);
    two.wait_for(1);
    CHECK(change(one, IP_DROP_MEMBERSHIP) == 0);
    CHECK(change(one, IP_DROP_MEMBERSHIP) == -EADDRNOTAVAIL);
    CHECK(change(two, IP_DROP_MEMBERSHIP) == 0);
}

TEST_SUITE_END();
