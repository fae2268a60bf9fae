// SPDX-License-Identifier: MIT
// Deferred to Task and back, callbacks to Deferred: results, failures and cancellation in both directions.
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/from_callback.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
using test::KeyError;
using test::record;
using test::run_on;
using test::settle;
using test::short_type;
using test::ValueError;

Task<int> adds_one(Deferred<int> d) { co_return co_await std::move(d) + 1; }
Task<> ends(Deferred<> d) { co_await std::move(d); }

TEST_CASE("I08 ensure_deferred starts a Task at once and fires with its result") {
    for (const bool fired : {false, true}) {
        Deferred<int> source;
        if (fired) source.callback(1);
        auto d = ensure_deferred(adds_one(source));
        CHECK(d.called() == fired);
        int got = 0;
        d.add_callback([&](int x) { return got = x; });
        if (!fired) source.callback(1);
        CHECK(got == 2);
    }
    Deferred<> gate;
    auto done = ensure_deferred(ends(gate));
    CHECK_FALSE(done.called());
    gate.callback();
    CHECK(done.called());
}

TEST_CASE("I08 ensure_deferred gives a Deferred back as it is") {
    Deferred<int> d;
    CHECK(ensure_deferred(d) == d);
}

TEST_CASE("I05 cancelling the Deferred of a Task cancels what the Task waits for") {
    bool cancelled = false;
    std::string failed;
    auto d = ensure_deferred(adds_one(Deferred<int>([&] { cancelled = true; })));
    d.add_errback([&](const Failure& f) { return failed = short_type(f), 0; });
    d.cancel();
    CHECK(cancelled);
    CHECK(failed == "Cancelled");
}

Task<std::string> cleans_up(Deferred<> work, Deferred<> clean) {
    bool interrupted = false;
    try {
        co_await std::move(work);
    } catch (const Cancelled&) {
        interrupted = true;
    }
    if (interrupted) co_await std::move(clean);
    co_return "cleaned up";
}

TEST_CASE("I05 a Task behind a Deferred may clean up after a cancel, and succeed") {
    Deferred<> clean;
    auto d = ensure_deferred(cleans_up(Deferred<>(), clean));
    d.cancel();
    CHECK_FALSE(d.called());
    clean.callback();
    std::string got;
    d.add_callback([&](std::string text) { return got = std::move(text); });
    CHECK(got == "cleaned up");
}

Deferred<std::string> notices_two(Deferred<> first, Deferred<> second) {
    try {
        co_await std::move(first);
    } catch (const Cancelled&) {}
    try {
        co_await std::move(second);
    } catch (const Cancelled&) {
        co_return "cancelled twice";
    }
    co_return "cancelled once";
}
Task<std::string> passes_on(Deferred<std::string> d) { co_return co_await std::move(d); }

TEST_CASE("I05 a second cancel reaches through a Task as the first did") {
    auto d = ensure_deferred(passes_on(notices_two(Deferred<>(), Deferred<>())));
    d.cancel();
    CHECK_FALSE(d.called());
    d.cancel();
    std::string got;
    d.add_callback([&](std::string text) { return got = std::move(text); });
    CHECK(got == "cancelled twice");
}

Task<> awaits_after(Deferred<> first, Deferred<> second) {
    try {
        co_await std::move(first);
    } catch (const Cancelled&) {}
    co_await std::move(second);
}
Task<> cancelled_before() {
    bool cancelled = false;
    const JoinHandle<> ends_cancelled = spawn(awaits_after, Deferred<>(), Deferred<>([&] { cancelled = true; }));
    ends_cancelled.cancel();
    CHECK_THROWS_AS(co_await ends_cancelled, Cancelled);
    CHECK(cancelled);  // what was started for it is not left to run
    const JoinHandle<> delivered =
        spawn(awaits_after, Deferred<>(), Deferred<>([](Deferred<>& self) { self.callback(); }));
    delivered.cancel();
    co_await delivered;  // the result came first
}
TEST_CASE("I05 a Deferred that a cancelled task awaits is cancelled") { run_on(any_backend, cancelled_before); }

TEST_CASE("D14 a failed Task behind a Deferred is reported with the place that made it one") {
    CapturedLogs logs;
    { auto dropped = ensure_deferred(adds_one(fail<int>(KeyError("k")))); }
    const std::string line = "bridge_test.cpp:" + std::to_string(__LINE__ - 1);
    CHECK(logs.count("KeyError: k") == 1);
    CHECK(logs.count("Unhandled error in Deferred created at") == 1);
    CHECK(logs.count(line) == 1);
}

