// SPDX-License-Identifier: MIT
// DatagramSocket: its own promises, beside what UdpSocket and UdpPort make of them.
#include <lariat/runtime/datagram_socket.hpp>

#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace lariat {
namespace {

struct Bound {
    explicit Bound(Reactor& reactor, const Address& local = Address::loopback(0))
        : socket(
              reactor, [this](Datagram& datagram) { texts.push_back(datagram.data.str()); },
              [this](int error) { errors.push_back(error); }) {
        REQUIRE(socket.open(local) == 0);
        socket.start();
    }
    std::ptrdiff_t send(Bytes bytes, const Address& to = {}) { return socket.send({&bytes, 1}, to); }

    std::vector<std::string> texts;
    std::vector<int> errors;
    DatagramSocket socket;
};

template <class Condition>
void turn_until(Reactor& reactor, Condition condition) {
    for (int turns = 0; !condition(); ++turns) {
        REQUIRE(turns < 10'000);
        reactor.iterate(std::chrono::milliseconds(10));
    }
}

TEST_SUITE_BEGIN("runtime datagram socket");

LARIAT_BACKEND_TEST_CASE("closing may be asked for again, and who waits for the end is told once") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Bound bound(reactor);
    int closed = 0;
    bound.socket.close([&] { ++closed; });
    bound.socket.close({});
    CHECK_FALSE(bound.socket.is_open());
    CHECK(closed == 0);
    turn_until(reactor, [&] { return closed > 0; });
    bound.socket.close({});
    CHECK(closed == 1);
    CHECK(reactor.backend().ledger().descriptors == 0);
    CHECK(bound.send("x", Address::loopback(9)) == -EBADF);
}

// A send that is told of a refusal has sent its datagram, and the refusal is told from the loop.
LARIAT_KERNEL_TEST_CASE("what an earlier datagram has brought back does not take this one's place") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Bound bound(reactor);
    Address gone;
    {
        const Bound there(reactor);
        gone = there.socket.local_address();
    }
    turn_until(reactor, [&] { return reactor.backend().ledger().descriptors == 1; });
    bound.socket.pause();
    turn_until(reactor, [&] { return reactor.backend().ledger().operations == 0; });
    REQUIRE(bound.socket.connect(gone) == 0);
    CHECK(bound.send("one") == 3);
    CHECK(bound.send("two") == 3);  // hears that "one" was refused
    CHECK(bound.errors.empty());
    reactor.iterate(Duration::zero());
    CHECK(bound.errors == std::vector<int>{ECONNREFUSED});
    const Bound back(reactor, gone);
    CHECK(bound.send("three") == 5);
    turn_until(reactor, [&] { return back.texts.size() == 1; });
    CHECK(back.texts == std::vector<std::string>{"three"});
}

LARIAT_BACKEND_TEST_CASE("the reactor's shutdown says that it closes the socket") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Bound bound(reactor);
    bool stopped = false;
    bound.socket.when_stopped([&] { stopped = true; });
    reactor.call_when_running([&] { reactor.stop(); });
    reactor.run();
    CHECK(stopped);
    CHECK_FALSE(bound.socket.is_open());
}

TEST_SUITE_END();

}  // namespace
}  // namespace lariat
