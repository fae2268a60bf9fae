// SPDX-License-Identifier: MIT
#include <lariat/runtime/acceptor.hpp>

#include <lariat/io/base/unique_fd.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/connection_world.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <optional>
#include <sys/resource.h>
#include <vector>

using namespace lariat;
using namespace lariat::test;

namespace {

UniqueFd client_of(const Address& address) {
    UniqueFd fd(::socket(address.domain(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(fd.get() >= 0);
    REQUIRE(::connect(fd.get(), address.data(), address.size()) == 0);
    return fd;
}

/// Lowers the number of descriptors this process may open, for as long as it lives.
class DescriptorLimit {
public:
    explicit DescriptorLimit(rlim_t more) {
        getrlimit(RLIMIT_NOFILE, &before_);
        rlimit lowered = before_;
        const UniqueFd probe(::dup(0));  // the lowest free number
        lowered.rlim_cur = static_cast<rlim_t>(probe.get()) + more;
        setrlimit(RLIMIT_NOFILE, &lowered);
    }
    ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

}  // namespace

TEST_SUITE_BEGIN("runtime acceptor");

LARIAT_KERNEL_TEST_CASE("P01 a socket listens before the reactor runs, and two cannot have the same port") {
    ConnectionWorld world(backend_kind);
    const Address taken = world.acceptor.local_address();
    CHECK(taken.port() != 0);
    Acceptor second(world.reactor, [](int) {}, [](int) {});
    CHECK(second.listen(taken, {}) == -EADDRINUSE);
    const UniqueFd client = client_of(taken);
    world.turn_until([&] { return world.accepted.size() == 1; });
}

LARIAT_KERNEL_TEST_CASE("connections that come after close are not accepted, and closed is told from the loop, once") {
    ConnectionWorld world(backend_kind);
    const Address address = world.acceptor.local_address();
    int told = 0;
    world.acceptor.close([&] { ++told; });
    CHECK(told == 0);
    CHECK_FALSE(world.acceptor.is_open());
    world.turn_until([&] { return told == 1; });
    const UniqueFd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(::connect(late.get(), address.data(), address.size()) == -1);
    world.turns(3);
    CHECK(told == 1);
    CHECK(world.accepted.empty());
}

LARIAT_KERNEL_TEST_CASE("P06 a burst of clients is accepted in one go while timers keep their turn") {
    ConnectionWorld world(backend_kind);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 300; ++i) clients.push_back(client_of(world.acceptor.local_address()));
    int ticks = 0;
    Function<void()> tick = [&] {
        ++ticks;
        world.reactor.call_later(Duration::zero(), [&] { tick(); });
    };
    tick();
    std::size_t least_turns = 0;
    while (world.accepted.size() < clients.size()) {
        REQUIRE(++least_turns < 1000);
        world.reactor.iterate();
    }
    CHECK(least_turns < clients.size() / 2);  // batches, not one connection a turn
    CHECK(ticks > static_cast<int>(least_turns) / 2);
    for (const DelayedCall& call : world.reactor.delayed_calls()) DelayedCall(call).cancel();
}

LARIAT_KERNEL_TEST_CASE(
    "P07 P08 with the descriptor table full, waiting clients are turned away, nothing spins, and accepting goes on") {
    ConnectionWorld world(backend_kind);
    const Address address = world.acceptor.local_address();
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 6; ++i) clients.push_back(client_of(address));
    // No turn before the limit: io_uring reads it when an accept is submitted.
    {
        const DescriptorLimit limit(2);
        world.turn_until([&] { return !world.errors.empty(); });
        CHECK(world.errors.front() == EMFILE);
        CHECK(world.accepted.size() == 2);
        // Those beyond the limit see their connection closed rather than hanging.
        char byte = 0;
        int refused = 0;
        for (const UniqueFd& client : clients) refused += ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
        CHECK(refused == 4);
        const std::size_t told = world.errors.size();
        world.turns(50);
        CHECK(world.errors.size() == told);
    }
    for (int fd : world.accepted) world.reactor.backend().close(fd);
    world.accepted.clear();
    const UniqueFd after = client_of(address);
    world.turn_until([&] { return world.accepted.size() == 1; });
}

LARIAT_KERNEL_TEST_CASE("a paused acceptor leaves clients in the kernel's queue until it starts again") {
    ConnectionWorld world(backend_kind);
    world.turns(2);
    world.acceptor.pause();
    world.turns(3);
    const UniqueFd waiting = client_of(world.acceptor.local_address());
    world.turns(5);
    CHECK(world.accepted.empty());
    world.acceptor.start();
    world.turn_until([&] { return world.accepted.size() == 1; });
    world.acceptor.pause();
    world.acceptor.start();  // before the pause took effect
    const UniqueFd next = client_of(world.acceptor.local_address());
    world.turn_until([&] { return world.accepted.size() == 2; });
}

LARIAT_KERNEL_TEST_CASE("P12 an adopted socket accepts, and closing it leaves its other holder listening") {
    ConnectionWorld world(backend_kind);
    UniqueFd original(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    Address address = Address::loopback(0);
    REQUIRE(::bind(original.get(), address.data(), address.size()) == 0);
    REQUIRE(::listen(original.get(), 8) == 0);
    std::vector<int> got;
    Acceptor adopted(world.reactor, [&](int fd) { got.push_back(fd); }, [](int) {});
    const int copy = ::dup(original.get());
    REQUIRE(adopted.adopt(copy) == 0);
    address = adopted.local_address();
    adopted.start();
    const UniqueFd first = client_of(address);
    world.turn_until([&] { return got.size() == 1; });
    bool closed = false;
    adopted.close([&] { closed = true; });
    world.turn_until([&] { return closed; });
    const UniqueFd second = client_of(address);  // the kernel's queue of the original takes it
    world.turns(3);
    CHECK(got.size() == 1);
    world.reactor.backend().close(got.front());
}

TEST_SUITE_END();
