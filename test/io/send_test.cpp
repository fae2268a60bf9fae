// SPDX-License-Identifier: MIT
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace lariat;
using namespace lariat::test;

namespace {

/// Sends until the socket takes nothing more; returns how much went in.
std::size_t fill(World& world, int fd) {
    const std::string block(4096, 'f');
    std::size_t total = 0;
    for (;;) {
        iovec part{const_cast<char*>(block.data()), block.size()};
        const std::ptrdiff_t sent = world->try_send(fd, {&part, 1});
        if (sent < 0) {
            REQUIRE(sent == -EAGAIN);
            return total;
        }
        total += static_cast<std::size_t>(sent);
    }
}

}  // namespace

TEST_SUITE_BEGIN("io send");

LARIAT_KERNEL_TEST_CASE("send sends all of its parts in order") {
    World world(backend_kind);
    SocketPair pair = tcp_pair();
    Sending send(world, world.adopt(std::move(pair.ours)));
    const std::string text = pattern(16'000);
    set_parts(send.op, text, 1000);
    CHECK(send.op.part_count == 16);
    send.submit();
    CHECK(send.results.empty());
    send.wait();
    CHECK(send.results == std::vector<std::int32_t>{16'000});
    std::string got;
    world.spin_until([&] { return (got += read_available(pair.theirs.get())).size() == text.size(); });
    CHECK(got == text);
}

LARIAT_KERNEL_TEST_CASE("send waits for room as often as it takes") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    Sending send(world, world.adopt(std::move(pair.ours)));
    const std::string text = pattern(500'000);
    set_parts(send.op, text, 40'000);
    send.submit();
    std::string got;
    world.spin_until([&] {
        got += read_available(pair.theirs.get());
        return send.over && got.size() == text.size();
    });
    CHECK(send.results == std::vector<std::int32_t>{500'000});
    CHECK(got == text);
    CHECK(send.op.parts[0].iov_base == text.data());  // the parts are as the sender left them
    CHECK(send.op.parts[0].iov_len == 40'000);
}

LARIAT_KERNEL_TEST_CASE("try_send takes what fits and says when nothing does") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    const int fd = world.adopt(std::move(pair.ours));
    const std::size_t filled = fill(world, fd);
    CHECK(filled > 0);
    CHECK(world->statistics().sends_refused == 1);
    std::string got;
    world.spin_until([&] { return (got += read_available(pair.theirs.get())).size() == filled; });
    iovec parts[3] = {{const_cast<char*>("a"), 1}, {const_cast<char*>("bc"), 2}, {const_cast<char*>("def"), 3}};
    CHECK(world->try_send(fd, parts) == 6);
    got.clear();
    world.spin_until([&] { return (got += read_available(pair.theirs.get())).size() == 6; });
    CHECK(got == "abcdef");
}

LARIAT_KERNEL_TEST_CASE("a send that is cancelled in the turn of its submission sends nothing or all") {
    World world(backend_kind);
    SocketPair pair = tcp_pair();
    Sending send(world, world.adopt(std::move(pair.ours)));
    set_parts(send.op, "hello");
    send.submit();
    send.cancel();
    CHECK(send.results.empty());
    send.wait();
    REQUIRE(send.results.size() == 1);
    CHECK((send.last() == -ECANCELED || send.last() == 5));
    world.pump(3);
    const std::string got = read_available(pair.theirs.get());
    CHECK(got == (send.last() == 5 ? "hello" : ""));
}

LARIAT_KERNEL_TEST_CASE("a send that is cancelled while it waits for room reports what it sent") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    const int fd = world.adopt(std::move(pair.ours));
    Sending send(world, fd);
    const std::string text = pattern(1'000'000);
    SUBCASE("something") {
        set_parts(send.op, text);
        send.submit();
        world.pump(5);
        send.cancel();
        send.wait();
        REQUIRE(send.results.size() == 1);
        REQUIRE(send.last() > 0);
        REQUIRE(static_cast<std::size_t>(send.last()) < text.size());
        std::string got;
        const auto sent = static_cast<std::size_t>(send.last());
        world.spin_until([&] { return (got += read_available(pair.theirs.get())).size() >= sent; });
        world.pump(3);
        got += read_available(pair.theirs.get());
        CHECK(got == text.substr(0, sent));
    }
    SUBCASE("nothing") {
        fill(world, fd);
        set_parts(send.op, text);
        send.submit();
        world.pump(5);
        CHECK(send.results.empty());
        send.cancel();
        send.wait();
        CHECK(send.results == std::vector<std::int32_t>{-ECANCELED});
    }
}

LARIAT_KERNEL_TEST_CASE("a send that completed and is then cancelled reports its success") {
    World world(backend_kind);
    SocketPair pair = tcp_pair();
    Sending send(world, world.adopt(std::move(pair.ours)));
    set_parts(send.op, "hello");
    send.submit();
    world.wait_for_completions();
    send.cancel();
    send.wait();
    CHECK(send.results == std::vector<std::int32_t>{5});
}

LARIAT_KERNEL_TEST_CASE("a reset by the peer ends a send") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    Sending send(world, world.adopt(std::move(pair.ours)));
    const std::string text = pattern(1'000'000);
    set_parts(send.op, text);
    reset_on_close(pair.theirs.get());
    SUBCASE("in flight") {
        send.submit();
        world.pump(5);
        CHECK(send.results.empty());
        pair.theirs.reset();
        send.wait();
        REQUIRE(send.results.size() == 1);
        // It had sent something, so that is its result; the next one says why there was not more.
        CHECK(send.last() > 0);
        send.submit();
        send.wait();
        CHECK((send.last() == -ECONNRESET || send.last() == -EPIPE));
    }
    SUBCASE("before the submission") {
        pair.theirs.reset();
        send.submit();
        send.wait();
        CHECK((send.last() == -ECONNRESET || send.last() == -EPIPE));
    }
}

LARIAT_KERNEL_TEST_CASE("a send after our own half-close fails with EPIPE and no signal") {
    World world(backend_kind);
    SocketPair pair = tcp_pair();
    const int fd = world.adopt(std::move(pair.ours));
    CHECK(world->shutdown(fd, SHUT_WR) == 0);
    iovec part{const_cast<char*>("x"), 1};
    CHECK(world->try_send(fd, {&part, 1}) == -EPIPE);
    Sending send(world, fd);
    set_parts(send.op, "x");
    send.submit();
    send.wait();
    CHECK(send.results == std::vector<std::int32_t>{-EPIPE});
}

LARIAT_KERNEL_TEST_CASE("a send in flight does not disturb the receive on the same socket") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    const int fd = world.adopt(std::move(pair.ours));
    Receiving receive(world, fd);
    Sending send(world, fd);
    const std::string text = pattern(2'000'000);
    set_parts(send.op, text);
    receive.submit();
    send.submit();
    world.pump(3);
    write_all(pair.theirs.get(), "against the stream");
    world.spin_until([&] { return receive.bytes == "against the stream"; });
    CHECK_FALSE(send.over);
    std::string got;
    world.spin_until([&] {
        got += read_available(pair.theirs.get());
        return send.over && got.size() == text.size();
    });
    CHECK(got == text);
    pair.theirs.reset();
    receive.wait();
    CHECK(receive.last() == 0);
}

// Goal: no order of short sends, waits and continuations changes the stream. Method: 4 KiB of send buffer, a reader
// that takes a random little at a time, messages of random sizes each sent as its rest after try_send.
LARIAT_KERNEL_TEST_CASE("a slow reader gets messages of random sizes unchanged and in order") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(4096);
    const int fd = world.adopt(std::move(pair.ours));
    Sending send(world, fd);
    std::mt19937 random(7);
    std::string sent, got, message;
    std::size_t left = 0;
    int messages = 0;
    send.then = [&](io::Completion& completion) { CHECK(completion.result == static_cast<std::int32_t>(left)); };
    world.spin_until([&] {
        if (!send.op.in_flight() && messages < 300) {
            message = pattern(1 + random() % 9000, static_cast<std::uint32_t>(random()));
            sent += message;
            ++messages;
            iovec part{message.data(), message.size()};
            const std::ptrdiff_t now = world->try_send(fd, {&part, 1});
            const std::size_t done = now < 0 ? 0 : static_cast<std::size_t>(now);
            REQUIRE((now >= 0 || now == -EAGAIN));
            left = message.size() - done;
            if (left > 0) {
                set_parts(send.op, std::string_view(message).substr(done), 1 + random() % 2000);
                send.submit();
            }
        }
        char little[3000];
        const ssize_t n = ::recv(pair.theirs.get(), little, 1 + random() % sizeof little, MSG_DONTWAIT);
        if (n > 0) got.append(little, static_cast<std::size_t>(n));
        return messages == 300 && !send.op.in_flight() && got.size() == sent.size();
    });
    CHECK(got == sent);
}

TEST_SUITE_END();
