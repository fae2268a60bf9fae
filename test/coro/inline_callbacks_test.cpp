// SPDX-License-Identifier: MIT
// Functions that return Deferred and use co_await, beyond the scripts.
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::KeyError;
using test::short_type;
using test::Transcript;
using test::ValueError;

using Text = Deferred<std::string>;

Deferred<int> plain_values(int& out) {
    int x = co_await 5;
    int& same = co_await out;
    same = 7;
    auto owned = co_await std::make_unique<int>(3);
    co_return x + *owned;
}

TEST_CASE("I02 plain values come straight back: lvalues as references, temporaries by value") {
    int changed = 0, got = 0;
    plain_values(changed).add_callback([&](int x) { got = x; });
    CHECK(got == 8);
    CHECK(changed == 7);
}

Deferred<int> catches(Deferred<int> d) {
    std::string what;
    try {
        co_return co_await d;
    } catch (const KeyError& error) {
        what = error.what();
    }
    co_return int(what.size());
}
Deferred<int> lets_through(Deferred<int> d) { co_return co_await std::move(d) + 1; }
Deferred<> throws_at_once() {
    throw ValueError("at once");
    co_return;
}

TEST_CASE("I03 a failure is raised at the await; what is not caught fails the Deferred") {
    for (const bool fired : {false, true}) {
        Deferred<int> d;
        if (fired) d.errback(KeyError("four"));
        int got = 0;
        catches(d).add_callback([&](int x) { got = x; });
        if (!fired) d.errback(KeyError("four"));
        CHECK(got == 4);
        Deferred<int> e;
        std::string failed;
        lets_through(e).add_errback([&](const Failure& f) { failed = short_type(f); });
        e.errback(KeyError());
        CHECK(failed == "KeyError");
    }
    std::string failed;
    throws_at_once().add_errback([&](const Failure& f) { failed = f.error_message(); });
    CHECK(failed == "at once");
}

Deferred<int> returns_failure() { co_return Failure(KeyError("returned")); }

TEST_CASE("I01 co_return of a Failure fails the Deferred") {
    std::string failed;
    returns_failure().add_errback([&](const Failure& f) { failed = short_type(f); });
    CHECK(failed == "KeyError");
}

Deferred<int> returns_nothing() { co_return Failure(); }

TEST_CASE("I01 D02 an empty Failure that is returned is a failure all the same") {
    std::string failed;
    const auto note = [&](const Failure& f) { failed = f.error_message(); };
    returns_nothing().add_errback(note);
    CHECK(std::exchange(failed, "")
          == "an empty Failure was returned; Failure::current() is the exception being handled");
    succeed(1).add_callback([](int) { return Failure(); }).add_errback(note);
    CHECK(failed == "an empty Failure was returned; Failure::current() is the exception being handled");
}

TEST_CASE("I01 callback() runs the waiting coroutine and all that follows before it returns") {
    Transcript out;
    Deferred<int> d;
    lets_through(d).add_callback([&](int x) { out.say("coroutine gave", x); });
    d.add_callback([&](int x) { return out.say("the rest of d got", x), x; });
    d.callback(1);
    out.say("callback returned");
    CHECK(out.text() == "coroutine gave 2\nthe rest of d got 0\ncallback returned\n");
}

TEST_CASE("I05 what a canceller throws comes out of the outermost cancel, and nothing has happened") {
    int got = 0;
    Deferred<int> d([] { throw ValueError(); });
    auto coroutine = lets_through(d);
    coroutine.add_callback([&](int x) { return got = x; });
    CHECK_THROWS_AS(coroutine.cancel(), ValueError);
    d.callback(1);
    CHECK(got == 2);
    coroutine.cancel();
}

TEST_CASE("D04 nobody but the coroutine fires its Deferred") {
    Deferred<int> d;
    auto coroutine = lets_through(d);
    CHECK_THROWS_AS(coroutine.callback(1), UsageError);
    d.callback(1);
    CHECK_THROWS_AS(coroutine.callback(1), AlreadyCalledError);
}

struct Leaving {
    explicit Leaving(Transcript& transcript) : out(transcript) {}
    ~Leaving() { out.say("finally block runs"); }
    Transcript& out;
};
Deferred<> job(Transcript& out, Deferred<> d) {
    Leaving leaving(out);
    co_await std::move(d);
    out.say("never");
}

TEST_CASE("I10 a coroutine whose awaited Deferred is dropped ends with AbandonedError instead of vanishing") {
    CapturedLogs logs;
    Transcript out;
    Deferred<> lost;
    auto result = job(out, lost);
    result.add_errback([&](const Failure& f) { out.say("failed:", short_type(f)); });
    lost = Deferred<>();
    CHECK(out.text() == "finally block runs\nfailed: AbandonedError\n");
    CHECK(logs.events().empty());
}

Deferred<> job_with_handle(Transcript& out, Deferred<> d) {
    Leaving leaving(out);
    Deferred<> local = d;
    d = Deferred<>();
    co_await local;
    out.say("never");
}

TEST_CASE("I10 a handle inside the waiting coroutine does not hide that nobody else has one") {
    Transcript out;
    Deferred<> lost;
    auto result = job_with_handle(out, lost);
    result.add_errback([&](const Failure& f) { out.say("failed:", short_type(f)); });
    lost = Deferred<>();
    CHECK(out.text() == "finally block runs\nfailed: AbandonedError\n");
}

Deferred<> fired_by_reference(std::vector<Function<void()>>& later) {
    Deferred<> gate;
    Function<void()> open = [&gate] { gate.callback(); };
    later.push_back(std::move(open));
    co_await gate;
}

