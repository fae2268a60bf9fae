// SPDX-License-Identifier: MIT
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <fcntl.h>
#include <sys/resource.h>

using namespace lariat;
using namespace lariat::test;

namespace {

/// Leaves the process `spare` unused descriptor numbers while it lives.
class FewDescriptors {
public:
    explicit FewDescriptors(int spare) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        UniqueFd lowest(::dup(0));
        while (spare-- > 0) fill_.emplace_back(::dup(0));
        const int highest = std::max(lowest.get(), fill_.empty() ? 0 : fill_.back().get());
        fill_.clear();
        rlimit few = before_;
        few.rlim_cur = static_cast<rlim_t>(highest);
        ::setrlimit(RLIMIT_NOFILE, &few);
        lowest.reset();
    }
    ~FewDescriptors() { lift(); }
    void lift() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
    std::vector<UniqueFd> fill_;
};

/// A listener whose queue is full, so that connections to it hang.
struct FullListener {
    explicit FullListener(World& world) : fd(world.listen(0)), address(world.address_of(fd)) {
        for (int i = 0; i < 8; ++i) {
            fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            ::connect(fillers.back().get(), address.data(), address.size());
        }
    }
    int fd;
    Address address;
    std::vector<UniqueFd> fillers;
};

}  // namespace

TEST_SUITE_BEGIN("io accept and connect");

LARIAT_BACKEND_TEST_CASE("connect to no address in particular reaches this host") {
    World world(backend_kind);
    const Address there = world.address_of(world.listen());
    Connecting connect(world, world.open());
    connect.op.address = Address::any_ipv4(there.port());
    connect.submit();
    connect.wait();
    CHECK(connect.last() == 0);
    Address peer;
    CHECK(world->peer_address(connect.op.fd, peer) == 0);
    CHECK(peer == there);
}

