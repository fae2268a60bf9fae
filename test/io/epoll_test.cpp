// SPDX-License-Identifier: MIT
// What only epoll has to get right: registrations.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/child.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/syscall.h>

using namespace lariat;
using namespace lariat::test;

TEST_SUITE_BEGIN("io epoll");

// A socket closed here and still open elsewhere keeps its registration, and with it wakes us for ever (epoll(7)).
TEST_CASE("a socket that lives on in another process neither wakes the loop nor reaches the next owner of its number") {
    World world(io::BackendKind::epoll);
    const int listener = world.listen();
    UniqueFd client = connect_to(world.address_of(listener));
    int fd = -1;
    world.pump_until([&] { return (fd = world->try_accept(listener)) >= 0; });
    UniqueFd elsewhere(::dup(fd));
    {
        Receiving receive(world, fd);
        receive.submit();
        world.pump(2);
        receive.then = [&](io::Completion& completion) {
            if (!completion.more) world->close(fd);
        };
        receive.cancel_and_wait();
    }
    // The next owner of the number waits as well.
    SocketPair pair = unix_pair();
    REQUIRE(::dup2(pair.ours.get(), fd) == fd);
    REQUIRE(world->adopt(fd) == 0);
    world.keep(fd);
    Receiving receive(world, fd);
    receive.submit();
    write_all(client.get(), "for the one who is gone");
    world.pump(3);
    CHECK(receive.results.empty());
    const std::uint64_t before = world->statistics().waits;
    for (const TimePoint end = world->now() + std::chrono::milliseconds(5); world->now() < end;) {
        world->wait(end);
        world->dispatch(16);
    }
    CHECK(world->statistics().waits - before < 100);  // a loop that spins makes thousands
    write_all(pair.theirs.get(), "mine");
    world.pump_until([&] { return receive.bytes == "mine"; });
}

TEST_CASE("an adopted socket that its maker keeps open leaves no registration behind") {
    World world(io::BackendKind::epoll);
    SocketPair pair = unix_pair();
    UniqueFd kept(::dup(pair.ours.get()));
    const int fd = world.adopt(std::move(pair.ours));
    {
        Receiving receive(world, fd);
        receive.submit();
        world.pump(2);
        receive.then = [&](io::Completion& completion) {
            if (!completion.more) world.close(fd);
        };
        receive.cancel_and_wait();
    }
    write_all(pair.theirs.get(), "x");
    world.pump(2);
    CHECK_FALSE(world->has_completions());
    CHECK(read_available(kept.get()) == "x");
}

TEST_CASE("an operation that is cancelled in its turn costs no registration") {
    World world(io::BackendKind::epoll);
    SocketPair pair = unix_pair();
    Receiving receive(world, world.adopt(std::move(pair.ours)));
    const std::uint64_t before = world->statistics().submissions;
    receive.submit();
    receive.cancel();
    receive.wait();
    CHECK(world->statistics().submissions == before);
}

TEST_CASE("a socket on which nobody waits does not wake the loop when it hangs up") {
    World world(io::BackendKind::epoll);
    SocketPair pair = unix_pair();
    Receiving receive(world, world.adopt(std::move(pair.ours)));
    receive.submit();
    world.pump(2);
    receive.cancel_and_wait();
    pair.theirs.reset();
    world.pump(1);
    const std::uint64_t before = world->statistics().waits;
    for (const TimePoint end = world->now() + std::chrono::milliseconds(3); world->now() < end;) world->wait(end);
    CHECK(world->statistics().waits - before < 100);  // a loop that spins makes thousands
    receive.submit();
    receive.wait();
    CHECK(receive.last() == 0);
}

TEST_CASE("an error of one waiting connection is reported and does not end an accept; others do") {
    const auto accept_with = [](int error) {
        return in_child([error] {
            World world(io::BackendKind::epoll);
            const int listener = world.listen();
            const UniqueFd client = connect_to(world.address_of(listener));
            Accepting accept(world, listener);
            if (!forbid(SYS_accept4, error)) return std::string("no seccomp");
            accept.submit();
            while (accept.results.size() < 2 && !accept.over) world.pump(1);
            return std::to_string(accept.last()) + (accept.over ? " over" : " goes on");
        });
    };
    for (const int error : {ECONNABORTED, EPROTO, ENETDOWN})
        CHECK(accept_with(error) == std::to_string(-error) + " goes on");
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
        CHECK(accept_with(error) == std::to_string(-error) + " over");
}

TEST_CASE("several polls of one descriptor get each what they asked for") {
    World world(io::BackendKind::epoll);
    SocketPair pair = unix_pair();
    Polling in(world, pair.ours.get()), out(world, pair.ours.get()), urgent(world, pair.ours.get());
    in.op.events = POLLIN;
    out.op.events = POLLOUT;
    urgent.op.events = POLLPRI;
    in.submit();
    out.submit();
    urgent.submit();
    out.wait();
    CHECK(out.last() == POLLOUT);
    CHECK(in.results.empty());
    write_all(pair.theirs.get(), "x");
    in.wait();
    CHECK(in.last() == POLLIN);
    world.pump(3);
    CHECK(urgent.results.empty());
    in.submit();
    in.wait();
    urgent.cancel_and_wait();
    CHECK(urgent.last() == -ECANCELED);
}

TEST_SUITE_END();
