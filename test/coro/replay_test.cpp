// SPDX-License-Identifier: MIT
// Whole programs recorded and replayed: streams, timers and names, and what comes from other threads and by signals.
#include <lariat/coro/as_result.hpp>
#include <lariat/coro/run_in_thread.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/io/fault/fault_backend.hpp>
#include <lariat/io/tape.hpp>
#include <lariat/runtime/resolver.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/recordings.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <thread>
#include <utility>

TEST_SUITE_BEGIN("replay threads");

namespace lariat {
namespace {

using test::an_hour;
using test::last_words;
using test::record_and_replay;
using test::TemporaryFile;

/// What a program saw, and when.
class Seen {
public:
    void say(const std::string& line) {
        text_ += std::to_string(Reactor::current()->now().time_since_epoch().count()) + " " + line + "\n";
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool has(std::string_view part) const { return text_.find(part) != std::string::npos; }

private:
    std::string text_;
};

using Program = Task<> (*)(Seen&);

std::string watch(std::unique_ptr<io::Backend> backend, Program program) {
    Seen seen;
    {
        Reactor reactor(std::move(backend));
        CHECK(run(reactor, program(seen)) == 0);
        const io::Ledger ledger = reactor.backend().ledger();
        CHECK(ledger.operations == 0);
        CHECK(ledger.descriptors == 0);
        CHECK(ledger.buffers == 0);
    }
    return seen.text();
}

std::string watch_again(std::unique_ptr<io::Backend> backend, Program program) {
    return record_and_replay(std::move(backend),
                             [program](std::unique_ptr<io::Backend> each) { return watch(std::move(each), program); });
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) {
        if (data.text().ends_with("reset")) {
            peer.abort();
            co_return;
        }
        co_await peer.write(std::move(data));
    }
}

Task<> talk(Seen& seen, Address where, char letter) {
    TcpStream stream = co_await connect(where);
    seen.say("connected from " + stream.local_address().str());
    for (int i = 0; i < 10; ++i) {
        const std::size_t size = Reactor::current()->backend().random() % 40000 + 1;
        co_await stream.write(std::string(size, letter));
        const Buffer back = co_await stream.read_exactly(size).within(an_hour);
        seen.say(std::string(1, letter) + ": " + std::to_string(back.text().find_first_not_of(letter) + size));
        if (i % 4 == 0) co_await sleep(std::chrono::microseconds(size % 500));
    }
    co_await stream.write("reset");
    const auto end = co_await as_result(stream.read_some());
    seen.say(end ? "an end" : end.failure().error_message());
}

Task<> clients(TaskScope& scope, Seen& seen, Address where) {
    for (const char letter : {'a', 'b', 'c'}) scope.spawn(talk, std::ref(seen), where, letter);
    co_return;
}

Task<> serve_for_clients(TaskScope& scope, Seen& seen, Listener& listener) {
    const auto serving = scope.spawn([](Listener& on) -> Task<> { co_await on.serve(echo); }, std::ref(listener));
    co_await with_scope(clients, std::ref(seen), listener.local_address());
    listener.close();
}

Task<> network(Seen& seen) {
    Listener listener(Address::loopback(0));
    co_await with_scope(serve_for_clients, std::ref(seen), std::ref(listener));
    const auto refused = co_await as_result(connect(Address::loopback(1)));
    seen.say(refused ? "connected" : refused.failure().error_message());
    const auto late = co_await as_result(sleep(an_hour).within(std::chrono::milliseconds(2)));
    seen.say(late ? "slept" : late.failure().error_message());
}

LARIAT_BACKEND_TEST_CASE("a program with echoes, timers, resets and refusals goes through the same states again") {
    const std::string seen = watch_again(io::make_backend(backend_kind), network);
    CHECK(has(seen, "refused"));
    CHECK(has(seen, "timed out"));
}

LARIAT_BACKEND_TEST_CASE("the same under faults") {
    const io::FaultPlan plan = io::FaultPlan(7).disturb(50);
    watch_again(std::make_unique<io::FaultBackend>(io::make_backend(backend_kind), plan), network);
}

// What comes from other threads

Task<> names(Seen& seen) {
    const auto known = co_await as_result(connect("localhost", 1));
    seen.say(known ? "connected" : known.failure().error_message());
    const auto unknown = co_await as_result(connect("no-such-host.invalid", 1));
    seen.say(unknown ? "connected" : unknown.failure().error_message());
}

LARIAT_BACKEND_TEST_CASE("names have the addresses of the recording, and nobody is asked") {
    const TemporaryFile file;
    const std::string seen =
        watch(std::make_unique<io::RecordBackend>(io::make_backend(backend_kind), file.path()), names);
    CHECK(has(seen, "refused"));
    CHECK(has(seen, "no-such-host.invalid"));
    CHECK(test::in_child([&] {
              if (!test::forbid(SYS_clone3, EPERM) || !test::forbid(SYS_clone, EPERM)) return std::string("no seccomp");
              return watch(std::make_unique<io::ReplayBackend>(file.path()), names);
          })
          == seen);
    watch_again(io::make_backend(backend_kind), names);
}

// Work of different length, in several threads at once; who is ready first is different in each run.
Task<> piece(Seen& seen, int number) {
    static std::atomic<unsigned> dice = 1;
    const unsigned spins = co_await run_in_thread([] {
        const unsigned rounds = dice.fetch_add(7919) * 2654435761u % 200000;
        for (unsigned i = 0; i < rounds; ++i) dice.load();
        return 1u;
    });
    seen.say("piece " + std::to_string(number) + " of " + std::to_string(spins));
}

Task<> pieces(TaskScope& scope, Seen& seen) {
    for (int i = 0; i < 12; ++i) scope.spawn(piece, std::ref(seen), i);
    co_return;
}

Task<> work(Seen& seen) {
    co_await with_scope(pieces, std::ref(seen));
    const auto stopped = co_await as_result(with_timeout(std::chrono::microseconds(50), piece(seen, 99)));
    seen.say(stopped ? "done" : stopped.failure().error_message());
}

LARIAT_BACKEND_TEST_CASE("work in threads ends in the turns and in the order of the recording") {
    for (int i = 0; i < 5; ++i) watch_again(io::make_backend(backend_kind), work);
}

Task<> mark(std::atomic<bool>& ran) {
    co_await run_in_thread([&ran] { ran = true; });
}

// One thread, kept busy by the first piece until the second was taken back. On a replay it is free, and the loop gives
// it every chance to begin the second.
Task<> taken_back(Seen& seen) {
    Reactor& reactor = *Reactor::current();
    const bool replays = reactor.backend().tape()->replays();
    reactor.suggest_thread_pool_size(1);
    Event begun;
    std::atomic<bool> go_on = replays, second_ran = false;
    reactor.call_in_thread([&] {
        reactor.call_from_thread([&begun] { begun.set(); });
        go_on.wait(false);
    });
    co_await begun.wait();
    reactor.call_later(Duration::zero(), [&] {
        for (int i = 0; replays && i < 10000 && !second_ran; ++i) std::this_thread::yield();
    });
    const auto second = co_await as_result(with_timeout(Duration::zero(), mark(second_ran)));
    seen.say(second ? "done" : second.failure().error_message());
    CHECK(!second_ran);
    go_on = true;
    go_on.notify_one();
    co_await piece(seen, 3);
}

LARIAT_KERNEL_TEST_CASE("work that was taken back from the pool does not begin on a replay") {
    watch_again(io::make_backend(backend_kind), taken_back);
}

Task<> calls(Seen& seen) {
    Event over;
    Reactor& reactor = *Reactor::current();
    std::jthread caller([&] {
        for (int i = 0; i < 50; ++i) reactor.call_from_thread([&seen, i] { seen.say("call " + std::to_string(i)); });
        reactor.call_from_thread([&over] { over.set(); });
    });
    // Calls of the loop's own come in between.
    for (int i = 0; i < 20; ++i) {
        reactor.call_from_thread([&seen, i] { seen.say("own " + std::to_string(i)); });
        co_await yield();
        co_await sleep(std::chrono::microseconds(10));
    }
    co_await over.wait();
}

LARIAT_KERNEL_TEST_CASE("calls from another thread come in the turns of the recording, between the loop's own") {
    for (int i = 0; i < 5; ++i) watch_again(io::make_backend(backend_kind), calls);
}

// Signals

Task<> until_signal(Seen& seen) {
    Reactor::current()->call_later(std::chrono::milliseconds(1), [] {
        if (!Reactor::current()->backend().tape()->replays()) ::raise(SIGTERM);
    });
    const auto end = co_await as_result(sleep(an_hour));
    seen.say(end ? "slept" : end.failure().error_message());
}

LARIAT_BACKEND_TEST_CASE("a signal stops the program in the turn of the recording") {
    const std::string seen = watch_again(io::make_backend(backend_kind), until_signal);
    CHECK(has(seen, "cancelled"));
}

// Divergence

Task<> sleeps(Duration duration) { co_await sleep(duration); }

TEST_CASE("a replay notices a timer that was set for another time") {
    const TemporaryFile file;
    const auto nap = [&](std::unique_ptr<io::Backend> backend, Duration duration) {
        Reactor reactor(std::move(backend));
        return std::to_string(run(reactor, sleeps(duration)));
    };
    nap(std::make_unique<io::RecordBackend>(io::make_backend(io::BackendKind::sim), file.path()), an_hour);
    const auto replay = [&](Duration duration) {
        return last_words([&] { return nap(std::make_unique<io::ReplayBackend>(file.path()), duration); });
    };
    CHECK(replay(an_hour) == "it did not die: 0");
    const std::string words = replay(2 * an_hour);
    CAPTURE(words);
    CHECK(has(words, "the program asks for waiting until(7200"));
    CHECK(has(words, "ns after the last now()), the recording has waiting until(3"));
}

}  // namespace
}  // namespace lariat

TEST_SUITE_END();