TEST_CASE("I10 a handle inside the waiting coroutine can be fired through a reference") {
    std::vector<Function<void()>> later;
    auto d = fired_by_reference(later);
    later[0]();
    CHECK(d.called());
    CHECK(d.str().find("None") != std::string::npos);
}

Deferred<int> awaits_by_reference(const Deferred<int>& d) { co_return co_await d; }

TEST_CASE("I10 a coroutine cannot wait for what waits for it") {
    Deferred<int> gate, last;
    auto awaits_twice = [](const Deferred<int>& first, const Deferred<int>& second) -> Deferred<int> {
        const int x = co_await first;
        co_return x + co_await second;
    };
    auto coroutine = awaits_twice(gate, last);
    last = awaits_by_reference(coroutine);
    bool refused = false;
    last.add_errback([&](const Failure& f) { return refused = f.check<UsageError>(), 0; });
    gate.callback(1);
    CHECK(refused);
}

TEST_CASE("I10 an abandoned coroutine that nobody waits for is reported") {
    CapturedLogs logs;
    Transcript out;
    Deferred<> lost;
    job(out, lost);
    lost = Deferred<>();
    CHECK(out.text() == "finally block runs\n");
    CHECK(logs.count("Unhandled error in Deferred") == 1);
    CHECK(logs.count("AbandonedError") == 1);
}

TEST_CASE("I10 a coroutine that can neither go on nor be cancelled is ended") {
    CapturedLogs logs;
    Transcript out;
    job(out, Deferred<>());
    CHECK(out.text() == "finally block runs\n");
    CHECK(logs.count("AbandonedError") == 1);
}

Deferred<int> innermost(Deferred<int> d) {
    co_return co_await std::move(d);  // line of the inner await
}
constexpr int inner_line = __LINE__ - 2;
Deferred<int> outermost(Deferred<int> d) {
    int x = 1;
    x += co_await innermost(std::move(d));
    co_return x;
}
constexpr int outer_line = __LINE__ - 3;

TEST_CASE("I09 a traceback has the line of every await between the failure and the observer, and nothing else") {
    for (const bool fired : {false, true}) {
        Deferred<int> d;
        if (fired) d.errback(Failure(KeyError("k"), std::source_location()));
        std::string trace;
        outermost(d).add_errback([&](const Failure& f) { return trace = f.traceback(), 0; });
        if (!fired) d.errback(Failure(KeyError("k"), std::source_location()));
        const auto outer_at = trace.find("inline_callbacks_test.cpp:" + std::to_string(outer_line) + ", in ");
        const auto inner_at = trace.find("inline_callbacks_test.cpp:" + std::to_string(inner_line) + ", in ");
        INFO(trace);
        CHECK(outer_at != std::string::npos);
        CHECK(inner_at != std::string::npos);
        CHECK(outer_at < inner_at);
        CHECK(trace.find("outermost") != std::string::npos);
        CHECK(trace.find("deferred_coroutine.hpp") == std::string::npos);
        CHECK(std::count(trace.begin(), trace.end(), '\n') == 3);
    }
}

TEST_CASE("I09 an exception thrown in a coroutine is traced to its last await") {
    std::string trace;
    throws_at_once().add_errback([&](const Failure& f) { trace = f.traceback(); });
    CHECK(trace.find("inline_callbacks_test.cpp:") != std::string::npos);
    CHECK(trace.find("throws_at_once") != std::string::npos);
}

Task<int> task_over(Deferred<int> d) { co_return co_await std::move(d) + 10; }
Task<int> task_over_task(Deferred<int> d) { co_return co_await task_over(std::move(d)) + 100; }
Deferred<int> over_task(Deferred<int> d) { co_return co_await task_over_task(std::move(d)) + 1000; }

TEST_CASE("I08 a Deferred awaits Tasks, which await Deferreds") {
    for (const bool fired : {false, true}) {
        Deferred<int> d;
        if (fired) d.callback(1);
        int got = 0;
        over_task(d).add_callback([&](int x) { got = x; });
        if (!fired) d.callback(1);
        CHECK(got == 1111);
    }
}

TEST_CASE("I05 cancelling reaches through Tasks") {
    bool cancelled = false;
    std::string got;
    auto outermost_one = over_task(Deferred<int>([&] { cancelled = true; }));
    outermost_one.add_errback([&](const Failure& f) { return got = short_type(f), 0; });
    outermost_one.cancel();
    CHECK(cancelled);
    CHECK(got == "Cancelled");
}

Deferred<int> level_over_task(Deferred<int> d) { co_return co_await task_over(std::move(d)) - 9; }

TEST_CASE("I10 100000 nested waiting coroutines and Tasks in turn complete in bounded stack") {
    Deferred<int> leaf;
    Deferred<int> d = leaf;
    for (int i = 0; i < 100'000; ++i) d = level_over_task(std::move(d));
    int got = 0;
    d.add_callback([&](int x) { return got = x; });
    leaf.callback(0);
    CHECK(got == 100'000);
}

struct Session {
    std::string name;
    Text greet(Deferred<> ready) {
        co_await std::move(ready);
        co_return "hello " + name;
    }
};

TEST_CASE("I01 member functions of any class may be coroutines") {
    Session session{"ann"};
    Deferred<> ready;
    std::string got;
    session.greet(ready).add_callback([&](std::string s) { got = s; });
    ready.callback();
    CHECK(got == "hello ann");
}

TEST_CASE("I05 parameters and locals of a coroutine are gone when its result is there") {
    const auto held = std::make_shared<int>(1);
    Deferred<> gate;
    auto keep = [](std::shared_ptr<int> parameter, Deferred<> until) -> Deferred<> {
        auto local = parameter;
        co_await std::move(until);
    };
    auto d = keep(held, gate);
    CHECK(held.use_count() == 3);
    gate.callback();
    CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace lariat