TEST_CASE("D21 I08 maybe_deferred starts the Task it gets, callbacks may return one") {
    int got = 0;
    maybe_deferred([] { return adds_one(succeed(1)); }).add_callback([&](int x) { return got = x; });
    CHECK(got == 2);
    Deferred<int> later;
    Deferred<int> d = succeed(0);
    d.add_callback([&](int) { return adds_one(later); });
    CHECK(d.paused() == 1);
    d.add_callback([&](int x) { return got = x; });
    later.callback(10);
    CHECK(got == 11);
    std::string failed;
    d.add_callback([](int) { return adds_one(fail<int>(ValueError())); });
    d.add_errback([&](const Failure& f) { return failed = short_type(f), 0; });
    CHECK(failed == "ValueError");
}

Task<std::string> waits(Deferred<int> d) {
    Task<int> task = as_task(std::move(d));
    co_return std::to_string(co_await std::move(task));
}
Task<> as_tasks() {
    std::string outcome;
    co_await record(outcome, waits(succeed(5)));
    CHECK(outcome == "5");
    co_await record(outcome, waits(fail<int>(UsageError("no"))));
    CHECK(outcome == "UsageError: no");
    Deferred<int> later;
    const JoinHandle<> job = spawn(record, std::ref(outcome), waits(later));
    CHECK(outcome == "nothing yet");
    later.callback(6);
    CHECK(outcome == "6");
    co_await job;
}
TEST_CASE("I08 as_task gives the result of a Deferred") { run_on(any_backend, as_tasks); }

Task<> cancels_deferreds() {
    int cancelled = 0;
    std::string outcome;
    const JoinHandle<> plain = spawn(record, std::ref(outcome), waits(Deferred<int>([&] { ++cancelled; })));
    plain.cancel(CancelReason::deadline);
    co_await plain;
    CHECK(cancelled == 1);
    CHECK(outcome == "Cancelled: deadline");
    Deferred<int> answering([&](Deferred<int>& self) { self.callback(7); });
    const JoinHandle<> answered = spawn(record, std::ref(outcome), waits(answering));
    answered.cancel();
    co_await answered;
    CHECK(outcome == "7");
    Deferred<int> late;
    const JoinHandle<> refused = spawn(record, std::ref(outcome), waits(late));
    refused.cancel();
    late.callback(8);
    co_await refused;
    CHECK(outcome == "8");
}
TEST_CASE("I05 cancelling a Task cancels the Deferred it waits for, whose canceller decides") {
    run_on(any_backend, cancels_deferreds);
}

/// A library that calls back: with a number, or with an error text.
class Library {
public:
    int ask(std::function<void(int)> answered, std::function<void(std::string)> failed) {
        answered_ = std::move(answered), failed_ = std::move(failed);
        return 17;
    }
    void answer(int x) { answered_(x); }
    void fail(std::string text) { failed_(std::move(text)); }
    void drop(int id) {
        dropped = id;
        answered_ = nullptr, failed_ = nullptr;
    }
    int dropped = 0;

private:
    std::function<void(int)> answered_;
    std::function<void(std::string)> failed_;
};

Deferred<int> ask(Library& library) {
    return from_callback<int>([&](const DeferredCallback<int>& done) {
        const int id = library.ask(done, [done](const std::string& text) { done.fail(ValueError(text)); });
        return [&library, id] { library.drop(id); };
    });
}

TEST_CASE("D21 from_callback fires with what the function calls back with, once") {
    Library library;
    int got = 0;
    ask(library).add_callback([&](int x) { return got = x; });
    library.answer(5);
    library.answer(6);
    CHECK(got == 5);
    std::string failed;
    ask(library).add_errback([&](const Failure& f) { return failed = f.error_message(), 0; });
    library.fail("wrong question");
    CHECK(failed == "wrong question");
}

TEST_CASE("D12 from_callback: cancelling calls what the function returned") {
    Library library;
    std::string failed;
    auto d = ask(library);
    d.add_errback([&](const Failure& f) { return failed = short_type(f), 0; });
    d.cancel();
    CHECK(library.dropped == 17);
    CHECK(failed == "Cancelled");
}

TEST_CASE("D21 from_callback: answers inside the call, exceptions of the function, functions that forget") {
    CapturedLogs logs;
    auto at_once = from_callback<>([](const DeferredCallback<>& done) { done(); });
    CHECK(at_once.called());
    std::string failed;
    auto note = [&](const Failure& f) { failed = short_type(f); };
    from_callback<>([](const DeferredCallback<>&) { throw KeyError(); }).add_errback(note);
    CHECK(failed == "KeyError");
    std::vector<DeferredCallback<>> kept;
    auto forgotten = from_callback<>([&](const DeferredCallback<>& done) { kept.push_back(done); });
    auto waiting = succeed();
    waiting.add_callback([inner = std::move(forgotten)] { return inner; }).add_errback(note);
    kept.clear();
    CHECK(failed == "AbandonedError");
    CHECK(logs.events().empty());
}

}  // namespace
}  // namespace lariat
