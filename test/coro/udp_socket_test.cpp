// SPDX-License-Identifier: MIT
#include <lariat/coro/udp_socket.hpp>

#include <lariat/coro/deferred_coroutine.hpp>
#include <lariat/test/support/io_world.hpp>
#include <lariat/test/support/udp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using namespace literals;
using namespace test;

constexpr std::size_t longest_over_ipv4 = 65507;  // 65535 less the headers of IPv4 and UDP

Task<std::string> once_cancelled(Task<std::string> task) {
    try {
        co_await sleep(an_hour);
    } catch (const Cancelled&) {}
    co_return co_await std::move(task);
}
io::Ledger ledger() { return Reactor::current()->backend().ledger(); }

// Exchanging

Task<> exchange_datagrams(Address here) {
    UdpSocket a(here), b(here);
    CHECK(a.local_address().port() != 0);
    CHECK(a.peer_address() == Address());
    co_await a.send_to("question", b.local_address());
    const Datagram question = co_await b.receive_from();
    CHECK(question.data.text() == "question");
    CHECK(question.from == a.local_address());
    CHECK_FALSE(question.truncated);
    co_await b.send_to("answer", question.from);
    const Datagram answer = co_await a.receive_from();
    CHECK(answer.data.text() == "answer");
    CHECK(answer.from == b.local_address());
}
LARIAT_BACKEND_TEST_CASE("datagrams are exchanged over IPv4 and IPv6") {
    run_on(backend_kind, exchange_datagrams, loopback);
    run_on(backend_kind, exchange_datagrams, Address("[::1]:0"));
}

Task<> shortest_and_longest() {
    UdpSocket a(loopback), b(loopback);
    co_await a.send_to("", b.local_address());
    const Datagram empty = co_await b.receive_from();
    CHECK(empty.data.empty());
    CHECK(empty.from == a.local_address());
    std::string text = pattern(64);
    text.resize(longest_over_ipv4 + 1);
    CHECK(co_await ending_of(send_text_to(a, text, b.local_address()))
          == "MessageLengthError: Message is too long to send: 65508 bytes.");
    text.resize(longest_over_ipv4);
    co_await a.send_to(text, b.local_address());
    CHECK(co_await receive_text(b) == text);
}
LARIAT_BACKEND_TEST_CASE("a datagram is empty or as long as any can be, and comes whole") {
    run_on(backend_kind, shortest_and_longest);
}

// Receives `count` datagrams that are "0", "1", ..., in this order where the network keeps it.
Task<> expect_numbers(UdpSocket& socket, int count) {
    std::vector<std::string> expected, got;
    for (int i = 0; i < count; ++i) {
        expected.push_back(std::to_string(i));
        std::string text = co_await receive_text(socket);
        got.push_back(std::move(text));
    }
    if (is_simulated()) {
        std::sort(got.begin(), got.end());
        std::sort(expected.begin(), expected.end());
    }
    CHECK(got == expected);
}
Task<> send_numbers(UdpSocket& socket, Address to, int count) {
    for (int i = 0; i < count; ++i) {
        const std::string text = std::to_string(i);
        co_await socket.send_to(text, to);
    }
}
Task<> several_datagrams() {
    UdpSocket a(loopback), b(loopback);
    co_await send_numbers(a, b.local_address(), 50);
    co_await expect_numbers(b, 50);
}
LARIAT_BACKEND_TEST_CASE("several datagrams come one by one, in order where the network keeps it") {
    run_on(backend_kind, several_datagrams);
}

Task<> overflow() {
    constexpr int more_than_wait = 200;
    UdpSocket a(loopback), b(loopback);
    co_await a.send_to("first", b.local_address());
    CHECK(co_await receive_text(b) == "first");  // from now on it receives also when nobody waits
    const std::size_t receiving = ledger().operations;
    co_await send_numbers(a, b.local_address(), 1);
    co_await let_arrive();
    CHECK(ledger().operations == receiving);
    CHECK(ledger().buffers == 0);
    co_await expect_numbers(b, 1);
    co_await send_numbers(a, b.local_address(), more_than_wait);
    co_await let_arrive();
    CHECK(ledger().operations == receiving - 1);
    CHECK(ledger().buffers == 0);  // what waits is copied
    co_await expect_numbers(b, more_than_wait);
    CHECK(ledger().operations == receiving);
    co_await a.send_to("last", b.local_address());
    CHECK(co_await receive_text(b) == "last");
}
LARIAT_BACKEND_TEST_CASE("a socket pauses while many datagrams wait for receive_from(), and loses none of those") {
    run_on(backend_kind, overflow);
}