LARIAT_BACKEND_TEST_CASE("connect reaches a listener and accept takes it") {
    World world(backend_kind);
    const int listener = world.listen();
    Accepting accept(world, listener);
    accept.submit();
    Connecting connect(world, world.open());
    connect.op.address = world.address_of(listener);
    connect.submit();
    CHECK(connect.results.empty());
    connect.wait();
    CHECK(connect.results == std::vector<std::int32_t>{0});
    world.pump_until([&] { return accept.results.size() == 1; });
    const int accepted = accept.results[0];
    REQUIRE(accepted >= 0);
    CHECK_FALSE(accept.over);
    CHECK(world->ledger().descriptors == 3);

    Address peer;
    CHECK(world->peer_address(accepted, peer) == 0);
    CHECK(peer == world.address_of(connect.op.fd));
    CHECK((::fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);

    // A connected socket works for transfers at once.
    Receiving receive(world, accepted);
    receive.submit();
    Sending send(world, connect.op.fd);
    set_parts(send.op, "through");
    send.submit();
    world.pump_until([&] { return receive.bytes == "through"; });
    send.wait();
}

LARIAT_BACKEND_TEST_CASE("connect works on UNIX sockets, whose connections are made at once") {
    World world(backend_kind);
    const int listener = world.open(AF_UNIX);
    REQUIRE(world->bind(listener, *Address::from_path("@lariat-test-" + std::to_string(::getpid()))) == 0);
    REQUIRE(world->listen(listener, 8) == 0);
    Accepting accept(world, listener);
    accept.submit();
    Connecting connect(world, world.open(AF_UNIX));
    connect.op.address = world.address_of(listener);
    connect.submit();
    CHECK(connect.results.empty());
    connect.wait();
    CHECK(connect.last() == 0);
    world.pump_until([&] { return accept.results.size() == 1; });
    CHECK(accept.results[0] >= 0);
}

LARIAT_BACKEND_TEST_CASE("a refused connect fails with ECONNREFUSED") {
    World world(backend_kind);
    const int listener = world.listen();
    const Address nobody = world.address_of(listener);
    world.close(listener);
    Connecting connect(world, world.open());
    connect.op.address = nobody;
    connect.submit();
    connect.wait();
    CHECK(connect.results == std::vector<std::int32_t>{-ECONNREFUSED});
}

LARIAT_BACKEND_TEST_CASE("a second connect of a connected socket fails with EISCONN") {
    World world(backend_kind);
    const int listener = world.listen();
    Connecting connect(world, world.open());
    connect.op.address = world.address_of(listener);
    connect.submit();
    connect.wait();
    CHECK(connect.last() == 0);
    connect.submit();
    connect.wait();
    CHECK(connect.last() == -EISCONN);
}

LARIAT_BACKEND_TEST_CASE("connect to an address of the wrong family or to none fails as connect(2) does") {
    World world(backend_kind);
    Connecting connect(world, world.open());
    connect.op.address = *Address::from_path("@nobody");
    connect.submit();
    connect.wait();
    CHECK((connect.last() == -EAFNOSUPPORT || connect.last() == -EINVAL));
    connect.op.address = Address();
    connect.submit();
    connect.wait();
    CHECK(connect.last() == -EINVAL);
}

LARIAT_BACKEND_TEST_CASE(
    "a connect that is cancelled in the turn of its submission ends once, as cancelled or connected") {
    World world(backend_kind);
    const int listener = world.listen();
    Connecting connect(world, world.open());
    connect.op.address = world.address_of(listener);
    connect.submit();
    connect.cancel();
    CHECK(connect.results.empty());
    connect.wait();
    REQUIRE(connect.results.size() == 1);
    CHECK((connect.last() == -ECANCELED || connect.last() == 0));
}

LARIAT_BACKEND_TEST_CASE("a connect that is cancelled in flight ends as cancelled") {
    World world(backend_kind);
    FullListener full(world);
    Connecting connect(world, world.open());
    connect.op.address = full.address;
    connect.submit();
    world.pump(5);
    REQUIRE(connect.results.empty());
    connect.cancel();
    connect.wait();
    CHECK(connect.results == std::vector<std::int32_t>{-ECANCELED});
}

LARIAT_BACKEND_TEST_CASE("a connect that completed and is then cancelled reports its success") {
    World world(backend_kind);
    const int listener = world.listen();
    Connecting connect(world, world.open());
    connect.op.address = world.address_of(listener);
    connect.submit();
    world.wait_for_completions();
    connect.cancel();
    connect.wait();
    CHECK(connect.results == std::vector<std::int32_t>{0});
}

LARIAT_BACKEND_TEST_CASE("accept that is cancelled in the turn of its submission ends as cancelled") {
    World world(backend_kind);
    Accepting accept(world, world.listen());
    accept.submit();
    accept.cancel();
    CHECK(accept.results.empty());
    accept.wait();
    CHECK(accept.results == std::vector<std::int32_t>{-ECANCELED});
}

LARIAT_KERNEL_TEST_CASE("accept that is cancelled in flight ends as cancelled, and the socket listens on") {
    World world(backend_kind);
    const int listener = world.listen();
    Accepting accept(world, listener);
    accept.submit();
    world.pump(3);
    accept.cancel();
    accept.wait();
    CHECK(accept.results == std::vector<std::int32_t>{-ECANCELED});
    const UniqueFd client = connect_to(world.address_of(listener));
    CHECK(world.keep(world->try_accept(listener)) >= 0);
    CHECK(world->try_accept(listener) == -EAGAIN);
}

LARIAT_KERNEL_TEST_CASE("connections that were accepted before the cancellation are delivered first") {
    World world(backend_kind);
    const int listener = world.listen();
    Accepting accept(world, listener);
    accept.submit();
    world.pump(2);
    const UniqueFd one = connect_to(world.address_of(listener));
    const UniqueFd two = connect_to(world.address_of(listener));
    world.wait_for_completions();
    accept.cancel();
    accept.wait();
    REQUIRE(accept.results.size() == 3);
    CHECK(accept.results[0] >= 0);
    CHECK(accept.results[1] >= 0);
    CHECK(accept.results[2] == -ECANCELED);
}

LARIAT_KERNEL_TEST_CASE("a peer that resets before it was accepted is accepted and found dead") {
    World world(backend_kind);
    const int listener = world.listen();
    {
        const UniqueFd client = connect_to(world.address_of(listener));
        reset_on_close(client.get());
    }
    Accepting accept(world, listener);
    accept.submit();
    world.pump_until([&] { return accept.results.size() == 1; });
    REQUIRE(accept.last() >= 0);
    Receiving receive(world, accept.last());
    receive.submit();
    receive.wait();
    CHECK(receive.results == std::vector<std::int32_t>{-ECONNRESET});
    CHECK_FALSE(accept.over);
}

LARIAT_KERNEL_TEST_CASE("accept takes a hundred waiting connections, however small the queues are") {
    World world(backend_kind, io::BackendOptions().submission_entries(8).completion_entries(16));
    const int listener = world.listen();
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(connect_to(world.address_of(listener)));
    Accepting accept(world, listener);
    accept.submit();
    world.pump_until([&] { return accept.results.size() == 100; });
    CHECK(std::ranges::all_of(accept.results, [](int fd) { return fd >= 0; }));
    CHECK_FALSE(accept.over);
}

LARIAT_KERNEL_TEST_CASE("accept ends with EMFILE when descriptors run out, and works when submitted again") {
    World world(backend_kind);
    const int listener = world.listen();
    const Address address = world.address_of(listener);
    Accepting accept(world, listener);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(address));
    world.pump(1);
    {
        // io_uring notes the limit when the operation is submitted (io_accept_prep in the kernel's io_uring/net.c).
        FewDescriptors few(0);
        accept.submit();
        accept.wait();
        few.lift();
        world.pump(3);  // nothing more comes
    }
    CHECK(accept.last() == -EMFILE);
    const auto errors = std::ranges::count_if(accept.results, [](int result) { return result < 0; });
    CHECK(errors == 1);
    const std::size_t so_far = accept.results.size() - 1;
    accept.submit();
    world.pump_until([&] { return accept.results.size() == 1 + 3; });
    CHECK(so_far == 0);
    CHECK_FALSE(accept.over);
}

LARIAT_BACKEND_TEST_CASE("accept on a socket that does not listen fails with EINVAL") {
    World world(backend_kind);
    Accepting accept(world, world.open());
    accept.submit();
    accept.wait();
    CHECK(accept.results == std::vector<std::int32_t>{-EINVAL});
}

TEST_SUITE_END();
