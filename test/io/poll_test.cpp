// SPDX-License-Identifier: MIT
#include <poll.h>

#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <fcntl.h>

using namespace lariat;
using namespace lariat::test;

namespace {

struct Pipe {
    Pipe() {
        int fds[2];
        REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
        out.reset(fds[0]);
        in.reset(fds[1]);
    }
    UniqueFd out;
    UniqueFd in;
};

}  // namespace

TEST_SUITE_BEGIN("io poll");

LARIAT_KERNEL_TEST_CASE("poll tells once that there is something to read") {
    World world(backend_kind);
    Pipe pipe;
    Polling poll(world, pipe.out.get());
    poll.op.events = POLLIN;
    for (int round = 0; round < 3; ++round) {
        poll.submit();
        world.pump(3);
        CHECK_FALSE(poll.over);
        REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
        poll.wait();
        CHECK(poll.last() == POLLIN);
        world.pump(3);
        CHECK(poll.results.size() == static_cast<std::size_t>(round) + 1);
        char byte;
        REQUIRE(::read(pipe.out.get(), &byte, 1) == 1);
    }
}

LARIAT_KERNEL_TEST_CASE("poll tells what is true already and only what was asked for") {
    World world(backend_kind);
    SocketPair pair = unix_pair();
    write_all(pair.theirs.get(), "x");
    Polling both(world, pair.ours.get()), writable(world, pair.ours.get()), readable(world, pair.ours.get());
    both.op.events = POLLIN | POLLOUT;
    writable.op.events = POLLOUT;
    readable.op.events = POLLIN;
    both.submit();
    writable.submit();
    readable.submit();
    both.wait();
    writable.wait();
    readable.wait();
    CHECK(both.last() == (POLLIN | POLLOUT));
    CHECK(writable.last() == POLLOUT);
    CHECK(readable.last() == POLLIN);
}

LARIAT_KERNEL_TEST_CASE("poll tells of a hang-up without being asked") {
    World world(backend_kind);
    Pipe pipe;
    Polling poll(world, pipe.out.get());
    poll.op.events = 0;
    poll.submit();
    world.pump(3);
    pipe.in.reset();
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{POLLHUP});
}

LARIAT_KERNEL_TEST_CASE("poll tells of a reader that went away") {
    World world(backend_kind);
    Pipe pipe;
    const std::string much(1 << 20, 'x');
    REQUIRE(::write(pipe.in.get(), much.data(), much.size()) > 0);
    Polling poll(world, pipe.in.get());
    poll.op.events = POLLOUT;
    poll.submit();
    world.pump(3);
    CHECK_FALSE(poll.over);
    pipe.out.reset();
    poll.wait();
    CHECK((poll.last() & POLLERR) != 0);
}

LARIAT_KERNEL_TEST_CASE("poll on a regular file is ready at once, every time") {
    World world(backend_kind);
    std::FILE* file = std::tmpfile();
    REQUIRE(file);
    {
        Polling poll(world, fileno(file));
        for (int round = 0; round < 3; ++round) {
            poll.op.events = round == 1 ? POLLIN : POLLIN | POLLOUT;
            poll.submit();
            CHECK_FALSE(poll.over);
            poll.wait();
            CHECK(poll.last() == static_cast<std::int32_t>(poll.op.events));
        }
        CHECK(world->statistics().waits < 50);
    }
    std::fclose(file);
}

LARIAT_KERNEL_TEST_CASE("poll that is cancelled in the turn of its submission ends as cancelled") {
    World world(backend_kind);
    Pipe pipe;
    Polling poll(world, pipe.out.get());
    poll.op.events = POLLIN;
    poll.submit();
    poll.cancel();
    CHECK(poll.results.empty());
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{-ECANCELED});
}

LARIAT_KERNEL_TEST_CASE("poll that is cancelled in flight ends as cancelled and leaves nothing behind") {
    World world(backend_kind);
    Pipe pipe;
    Polling poll(world, pipe.out.get());
    poll.op.events = POLLIN;
    poll.submit();
    world.pump(3);
    poll.cancel();
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{-ECANCELED});
    REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
    world.pump(3);
    CHECK(poll.results.size() == 1);
}

LARIAT_KERNEL_TEST_CASE("poll that completed and is then cancelled tells what happened") {
    World world(backend_kind);
    Pipe pipe;
    Polling poll(world, pipe.out.get());
    poll.op.events = POLLIN;
    poll.submit();
    world.pump(2);
    REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
    world.wait_for_completions();
    poll.cancel();
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{POLLIN});
}

// The number of a descriptor that is not the backend's may mean another file between two polls, without a word to us.
LARIAT_KERNEL_TEST_CASE("poll follows a number that was closed and opened behind the backend's back") {
    World world(backend_kind);
    for (int round = 0; round < 20; ++round) {
        Pipe pipe;
        Polling poll(world, pipe.out.get());
        poll.op.events = POLLIN;
        poll.submit();
        if (round % 3 == 0) {
            world.pump(2);
            poll.cancel();
            poll.wait();
            CHECK(poll.last() == -ECANCELED);
        } else {
            if (round % 3 == 1) world.pump(2);
            REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
            poll.wait();
            CHECK(poll.last() == POLLIN);
        }
    }
}

LARIAT_KERNEL_TEST_CASE("a handler of poll may close the descriptor and poll the next one under its number") {
    World world(backend_kind);
    auto pipe = std::make_unique<Pipe>();
    Polling poll(world, pipe->out.get());
    poll.op.events = POLLIN;
    int rounds = 0;
    poll.then = [&](io::Completion& completion) {
        CHECK(completion.result == POLLIN);
        pipe.reset();
        pipe = std::make_unique<Pipe>();
        poll.op.fd = pipe->out.get();
        if (++rounds < 10) world->submit(poll.op);
    };
    poll.submit();
    world.spin_until([&] {
        CHECK(::write(pipe->in.get(), "x", 1) == 1);
        world.pump(2);
        return rounds == 10;
    });
}

LARIAT_KERNEL_TEST_CASE("poll on a number that is not open fails with EBADF") {
    World world(backend_kind);
    int closed;
    {
        Pipe pipe;
        closed = pipe.out.get();
    }
    Polling poll(world, closed);
    poll.op.events = POLLIN;
    poll.submit();
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{-EBADF});
}

LARIAT_KERNEL_TEST_CASE("poll and receive may wait on one socket") {
    World world(backend_kind);
    SocketPair pair = tcp_pair();
    const int fd = world.adopt(std::move(pair.ours));
    Receiving receive(world, fd);
    Polling poll(world, fd);
    poll.op.events = POLLOUT;
    receive.submit();
    poll.submit();
    poll.wait();
    CHECK(poll.last() == POLLOUT);
    write_all(pair.theirs.get(), "data");
    world.pump_until([&] { return receive.bytes == "data"; });
    poll.op.events = POLLRDHUP;
    poll.submit();
    world.pump(3);
    CHECK_FALSE(poll.over);
    pair.theirs.reset();
    poll.wait();
    CHECK((poll.last() & POLLRDHUP) != 0);
    receive.wait();
    CHECK(receive.last() == 0);
}

TEST_SUITE_END();