Task<std::string> send_often(UdpSocket& socket, Address to, int& sent) {
    while (sent < 1000) {
        co_await socket.send_to("x", to);
        ++sent;
    }
    co_return "sent all";
}
Task<> cancel_flood() {
    UdpSocket a(loopback), nobody(loopback);
    int sent = 0;
    std::string outcome;
    const JoinHandle<> flood = spawn(record, std::ref(outcome), send_often(a, nobody.local_address(), sent));
    while (sent == 0) co_await yield();
    flood.cancel();
    co_await flood;
    CHECK(outcome == "Cancelled: requested");
    CHECK(sent < 1000);
}
LARIAT_BACKEND_TEST_CASE("who sends and never waits lets others run, and can be cancelled") {
    run_on(backend_kind, cancel_flood);
}

// Connected sockets

Task<> connected_hears_its_peer() {
    UdpSocket us(loopback), peer(loopback), stranger(loopback);
    CHECK(co_await ending_of(send_text(us, "x")) == "Error: send: Destination address required");
    us.connect(peer.local_address());
    CHECK(us.peer_address() == peer.local_address());
    co_await stranger.send_to("from a stranger", us.local_address());
    co_await let_arrive();
    co_await us.send("question");
    const Datagram question = co_await peer.receive_from();
    CHECK(question.data.text() == "question");
    co_await peer.send_to("answer", question.from);
    CHECK(co_await receive_text(us) == "answer");
    us.connect(stranger.local_address());
    co_await us.send("question");
    CHECK(co_await receive_text(stranger) == "question");
}
LARIAT_BACKEND_TEST_CASE("a connected socket sends to its peer and hears nobody else") {
    run_on(backend_kind, connected_hears_its_peer);
}

// `us` talks to `peer`, which refuses it, as it is connected to `other` only.
struct Refusing {
    Refusing() : us(loopback), peer(loopback), other(loopback) {
        us.connect(peer.local_address());
        peer.connect(other.local_address());
    }
    void relent() { peer.connect(us.local_address()); }

    UdpSocket us, peer, other;
};

constexpr const char* refusal = "ConnectionRefused: Connection was refused by other side: 111: Connection refused.";

Task<> refused() {
    Refusing sockets;
    std::string outcome;
    const JoinHandle<> receiver = spawn(record, std::ref(outcome), receive_text(sockets.us));
    co_await settle();
    co_await sockets.us.send("refused");
    co_await receiver;
    CHECK(outcome == refusal);
    sockets.relent();
    co_await sockets.us.send("taken");
    CHECK(co_await receive_text(sockets.peer) == "taken");
    co_await sockets.peer.send("answer");
    CHECK(co_await receive_text(sockets.us) == "answer");
}
LARIAT_BACKEND_TEST_CASE("a refused datagram makes receive_from() throw ConnectionRefused, and the socket goes on") {
    run_on(backend_kind, refused);
}

Task<> refused_before() {
    Refusing sockets;
    co_await sockets.us.send("refused");
    co_await let_arrive();
    sockets.relent();
    co_await sockets.us.send("taken");  // is where the kernel says that the one before was refused
    CHECK(co_await receive_text(sockets.peer) == "taken");
    CHECK(co_await ending_of(receive_text(sockets.us)) == refusal);
    co_await sockets.peer.send("answer");
    CHECK(co_await receive_text(sockets.us) == "answer");
}
LARIAT_BACKEND_TEST_CASE("a datagram is sent although one before it was refused, which receive_from() tells") {
    run_on(backend_kind, refused_before);
}

Task<> refused_in_turn() {
    Refusing sockets;
    co_await sockets.peer.send_to("before", sockets.us.local_address());
    CHECK(co_await receive_text(sockets.us) == "before");  // it receives from now on
    co_await sockets.peer.send_to("one", sockets.us.local_address());
    co_await let_arrive();
    for (int i = 0; i < 3; ++i) {
        co_await sockets.us.send("refused");
        co_await let_arrive();
    }
    co_await sockets.peer.send_to("two", sockets.us.local_address());
    co_await let_arrive();
    CHECK(co_await receive_text(sockets.us) == "one");
    CHECK(co_await ending_of(receive_text(sockets.us)) == refusal);
    CHECK(co_await receive_text(sockets.us) == "two");
}
LARIAT_BACKEND_TEST_CASE("a refusal comes in its turn among the datagrams, and several in a row as one") {
    run_on(backend_kind, refused_in_turn);
}

// Cancellation, ends

