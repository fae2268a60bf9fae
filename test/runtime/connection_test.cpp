// SPDX-License-Identifier: MIT
#include <lariat/runtime/connection.hpp>

#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/connection_world.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::test;

namespace {

using Log = std::vector<std::string>;

std::string numbered(std::size_t size) {
    std::string text;
    while (text.size() < size) text += std::to_string(text.size()) + " ";
    text.resize(size);
    return text;
}

void small_socket_buffers(ConnectionWorld& world, Connection& sender, Connection& receiver) {
    const int size = 16384;
    world.reactor.backend().set_option(sender.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    world.reactor.backend().set_option(receiver.fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

}  // namespace

TEST_SUITE_BEGIN("runtime connection");

LARIAT_BACKEND_TEST_CASE("X01 a write leaves after the call that made it, in order, all of a turn in one piece") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    const std::uint64_t sends = world.reactor.backend().statistics().sends;
    near.connection->write("one ");
    near.connection->write(Bytes());
    near.connection->write(Buffer::copy_of("two "));
    near.connection->write("three");
    CHECK(near.connection->queued() == 13);
    CHECK(world.reactor.backend().statistics().sends == sends);
    world.turn_until([&] { return far.text.size() == 13; });
    CHECK(far.text == "one two three");
    CHECK(near.connection->queued() == 0);
    CHECK(near.drained_count == 1);
    CHECK(world.reactor.backend().statistics().sends == sends + 1);
    near.connection->close();
    world.turn_until([&] { return near.is_closed && !far.log.empty() && far.log.back() == "end"; });
    far.connection->close();
    world.turn_until([&] { return far.is_closed; });
    CHECK(near.log == Log{"closed:0"});
    CHECK(far.log == Log{"data", "end", "closed:0"});
}

LARIAT_BACKEND_TEST_CASE(
    "X06 X07 close sends what was written before and after it, reads no more, and ends from the loop") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    small_socket_buffers(world, *near.connection, *far.connection);
    near.connection->start_reading();
    const std::string before = numbered(400'000);
    near.connection->write(before);
    near.connection->close();
    CHECK_FALSE(near.is_closed);
    near.connection->write(" and after");
    near.connection->close();  // a second one changes nothing
    far.connection->write("not read any more");
    world.turns(20);
    CHECK(near.log.empty());  // the far end does not read, so there is something left to send
    far.connection->start_reading();
    world.turn_until([&] { return near.is_closed && far.log.size() > 1 && far.log.back() == "end"; });
    CHECK(far.text == before + " and after");
    CHECK(near.log == Log{"closed:0"});
    far.connection->disconnect(0);
    world.turn_until([&] { return far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("an answer to the last bytes leaves although the end came with them") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    near.connection->start_reading();
    near.connection->write("last question");
    near.connection->shutdown_write();
    world.turns(5);  // bytes and end wait together
    far.on_data = [&] { far.connection->write("answer"); };
    far.on_end = [&] { far.connection->disconnect(0); };
    far.connection->start_reading();
    world.turn_until([&] { return far.is_closed && !near.log.empty() && near.log.back() == "end"; });
    CHECK(near.text == "answer");
    near.connection->close();
    world.turn_until([&] { return near.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("X05 a reset that came together with the data is noticed by a reader that never writes") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    world.turns(3);
    const std::string text = numbered(100'000);
    near.connection->write(text);
    near.on_drained = [&] { near.connection->abort(); };
    world.turn_until([&] { return near.is_closed && far.is_closed; });
    CHECK(far.error() == ECONNRESET);
    CHECK(text.starts_with(far.text));
}

LARIAT_BACKEND_TEST_CASE("a slow reader gets every byte in order through a send that waits for room") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    small_socket_buffers(world, *near.connection, *far.connection);
    const std::string text = numbered(400'000);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t step = 1 + (at * 7919) % 9000;
        const Bytes piece = Bytes(text).skip(at).first(step);
        if (at % 2 == 0) {
            near.connection->write(piece);
        } else {
            near.connection->write(Buffer::copy_of(piece));
        }
        at += piece.size();
    }
    world.turns(50);
    CHECK(near.connection->queued() > 0);  // nobody reads: the socket is full and the rest waits here
    far.connection->start_reading();
    world.turn_until([&] { return far.text.size() >= text.size(); });
    CHECK(far.text == text);
    near.connection->close();
    far.connection->close();
    world.turn_until([&] { return near.is_closed && far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE(
    "X13 nothing is delivered while reading is paused, nothing is lost, and resuming delivers it") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    far.on_data = [&] { far.connection->pause_reading(); };
    near.connection->write("first");
    world.turn_until([&] { return far.text == "first"; });
    std::string expected = "first";
    for (int i = 0; i < 20; ++i) {
        near.connection->write("x" + std::to_string(i));
        expected += "x" + std::to_string(i);
        world.turns(3);
    }
    CHECK(far.text == "first");
    far.on_data = {};
    far.connection->start_reading();
    CHECK(far.text == "first");  // not from inside the call
    world.turn_until([&] { return far.text.size() == expected.size(); });
    CHECK(far.text == expected);
    // And again, with the pause taken back before anything arrived.
    far.connection->pause_reading();
    far.connection->start_reading();
    near.connection->write("last");
    world.turn_until([&] { return far.text == expected + "last"; });
    near.connection->abort();
    far.connection->abort();
    world.turn_until([&] { return near.is_closed && far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("data parked during a pause come before the end of the stream that followed them") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    far.connection->pause_reading();
    near.connection->write("last words");
    near.connection->close();
    world.turn_until([&] { return near.is_closed; });
    world.turns(5);
    CHECK(far.log.empty());
    far.connection->start_reading();
    world.turn_until([&] { return far.log.size() == 2; });
    CHECK(far.log == Log{"data", "end"});
    CHECK(far.text == "last words");
    far.connection->close();
    world.turn_until([&] { return far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("X05 data that arrived before a reset are delivered first, then the error") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    far.connection->pause_reading();
    near.connection->write("before the reset");
    world.turn_until([&] { return near.connection->queued() == 0; });
    world.turns(5);  // parked on the far side by now
    near.connection->abort();
    world.turn_until([&] { return near.is_closed; });
    CHECK(near.error() == ECONNABORTED);
    far.connection->start_reading();
    world.turn_until([&] { return far.is_closed; });
    CHECK(far.log == Log{"data", "closed:" + std::to_string(ECONNRESET)});
}

LARIAT_BACKEND_TEST_CASE("X09 abort drops what is queued, resets the peer, and tells its user from the loop, once") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    small_socket_buffers(world, *near.connection, *far.connection);
    near.connection->start_reading();
    near.connection->write(numbered(2'000'000));
    world.turns(20);
    CHECK(near.connection->queued() > 0);
    near.connection->abort();
    near.connection->abort();
    near.connection->close();
    CHECK_FALSE(near.is_closed);
    world.turn_until([&] { return near.is_closed; });
    CHECK(near.log == Log{"closed:" + std::to_string(ECONNABORTED)});
    far.connection->start_reading();
    world.turn_until([&] { return far.is_closed; });
    CHECK(far.error() == ECONNRESET);
}

LARIAT_BACKEND_TEST_CASE("X11 shutdown_write sends the end behind what is queued and goes on reading") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    near.connection->start_reading();
    far.connection->start_reading();
    near.connection->write("question");
    near.connection->shutdown_write();
    near.connection->shutdown_write();
    far.on_end = [&] { far.connection->write("answer"); };
    world.turn_until([&] { return near.text == "answer"; });
    CHECK(far.log == Log{"data", "end"});
    CHECK(near.connection->has_shut_down_write());
    near.connection->write("into the void");
    CHECK(near.connection->queued() == 0);
    far.connection->close();
    world.turn_until([&] { return near.log.back() == "end" && far.is_closed; });
    near.connection->close();
    world.turn_until([&] { return near.is_closed; });
    CHECK(near.error() == 0);
}

LARIAT_BACKEND_TEST_CASE("a held close waits for its release, and sends what is written meanwhile") {
    ConnectionWorld world(backend_kind);
    RecordingUser near, far;
    world.connect(near, far);
    far.connection->start_reading();
    near.connection->hold_close(true);
    near.connection->close();
    world.turns(5);
    near.connection->write("more");
    world.turn_until([&] { return far.text == "more"; });
    CHECK_FALSE(near.is_closed);
    near.connection->hold_close(false);
    world.turn_until([&] { return near.is_closed; });
    CHECK(near.error() == 0);
    far.connection->disconnect(0);
    world.turn_until([&] { return far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("a user that goes away early is told nothing more, and the connection still ends") {
    ConnectionWorld world(backend_kind);
    RecordingUser far;
    {
        RecordingUser near;
        world.connect(near, far);
        near.connection->start_reading();
        near.connection->write("goodbye");
        near.connection->close();
        near.connection->forget_user();
        near.connection = nullptr;
    }
    far.connection->start_reading();
    far.connection->write("anybody there?");
    world.turn_until([&] { return far.log.size() >= 2; });
    CHECK(far.text == "goodbye");
    if (far.connection) far.connection->disconnect(0);  // unless the closed end has answered with a reset
    world.turn_until([&] { return far.is_closed; });
}

LARIAT_BACKEND_TEST_CASE("closing at any moment of a conversation leaves nothing behind") {
    for (int moment = 0; moment < 24; ++moment) {
        ConnectionWorld world(backend_kind, io::BackendOptions().receive_buffers(4).receive_buffer_size(256));
        RecordingUser near, far;
        world.connect(near, far);
        near.connection->start_reading();
        far.connection->start_reading();
        far.on_data = [&] {
            if (far.connection) far.connection->write("echo " + std::to_string(moment));
        };
        near.connection->write(numbered(2000));
        for (int turn = 0; turn < moment / 3; ++turn) world.reactor.iterate();
        switch (moment % 3) {
        case 0: near.connection->close(); break;
        case 1: near.connection->abort(); break;
        default: near.connection->disconnect(EPIPE); break;
        }
        far.on_end = [&] { far.connection->close(); };
        world.turn_until([&] { return near.is_closed && far.is_closed; });
        CHECK(near.log.back().substr(0, 7) == "closed:");
    }
}

LARIAT_BACKEND_TEST_CASE("connections whose users keep every receive buffer still receive") {
    ConnectionWorld world(backend_kind, io::BackendOptions().receive_buffers(4).receive_buffer_size(512));
    std::vector<RecordingUser> near(20), far(20);
    const std::string text = numbered(10'000);
    for (std::size_t i = 0; i < near.size(); ++i) {
        world.connect(near[i], far[i]);
        far[i].keep = true;
        far[i].connection->start_reading();
        near[i].connection->write(text);
    }
    world.turn_until([&] {
        for (const RecordingUser& user : far) {
            if (user.text.size() < text.size()) return false;
        }
        return true;
    });
    for (std::size_t i = 0; i < near.size(); ++i) {
        CHECK(far[i].text == text);
        std::string held;
        for (const Buffer& buffer : far[i].kept) held += buffer.text();
        CHECK(held == text);
        far[i].kept.clear();
        near[i].connection->abort();
        far[i].connection->abort();
    }
    CHECK(world.reactor.backend().statistics().pool_exhausted > 0);
    world.turn_until([&] {
        for (std::size_t i = 0; i < near.size(); ++i) {
            if (!near[i].is_closed || !far[i].is_closed) return false;
        }
        return true;
    });
}

TEST_SUITE_END();
