// SPDX-License-Identifier: MIT
#include <lariat/runtime/connect_attempt.hpp>

#include <lariat/io/base/unique_fd.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/connection_world.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <optional>
#include <vector>

using namespace lariat;
using namespace lariat::test;

namespace {

/// An address of this machine where nobody listens: bound, so that nobody else gets it, and not listening.
struct DeadAddress {
    DeadAddress() : holder(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        address = Address::loopback(0);
        REQUIRE(::bind(holder.get(), address.data(), address.size()) == 0);
        sockaddr_in name{};
        socklen_t size = sizeof name;
        REQUIRE(::getsockname(holder.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
        address = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&name), size);
    }
    UniqueFd holder;
    Address address;
};

}  // namespace

TEST_SUITE_BEGIN("runtime connect");

LARIAT_BACKEND_TEST_CASE("C14 an attempt hands over a connected descriptor, from the loop") {
    ConnectionWorld world(backend_kind);
    std::vector<int> results;
    ConnectAttempt attempt;
    REQUIRE(attempt.start(world.reactor, world.acceptor.local_address(), {}, [&](int r) { results.push_back(r); })
            == 0);
    CHECK(results.empty());
    CHECK(attempt.is_active());
    world.turn_until([&] { return !results.empty() && !world.accepted.empty(); });
    REQUIRE(results.size() == 1);
    CHECK(results[0] >= 0);
    CHECK_FALSE(attempt.is_active());
    world.reactor.backend().close(results[0]);
}

LARIAT_BACKEND_TEST_CASE("C06 where nobody listens the attempt fails with ECONNREFUSED and leaves no descriptor") {
    ConnectionWorld world(backend_kind);
    const DeadAddress dead;
    const std::size_t before = world.reactor.backend().ledger().descriptors;
    std::vector<int> results;
    ConnectAttempt attempt;
    REQUIRE(attempt.start(world.reactor, dead.address, std::nullopt, [&](int r) { results.push_back(r); }) == 0);
    world.turn_until([&] { return !results.empty(); });
    CHECK(results == std::vector<int>{-ECONNREFUSED});
    CHECK(world.reactor.backend().ledger().descriptors == before);
}

LARIAT_BACKEND_TEST_CASE(
    "a cancelled attempt calls nobody and closes what it had made, at whatever turn it is cancelled") {
    for (int turns = 0; turns < 4; ++turns) {
        ConnectionWorld world(backend_kind);
        world.turns(1);
        const std::size_t before = world.reactor.backend().ledger().descriptors;
        int calls = 0;
        ConnectAttempt attempt;
        REQUIRE(attempt.start(world.reactor, world.acceptor.local_address(), {}, [&](int fd) {
            ++calls;
            world.reactor.backend().close(fd);
        }) == 0);
        world.turns(turns);
        const int calls_before = calls;
        attempt.cancel();
        attempt.cancel();
        world.turn_until(
            [&] { return world.reactor.backend().ledger().descriptors == before + world.accepted.size(); });
        CHECK(calls == calls_before);
    }
}

LARIAT_BACKEND_TEST_CASE("a reactor that dies cancels the attempts and closes the sockets that are left") {
    int result = 0;
    ConnectAttempt attempt;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        Acceptor acceptor(reactor, [](int) {}, [](int) {});
        REQUIRE(acceptor.listen(Address::loopback(0), {}) == 0);
        acceptor.start();
        REQUIRE(attempt.start(reactor, acceptor.local_address(), std::nullopt, [&](int r) { result = r; }) == 0);
    }
    CHECK(result == -ECANCELED);
    CHECK_FALSE(attempt.is_active());
}

LARIAT_BACKEND_TEST_CASE("an attempt may move while it is under way") {
    ConnectionWorld world(backend_kind);
    int result = 0;
    ConnectAttempt last;
    {
        ConnectAttempt first;
        REQUIRE(first.start(world.reactor, world.acceptor.local_address(), {}, [&](int r) { result = r; }) == 0);
        last = std::move(first);
    }
    world.turn_until([&] { return result != 0; });
    CHECK(result > 0);
    CHECK_FALSE(last.is_active());
    world.reactor.backend().close(result);
    world.turn_until([&] { return !world.accepted.empty(); });
}

LARIAT_BACKEND_TEST_CASE("C12 an attempt binds first, and says when that was what failed") {
    ConnectionWorld world(backend_kind);
    const Address from = Address::loopback(0);
    int result = 0;
    ConnectAttempt attempt;
    REQUIRE(attempt.start(world.reactor, world.acceptor.local_address(), from, [&](int r) { result = r; }) == 0);
    world.turn_until([&] { return result != 0; });
    REQUIRE(result > 0);
    world.reactor.backend().close(result);
    bool bind_failed = false;
    ConnectAttempt refused;
    CHECK(refused.start(
              world.reactor, world.acceptor.local_address(), world.acceptor.local_address(),
              [](int) { FAIL("never called"); }, &bind_failed)
          == -EADDRINUSE);
    CHECK(bind_failed);
    world.turn_until([&] { return !world.accepted.empty(); });
}

TEST_SUITE_END();