Task<std::string> receive_twice(UdpSocket& socket, std::string& first) {
    first = co_await receive_text(socket);
    co_return co_await receive_text(socket);
}
Task<> cancel_receive() {
    UdpSocket a(loopback), b(loopback);
    std::string first, outcome;
    JoinHandle<> receiver = spawn(record, std::ref(outcome), receive_text(b));
    co_await settle();
    receiver.cancel();
    co_await receiver;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await ending_of(receive_text_soon(b)) == "TimedOut: receive_from timed out after 1 ms");

    co_await a.send_to("one", b.local_address());
    receiver = spawn(record, std::ref(outcome), once_cancelled(receive_text(b)));
    receiver.cancel();
    co_await receiver;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await receive_text(b) == "one");

    receiver = spawn(record, std::ref(outcome), receive_twice(b, first));
    co_await a.send_to("two", b.local_address());
    while (first.empty()) co_await yield();
    receiver.cancel();
    co_await receiver;
    CHECK(first == "two");
    CHECK(outcome == "Cancelled: requested");
    co_await a.send_to("three", b.local_address());
    CHECK(co_await receive_text(b) == "three");
}
LARIAT_BACKEND_TEST_CASE("receive_from() can be cancelled and timed out, and loses no datagram") {
    run_on(backend_kind, cancel_receive);
}

Task<> close_socket() {
    UdpSocket a(loopback), b(loopback);
    const Address address = b.local_address();
    std::string outcome;
    const JoinHandle<> receiver = spawn(record, std::ref(outcome), receive_text(b));
    co_await settle();
    b.close();
    b.close();
    CHECK(outcome == "nothing yet");
    CHECK_FALSE(b.is_open());
    co_await receiver;
    const std::string closed = "the socket is closed";
    CHECK(outcome == "SocketClosed: " + closed);
    CHECK(co_await ending_of(receive_text(b)) == "SocketClosed: " + closed);
    CHECK(co_await ending_of(send_text_to(b, "x", a.local_address())) == "SocketClosed: " + closed);
    CHECK(co_await ending_of(send_text(b, "x")) == "SocketClosed: " + closed);
    CHECK(text_thrown_by([&] { b.connect(a.local_address()); }) == closed);
    CHECK(text_thrown_by([&] { b.set_broadcast(true); }) == closed);
    CHECK(text_thrown_by([&] { b.set_multicast_ttl(1); }) == closed);
    CHECK(text_thrown_by([&] { b.join_group("239.1.2.3:0"); }) == closed);
    CHECK(b.local_address() == Address());
    CHECK(b.peer_address() == Address());
    co_await settle();
    b = UdpSocket(address);  // the port is free
    co_await a.send_to("again", address);
    CHECK(co_await receive_text(b) == "again");
}
LARIAT_BACKEND_TEST_CASE("close() ends a waiting receive_from() and frees the port") {
    run_on(backend_kind, close_socket);
}

Task<> close_with_datagrams() {
    UdpSocket a(loopback), b(loopback);
    co_await a.send_to("first", b.local_address());
    CHECK(co_await receive_text(b) == "first");
    co_await a.send_to("second", b.local_address());
    co_await let_arrive();
    b.close();
    co_await settle();
    CHECK(co_await receive_text(b) == "second");
    CHECK(co_await ending_of(receive_text(b)) == "SocketClosed: the socket is closed");
    b = UdpSocket(loopback);
    co_await a.send_to("third", b.local_address());  // nobody takes it, nobody waits: b is destroyed all the same
    CHECK(co_await ending_of(receive_text_soon(a)) == "TimedOut: receive_from timed out after 1 ms");
}
LARIAT_BACKEND_TEST_CASE("what had come before close() is still given, and what nobody took goes with the socket") {
    run_on(backend_kind, close_with_datagrams);
}

Deferred<> receive_for_ever(UdpSocket& socket, std::string& outcome) {
    try {
        for (;;) co_await socket.receive_from();
    } catch (const SocketClosed& error) {
        outcome = error.what();
    }
}
LARIAT_BACKEND_TEST_CASE("who receives is told when the reactor's shutdown closes the socket") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    UdpSocket socket(reactor, loopback);
    std::string outcome;
    reactor.call_when_running([&] {
        receive_for_ever(socket, outcome);
        reactor.call_later(Duration::zero(), [&] { reactor.stop(); });
    });
    reactor.run();
    CHECK(outcome == "the socket is closed");
    CHECK_FALSE(socket.is_open());
}

Task<> use(UdpSocket& a, UdpSocket& b) {
    co_await a.send_to("x", b.local_address());
    CHECK(co_await receive_text(b) == "x");
}
LARIAT_BACKEND_TEST_CASE("a socket is made before its reactor runs, and may outlive the run") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    { const UdpSocket unused(reactor, loopback); }
    UdpSocket a(reactor, loopback), b(reactor, loopback);
    UdpSocket moved(std::move(b));
    CHECK(run(reactor, use(a, moved)) == 0);
    CHECK_FALSE(a.is_open());
    CHECK(reactor.backend().ledger().descriptors == 0);
}

}  // namespace
}  // namespace lariat
