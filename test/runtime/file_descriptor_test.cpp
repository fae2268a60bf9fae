// SPDX-License-Identifier: MIT
#include <lariat/runtime/file_descriptor.hpp>

#include <lariat/io/backend.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/descriptors.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace lariat;
using namespace lariat::test;
using namespace std::chrono_literals;

namespace {

template <class Condition>
void turn_until(Reactor& reactor, Condition condition) {
    const TimePoint end = reactor.now() + 20s;
    while (!condition()) {
        REQUIRE(reactor.now() < end);
        reactor.iterate(100ms);
    }
}

/// As many turns as anything that is ready needs to show up.
void some_turns(Reactor& reactor) {
    for (int i = 0; i < 8; ++i) reactor.iterate();
}

}  // namespace

TEST_SUITE_BEGIN("runtime file descriptor");

LARIAT_KERNEL_TEST_CASE(
    "R16 a reader is asked to read in every turn in which there is something, until it is removed") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe pipe;
    WatchedPipe watched(pipe.read_end());
    reactor.add_reader(watched);
    reactor.add_reader(watched);
    CHECK(reactor.readers() == std::vector<FileDescriptor*>{&watched});
    CHECK(reactor.writers().empty());
    some_turns(reactor);
    CHECK(watched.reads == 0);
    pipe.put("stays unread");
    turn_until(reactor, [&] { return watched.reads >= 3; });
    reactor.remove_reader(watched);
    reactor.remove_reader(watched);
    const int before = watched.reads;
    some_turns(reactor);
    CHECK(watched.reads == before);
    CHECK(watched.lost.empty());
    CHECK(reactor.readers().empty());
}

LARIAT_KERNEL_TEST_CASE("R16 a writer is asked to write while there is room") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe pipe;
    const std::string block(4096, 'x');
    WatchedPipe watched(pipe.write_end());
    watched.on_write = [&]() -> Failure {
        while (::write(pipe.write_end(), block.data(), block.size()) > 0) {}
        return {};
    };
    reactor.add_writer(watched);
    CHECK(reactor.writers() == std::vector<FileDescriptor*>{&watched});
    turn_until(reactor, [&] { return watched.writes > 0; });
    some_turns(reactor);
    CHECK(watched.writes == 1);
    while (!pipe.take().empty()) {}
    turn_until(reactor, [&] { return watched.writes == 2; });
    reactor.remove_writer(watched);
    CHECK(reactor.writers().empty());
}

LARIAT_KERNEL_TEST_CASE("R16 one object may read and write, and stop either") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const UniqueFd ours(ends[0]), theirs(ends[1]);
    WatchedPipe watched(ours.get());
    reactor.add_reader(watched);
    some_turns(reactor);
    reactor.add_writer(watched);
    turn_until(reactor, [&] { return watched.writes > 0; });
    CHECK(watched.reads == 0);
    REQUIRE(::write(theirs.get(), "x", 1) == 1);
    turn_until(reactor, [&] { return watched.reads > 0; });
    reactor.remove_writer(watched);
    const int writes = watched.writes, reads = watched.reads;
    turn_until(reactor, [&] { return watched.reads > reads + 2; });
    CHECK(watched.writes == writes);
    CHECK(reactor.readers().size() == 1);
}

LARIAT_KERNEL_TEST_CASE("R15 R16 remove_all returns everything that was watched, and the loop can still be woken") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe one, two;
    WatchedPipe reader(one.read_end()), writer(two.write_end()), both(one.write_end());
    CHECK(reactor.readers().empty());
    reactor.add_reader(reader);
    reactor.add_writer(writer);
    reactor.add_reader(both);
    reactor.add_writer(both);
    CHECK(reactor.readers().size() == 2);
    CHECK(reactor.writers().size() == 2);
    CHECK(reactor.remove_all() == std::vector<FileDescriptor*>{&reader, &writer, &both});
    CHECK(reactor.remove_all().empty());
    CHECK(reactor.readers().empty());
    CHECK(reactor.writers().empty());
    some_turns(reactor);
    CHECK(writer.writes == 0);
    CHECK(writer.lost.empty());
    bool called = false;
    reactor.backend().wake();
    reactor.call_from_thread([&] { called = true; });
    reactor.iterate(1h);
    reactor.iterate();
    CHECK(called);
}

LARIAT_KERNEL_TEST_CASE("R17 what do_read or do_write returns disconnects, and is what connection_lost gets") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe pipe;
    pipe.put("x");
    WatchedPipe reader(pipe.read_end()), writer(pipe.write_end());
    reader.on_read = []() -> Failure { return ConnectionLost("as asked"); };
    writer.on_write = []() -> Failure { return ConnectionDone(); };
    reactor.add_reader(reader);
    reactor.add_writer(writer);
    turn_until(reactor, [&] { return !reader.lost.empty() && !writer.lost.empty(); });
    some_turns(reactor);
    REQUIRE(reader.lost.size() == 1);
    CHECK(reader.lost.front().check<ConnectionLost>());
    CHECK(reader.lost.front().error_message().find("as asked") != std::string::npos);
    CHECK(reader.reads == 1);
    REQUIRE(writer.lost.size() == 1);
    CHECK(writer.lost.front().check<ConnectionDone>());
    CHECK(writer.read_lost == 0);
    CHECK(reactor.readers().empty());
    CHECK(reactor.writers().empty());
}

