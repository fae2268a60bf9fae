// SPDX-License-Identifier: MIT
// Recording a backend and replaying it: every call and every operation, what a replay notices, and files that are no
// good recordings.
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/fault/fault_backend.hpp>
#include <lariat/io/record/recording.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>
#include <lariat/test/support/recordings.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

using namespace lariat;
using namespace lariat::test;
using io::BackendKind;
using io::RecordBackend;
using io::ReplayBackend;

namespace {

class Transcript {
public:
    void say(const std::string& line) { text_ += line + "\n"; }
    void say(const char* what, std::int64_t number) { say(what + (" " + std::to_string(number))); }
    template <class Operation>
    void say(const char* what, const Recorded<Operation>& operation) {
        std::string line = what;
        for (const std::int32_t result : operation.results) line += " " + std::to_string(result);
        say(line);
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

/// Asks a backend for everything there is, and says what it was told.
std::string everything(std::unique_ptr<io::Backend> backend) {
    Transcript seen;
    World world(std::move(backend));
    seen.say(std::string(world->name()));
    seen.say("time", world->now().time_since_epoch().count());
    seen.say("random", static_cast<std::int64_t>(world->random()));

    const int listening = world.listen();
    const Address where = world.address_of(listening);
    seen.say(where.str());
    Accepting accepting(world, listening);
    accepting.submit();

    Connecting connecting(world, world.open());
    connecting.op.address = where;
    connecting.submit();
    world.pump_until([&] { return connecting.over && !accepting.results.empty(); });
    const int ours = connecting.op.fd, theirs = accepting.results.front();
    seen.say("connect", connecting);
    seen.say("accept", accepting);
    Address peer;
    seen.say("peer", world->peer_address(ours, peer));
    seen.say(peer.str());

    const int on = 1;
    seen.say("set", world->set_option(ours, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    int error = 7;
    seen.say("get", world->get_option(ours, SOL_SOCKET, SO_ERROR, &error, sizeof error));
    seen.say("error", error);
    seen.say("refused", world->set_option(ours, SOL_SOCKET, -1, &on, sizeof on));

    // Small bytes, and more than a socket holds.
    Receiving receiving(world, theirs);
    receiving.submit();
    std::string hello = "hello";
    const iovec part{hello.data(), hello.size()};
    seen.say("try_send", world->try_send(ours, {&part, 1}));
    world.pump_until([&] { return receiving.bytes == hello; });
    const std::string much = pattern(300000);
    Sending sending(world, ours);
    set_parts(sending.op, much, 70000);
    sending.submit();
    world.pump_until([&] { return sending.over && receiving.bytes.size() == hello.size() + much.size(); });
    CHECK(receiving.bytes == hello + much);
    seen.say("send", sending);
    seen.say("receive", receiving);
    seen.say("time", world->now().time_since_epoch().count());

    Polling polling(world, ours);
    polling.op.events = POLLIN;
    polling.submit();
    world.pump(2);
    polling.cancel_and_wait();
    seen.say("poll", polling);

    // The end of a stream, then a reset.
    seen.say("shutdown", world->shutdown(theirs, SHUT_WR));
    Receiving answer(world, ours);
    answer.submit();
    answer.wait();
    seen.say("end", answer);
    const linger at_once{1, 0};
    seen.say("linger", world->set_option(ours, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    world.close(ours);
    world.pump_until([&] { return receiving.over; });
    seen.say("reset", receiving);

    accepting.cancel_and_wait();
    seen.say("accept", accepting);
    seen.say("try_accept", world->try_accept(listening));
    world.close(listening);
    Connecting refused(world, world.open());
    refused.op.address = where;
    refused.submit();
    refused.wait();
    seen.say("refused", refused);
    seen.say("bind", world->bind(world.open(), Address("192.0.2.1:1")));
    return seen.text();
}

std::string short_program(std::unique_ptr<io::Backend> backend, const Address& where = Address::loopback(0)) {
    const int fd = backend->open_socket(AF_INET, SOCK_STREAM);
    const int result = backend->bind(fd, where);
    backend->close(fd);
    return std::to_string(result);
}

void record_short_program(const TemporaryFile& file) {
    short_program(std::make_unique<RecordBackend>(io::make_backend(BackendKind::epoll), file.path()));
}

/// Why the recording cannot be read.
std::string refusal(const TemporaryFile& file) {
    try {
        const io::Recording recording(file.path());
    } catch (const UsageError& error) {
        std::string text = error.what();
        const std::size_t at = text.find(file.path());
        return at == std::string::npos ? text : text.replace(at, file.path().size(), "FILE");
    }
    return "it can be read";
}

std::string replay_to_death(const TemporaryFile& file, Function<void(io::Backend&)> program) {
    return last_words([&] {
        const auto backend = std::make_unique<ReplayBackend>(file.path());
        program(*backend);
        return "it came to its end";
    });
}

}  // namespace

TEST_SUITE_BEGIN("io record");

LARIAT_BACKEND_TEST_CASE("a replay gives every answer, completion and byte again, and makes the same recording") {
    const std::string seen = record_and_replay(io::make_backend(backend_kind), everything);
    CHECK(seen.find("refused -111") != std::string::npos);
    CHECK(seen.find("poll -125") != std::string::npos);
}

LARIAT_BACKEND_TEST_CASE("a run with faults can be recorded, too") {
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
        auto faulty =
            std::make_unique<io::FaultBackend>(io::make_backend(backend_kind), io::FaultPlan(seed).disturb(100));
        record_and_replay(std::move(faulty), everything);
    }
}

LARIAT_BACKEND_TEST_CASE("a replay asks no kernel for anything") {
    const TemporaryFile file;
    const std::string recorded =
        everything(std::make_unique<RecordBackend>(io::make_backend(backend_kind), file.path()));
    const std::string replayed = in_child([&] {
        for (const long call : {SYS_socket, SYS_io_uring_setup, SYS_epoll_create1, SYS_eventfd2, SYS_getrandom,
                                SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_bind}) {
            if (!forbid(call, EPERM)) return std::string("no seccomp");
        }
        return everything(std::make_unique<ReplayBackend>(file.path()));
    });
    CHECK(replayed == recorded);
}

TEST_CASE("what is received has the room behind it that it had") {
    record_and_replay(io::make_backend(BackendKind::epoll), [](std::unique_ptr<io::Backend> backend) {
        World world(std::move(backend));
        SocketPair pair = unix_pair();
        Receiving receiving(world, world.adopt(std::move(pair.ours)));
        receiving.hold = true;
        receiving.submit();
        ::send(pair.theirs.get(), "works", 5, MSG_NOSIGNAL);
        world.pump_until([&] { return !receiving.held.empty(); });
        const Buffer& buffer = receiving.held.front();
        const std::string text =
            buffer.str() + " " + std::to_string(buffer.room()) + " of " + std::to_string(buffer.pinned_size());
        CHECK(world->ledger().buffers == 1);
        receiving.held.clear();
        receiving.cancel_and_wait();
        return text;
    });
}

TEST_CASE("a descriptor of the program's own, and an adopted one, may have another number on a replay") {
    const auto program = [](std::unique_ptr<io::Backend> backend) {
        World world(std::move(backend));
        SocketPair own = unix_pair(), adopted = unix_pair();
        Polling polling(world, own.ours.get());
        polling.op.events = POLLOUT;
        polling.submit();
        polling.wait();
        const int fd = world.adopt(std::move(adopted.ours));
        const iovec part{const_cast<char*>("bye"), 3};
        const std::ptrdiff_t sent = world->try_send(fd, {&part, 1});
        return std::to_string(polling.last()) + " " + std::to_string(sent);
    };
    const TemporaryFile file;
    const std::string recorded =
        program(std::make_unique<RecordBackend>(io::make_backend(BackendKind::epoll), file.path()));
    CHECK(recorded == "4 3");
    const SocketPair others = unix_pair();
    CHECK(program(std::make_unique<ReplayBackend>(file.path())) == recorded);
}

TEST_CASE("a replay dies where the program asks for something else, and says what and where") {
    const TemporaryFile file;
    record_short_program(file);
    const std::string call = replay_to_death(file, [](io::Backend& backend) {
        const int fd = backend.open_socket(AF_INET, SOCK_STREAM);
        backend.listen(fd, 5);
    });
    CAPTURE(call);
    CHECK(call.find(", event 2 of 4: the program asks for listen(") != std::string::npos);
    CHECK(call.find(", 5), the recording has bind(") != std::string::npos);
    CHECK(call.find(", 127.0.0.1:0) = 0. Usual causes: ") != std::string::npos);
    CHECK(std::count(call.begin(), call.end(), '\n') == 1);

    const std::string argument = replay_to_death(file, [](io::Backend& backend) {
        const int fd = backend.open_socket(AF_INET, SOCK_STREAM);
        backend.bind(fd, Address::loopback(80));
    });
    CAPTURE(argument);
    CHECK(argument.find("127.0.0.1:80), the recording has bind(") != std::string::npos);

    const std::string descriptor = replay_to_death(file, [](io::Backend& backend) {
        const int fd = backend.open_socket(AF_INET, SOCK_STREAM);
        backend.bind(fd + 1, Address::loopback(0));
    });
    CHECK(descriptor.find("event 2 of 4: the program asks for bind(") != std::string::npos);

    const std::string early =
        replay_to_death(file, [](io::Backend& backend) { backend.open_socket(AF_INET, SOCK_STREAM); });
    CHECK(early.find("event 2 of 4: the program has come to its end, the recording has bind(") != std::string::npos);
}

TEST_CASE("a replay notices other bytes, another operation and an end that comes too early or too late") {
    const TemporaryFile file;
    const auto program = [](std::unique_ptr<io::Backend> backend, const char* bytes, bool polls, int draws) {
        World world(std::move(backend));
        const int fd = world.open();
        const iovec part{const_cast<char*>(bytes), 3};
        world->try_send(fd, {&part, 1});
        Accepting accepting(world, fd);
        Polling polling(world, fd);
        polling.op.events = POLLIN;
        polls ? polling.submit() : accepting.submit();
        polls ? polling.cancel_and_wait() : accepting.cancel_and_wait();
        for (; draws > 0; --draws) (void)world->random();
        return std::string("it came to its end");
    };
    program(std::make_unique<RecordBackend>(io::make_backend(BackendKind::epoll), file.path()), "one", true, 1);
    const auto replay = [&](const char* bytes, bool polls, int draws) {
        return last_words([&] { return program(std::make_unique<ReplayBackend>(file.path()), bytes, polls, draws); });
    };
    CHECK(replay("one", true, 1) == "it did not die: it came to its end");
    CHECK(replay("two", true, 1).find("the program asks for try_send(") != std::string::npos);
    CHECK(replay("one", false, 1).find("asks for submit(") != std::string::npos);
    CHECK(replay("one", false, 1).find("accept), the recording has submit(") != std::string::npos);
    CHECK(replay("one", true, 0).find("the program asks for close(") != std::string::npos);
    CHECK(replay("one", true, 2).find("asks for random, the recording has close(") != std::string::npos);
}

TEST_CASE("the recording of a program that was killed has all that it was told") {
    const TemporaryFile file;
    const std::string end = in_child([&] {
        RecordBackend backend(io::make_backend(BackendKind::epoll), file.path());
        backend.open_socket(AF_INET, SOCK_STREAM);
        for (int i = 0; i < 100000; ++i) (void)backend.random();  // over the end of several maps of the file
        ::raise(SIGKILL);
        return "it lives";
    });
    CHECK(end == "died of signal 9");
    const io::Recording recording(file.path());
    CHECK(recording.size() == 100001);
    CHECK_FALSE(recording.complete());
    CHECK_FALSE(recording.cut());

    const std::string words = replay_to_death(file, [](io::Backend& backend) {
        backend.open_socket(AF_INET, SOCK_STREAM);
        for (int i = 0; i < 100001; ++i) (void)backend.random();
    });
    CAPTURE(words);
    CHECK(words.find("ends behind event 100001: the program was killed, died or left by exit() here when it was"
                     " recorded; now the program asks for random.")
          != std::string::npos);
}

TEST_CASE("a recording that was cut short replays as far as it goes and says so") {
    const TemporaryFile file;
    record_short_program(file);
    const std::string whole = file.bytes();
    file.set_bytes(whole.substr(0, whole.size() - 10));  // the end, 9 bytes, and one of close()
    const std::string words = replay_to_death(file, [](io::Backend& backend) {
        backend.bind(backend.open_socket(AF_INET, SOCK_STREAM), Address::loopback(0));
    });
    CAPTURE(words);
    CHECK(words.find("ends behind event 2: the file was cut short inside the next event; now the program has come to"
                     " its end.")
          != std::string::npos);
}

TEST_CASE("a file that is no good recording is refused with what is wrong and where") {
    const TemporaryFile file;
    CHECK(refusal(file) == "the recording FILE is empty");
    file.set_bytes("#!/bin/sh\n");
    CHECK(refusal(file) == "the recording FILE is no recording: it does not begin with the bytes of one");
    file.set_bytes(std::string(io::recording_magic));
    CHECK(refusal(file) == "the recording FILE ends inside its header");
    file.set_bytes(std::string(io::recording_magic) + '\x02');
    CHECK(refusal(file) == "the recording FILE is of version 2 of the format, and this program reads version 1");

    everything(std::make_unique<RecordBackend>(io::make_backend(BackendKind::epoll), file.path()));
    std::string bytes = file.bytes();
    CHECK(refusal(file) == "it can be read");
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
    file.set_bytes(bytes);
    CHECK(refusal(file).starts_with("the recording FILE is damaged between the bytes "));

    CHECK_THROWS_WITH_AS(ReplayBackend("/nowhere/file"),
                         "the recording /nowhere/file cannot be opened: No such file or directory", UsageError);
}

TEST_CASE("a recording replaces no file of another kind, and none that is being made") {
    const TemporaryFile file;
    file.set_bytes("my novel");
    CHECK_THROWS_WITH_AS(
        record_short_program(file),
        ("cannot record to " + file.path() + ": it is there and no recording; name another file").c_str(), UsageError);
    CHECK(file.bytes() == "my novel");
    file.set_bytes("");
    {
        const RecordBackend first(io::make_backend(BackendKind::epoll), file.path());
        CHECK_THROWS_WITH_AS(record_short_program(file),
                             ("cannot record to " + file.path() + ": another process is recording there").c_str(),
                             UsageError);
    }
    record_short_program(file);
    CHECK(short_program(std::make_unique<ReplayBackend>(file.path())) == "0");
}

TEST_CASE("a disk that is full ends the recording with one line, and the program goes on") {
    const std::string seen = in_child([] {
        const TemporaryFile file;
        CapturedLogs logs;
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{64 << 10, 64 << 10};
        RecordBackend backend(io::make_backend(BackendKind::epoll), file.path());
        ::setrlimit(RLIMIT_FSIZE, &small);
        for (int i = 0; i < 10000; ++i) (void)backend.random();
        return std::to_string(logs.count("and the program goes on unrecorded: File too large")) + " of "
               + std::to_string(logs.events().size()) + ", " + std::to_string(io::Recording(file.path()).size() > 7000);
    });
    CHECK(seen == "1 of 1, 1");
}

TEST_CASE("LARIAT_RECORD and LARIAT_REPLAY record and replay what is made, one file a backend") {
    const TemporaryFile file, again;
    const std::string second = file.path() + ".1";
    const auto run = [] {
        const std::string first = short_program(io::make_backend(BackendKind::epoll), Address::loopback(0));
        return first + short_program(io::make_backend(BackendKind::epoll), Address("192.0.2.1:1"));
    };
    const std::string recorded = in_child([&] {
        ::setenv("LARIAT_RECORD", file.path().c_str(), 1);
        return run();
    });
    CHECK(recorded == "0-99");
    CHECK(io::Recording(second).complete());
    const std::string replayed = in_child([&] {
        ::setenv("LARIAT_BACKEND", "replay", 1);
        ::setenv("LARIAT_REPLAY", file.path().c_str(), 1);
        ::setenv("LARIAT_RECORD", again.path().c_str(), 1);
        CHECK(io::backend_kind_from_environment() == BackendKind::replay);
        return forbid(SYS_socket, EPERM) ? run() : "no seccomp";
    });
    CHECK(replayed == recorded);
    CHECK(again.bytes() == file.bytes());
    ::unlink(second.c_str());
    ::unlink((again.path() + ".1").c_str());
    CHECK_THROWS_WITH_AS(io::make_backend(BackendKind::replay),
                         "the backend 'replay' needs LARIAT_REPLAY, which names the file of a recording; LARIAT_RECORD"
                         " makes one",
                         UsageError);
}

TEST_SUITE_END();