LARIAT_KERNEL_TEST_CASE("R17 R23 what do_read throws is logged, disconnects, and spares do_write") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const UniqueFd ours(ends[0]), theirs(ends[1]);
    REQUIRE(::write(theirs.get(), "x", 1) == 1);
    WatchedPipe watched(ours.get());
    watched.on_read = []() -> Failure { throw UsageError("reading went wrong"); };
    reactor.add_reader(watched);
    reactor.add_writer(watched);
    turn_until(reactor, [&] { return !watched.lost.empty(); });
    CHECK(watched.lost.front().check<UsageError>());
    CHECK(watched.writes == 0);
    CHECK(logs.count("reading went wrong") == 1);
    REQUIRE(logs.events().size() == 1);
    CHECK(logs.events().front().system == "watched pipe");
}

LARIAT_KERNEL_TEST_CASE("R18 a descriptor without a number, or that was closed, went away, and the loop goes on") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    WatchedPipe negative(-1);
    reactor.add_reader(negative);
    turn_until(reactor, [&] { return !negative.lost.empty(); });
    CHECK(negative.lost.front().check<ConnectionFdescWentAway>());

    Pipe pipe;
    WatchedPipe closed(pipe.read_end());
    pipe.close_read();
    reactor.add_reader(closed);
    turn_until(reactor, [&] { return !closed.lost.empty(); });
    CHECK(closed.lost.front().check<ConnectionFdescWentAway>());

    Pipe other;
    other.put("x");
    WatchedPipe changing(other.read_end());
    changing.on_read = [&]() -> Failure {
        changing.fd = -1;
        return {};
    };
    reactor.add_reader(changing);
    turn_until(reactor, [&] { return !changing.lost.empty(); });
    CHECK(changing.lost.front().check<ConnectionFdescWentAway>());
    CHECK(changing.reads == 1);
}

LARIAT_KERNEL_TEST_CASE("R19 a hang-up is the end for a reader and a loss for a writer") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Pipe ended, broken;
    WatchedPipe reader(ended.read_end()), writer(broken.write_end());
    ended.close_write();
    broken.close_read();
    reactor.add_reader(reader);
    reactor.add_writer(writer);
    turn_until(reactor, [&] { return !reader.lost.empty() && !writer.lost.empty(); });
    CHECK(reader.reads == 0);
    CHECK(reader.read_lost == 1);
    CHECK(reader.lost.front().check<ConnectionDone>());
    CHECK(writer.lost.front().check<ConnectionLost>());
    CHECK(writer.writes == 0);
    CHECK(writer.read_lost == 0);
}

LARIAT_KERNEL_TEST_CASE("R19 one that knows half-closing goes on writing after its reading has ended") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const UniqueFd ours(ends[0]), theirs(ends[1]);
    REQUIRE(::shutdown(theirs.get(), SHUT_WR) == 0);
    WatchedPipe watched(ours.get());
    watched.half_close = true;
    watched.on_read = []() -> Failure { return ConnectionDone(); };
    reactor.add_reader(watched);
    reactor.add_writer(watched);
    turn_until(reactor, [&] { return watched.writes > 2; });
    CHECK(watched.read_lost == 1);
    CHECK(watched.lost.empty());
    CHECK(reactor.readers().empty());
    CHECK(reactor.writers().size() == 1);
}

LARIAT_KERNEL_TEST_CASE("R20 a regular file is always ready") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(file);
    WatchedPipe watched(::fileno(file.get()));
    reactor.add_reader(watched);
    reactor.add_writer(watched);
    turn_until(reactor, [&] { return watched.reads > 2 && watched.writes > 2; });
    CHECK(watched.lost.empty());
    reactor.remove_all();
}

LARIAT_KERNEL_TEST_CASE(
    "an object may be removed, closed and destroyed at once, also by itself, and its number used anew") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    for (int round = 0; round < 3; ++round) {
        Pipe pipe;
        auto watched = std::make_unique<WatchedPipe>(pipe.read_end());
        reactor.add_reader(*watched);
        if (round > 0) some_turns(reactor);
        watched.reset();
        CHECK(reactor.readers().empty());
    }
    Pipe pipe;
    pipe.put("x");
    auto watched = std::make_unique<WatchedPipe>(pipe.read_end());
    watched->on_read = [&]() -> Failure {
        // The function that runs lives in the object; it must survive its own end.
        const Function<Failure()> keep_alive = std::move(watched->on_read);
        watched.reset();
        return {};
    };
    reactor.add_reader(*watched);
    turn_until(reactor, [&] { return watched == nullptr; });
    some_turns(reactor);
    CHECK(reactor.backend().ledger().operations == 0);
}

LARIAT_KERNEL_TEST_CASE("objects that are still watched when the reactor dies are let go without a word") {
    Pipe pipe;
    WatchedPipe watched(pipe.read_end());
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.add_reader(watched);
        some_turns(reactor);
    }
    CHECK(watched.lost.empty());
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.add_reader(watched);
    pipe.put("x");
    turn_until(reactor, [&] { return watched.reads > 0; });
}

TEST_SUITE_END();
