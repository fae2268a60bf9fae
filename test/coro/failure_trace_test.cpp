// SPDX-License-Identifier: MIT
// Traces of failures that pass through coroutines of both kinds: one line for each, with its file, the line of its
// last await and its name, and no line of lariat's own.
#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
using test::KeyError;
using test::run_on;
using test::settle;
using test::ValueError;

struct Place {
    const char* function;
    int line;
};

/// Exactly these places, outermost first, and one line each: the heading, the places, the exception.
void check_trace(const Failure& failure, const std::vector<Place>& places) {
    const std::string trace = failure.traceback();
    INFO(trace);
    std::size_t from = 0;
    for (const Place& place : places) {
        const auto at = trace.find("failure_trace_test.cpp:" + std::to_string(place.line) + ", in ", from);
        REQUIRE(at != std::string::npos);
        const auto name = trace.find(place.function, at);
        CHECK(name < trace.find('\n', at));
        from = at + 1;
    }
    CHECK(std::count(trace.begin(), trace.end(), '\n') == static_cast<long>(places.size()) + 1);
    CHECK(trace.find("/coro/deferred") == std::string::npos);
}

Failure without_place(const char* text) { return Failure(KeyError(text), std::source_location()); }

Task<int> inner_task(Deferred<int> d) {
    const int x = co_await std::move(d);
    co_return x;
}
constexpr int in_inner_task = __LINE__ - 3;
Task<int> outer_task(Deferred<int> d) { co_return co_await inner_task(std::move(d)); }
constexpr int in_outer_task = __LINE__ - 1;
Deferred<int> over_tasks(Deferred<int> d) { co_return co_await outer_task(std::move(d)); }
constexpr int in_over_tasks = __LINE__ - 1;

TEST_CASE("I09 a failure that passes through Tasks names every coroutine on the way") {
    for (const bool fired : {false, true}) {
        Deferred<int> source;
        if (fired) source.errback(without_place("k"));
        Failure failure;
        over_tasks(source).add_errback([&](const Failure& f) { return failure = f, 0; });
        if (!fired) source.errback(without_place("k"));
        check_trace(failure,
                    {{"over_tasks", in_over_tasks}, {"outer_task", in_outer_task}, {"inner_task", in_inner_task}});
    }
}

Task<int> throws_by_itself() {
    throw ValueError("thrown");
    co_return 0;
}
Deferred<int> over_a_throw() { co_return co_await throws_by_itself(); }
constexpr int in_over_a_throw = __LINE__ - 1;

TEST_CASE("I09 an exception thrown in a Task that never waited is placed at the Task itself") {
    Failure failure;
    over_a_throw().add_errback([&](const Failure& f) { return failure = f, 0; });
    const std::string trace = failure.traceback();
    INFO(trace);
    CHECK(trace.find("failure_trace_test.cpp:" + std::to_string(in_over_a_throw)) != std::string::npos);
    CHECK(trace.find("throws_by_itself") != std::string::npos);
    CHECK(std::count(trace.begin(), trace.end(), '\n') == 3);
}

TEST_CASE("I09 the bridges leave no line of their own") {
    Failure failure;
    ensure_deferred(outer_task(fail<int>(without_place("k")))).add_errback([&](const Failure& f) {
        return failure = f, 0;
    });
    check_trace(failure, {{"outer_task", in_outer_task}, {"inner_task", in_inner_task}});
    ensure_deferred(as_task(fail<int>(without_place("k")))).add_errback([&](const Failure& f) {
        return failure = f, 0;
    });
    check_trace(failure, {});
}

Deferred<int> inner_of_failure() { co_return co_await fail<int>(without_place("k")); }
constexpr int in_inner_of_failure = __LINE__ - 1;
Task<int> rethrows_later(Deferred<int> d, Deferred<> clean) {
    std::exception_ptr kept;
    try {
        co_return co_await std::move(d);
    } catch (const KeyError&) {
        kept = std::current_exception();
    }
    co_await std::move(clean);
    std::rethrow_exception(kept);
}
constexpr int in_rethrows_later = __LINE__ - 3;
Task<int> translates(Deferred<int> d) {
    try {
        co_return co_await inner_task(std::move(d));
    } catch (const KeyError&) {
        throw ValueError("translated");
    }
}

TEST_CASE("I09 an exception keeps its trace when it is thrown again later; another one begins anew") {
    Failure failure;
    Deferred<> clean;
    ensure_deferred(rethrows_later(inner_of_failure(), clean)).add_errback([&](const Failure& f) {
        return failure = f, 0;
    });
    clean.callback();
    check_trace(failure, {{"rethrows_later", in_rethrows_later}, {"inner_of_failure", in_inner_of_failure}});
    ensure_deferred(translates(fail<int>(without_place("k")))).add_errback([&](const Failure& f) {
        return failure = f, 0;
    });
    const std::string trace = failure.traceback();
    CHECK(trace.find("translates") != std::string::npos);
    CHECK(trace.find("inner_task") == std::string::npos);
}

Task<> child(Deferred<int> d) { co_await inner_task(std::move(d)); }
constexpr int in_child = __LINE__ - 1;
Task<> body(TaskScope& scope, Deferred<int> d) {
    scope.spawn(child, std::move(d));
    co_return;
}
Task<> in_scope(Deferred<int> d) { co_await with_scope(body, std::move(d)); }
constexpr int at_scope = __LINE__ - 1;
Task<> joins(Deferred<int> d) {
    const JoinHandle<> job = spawn(child, std::move(d));
    co_await job;
}
constexpr int at_join = __LINE__ - 2;
Task<> joins_with_limit(Deferred<int> d) {
    const JoinHandle<> job = spawn(child, std::move(d));
    co_await job.join().within(test::an_hour);
}
constexpr int at_limited_join = __LINE__ - 2;

template <class F>
Failure failure_of(F function) {
    Failure failure;
    run_on(
        any_backend,
        [](Failure& out, F f) -> Task<> {
            Deferred<int> source;
            auto d = ensure_deferred(f(source));
            d.add_errback([&out](const Failure& raised) { out = raised; });
            source.errback(without_place("k"));
            co_await std::move(d);
        },
        std::ref(failure), function);
    return failure;
}

TEST_CASE("I09 a failure that passes from one task to another through a scope or a join keeps its trace") {
    check_trace(failure_of(in_scope), {{"in_scope", at_scope}, {"child", in_child}, {"inner_task", in_inner_task}});
    check_trace(failure_of(joins), {{"joins", at_join}, {"child", in_child}, {"inner_task", in_inner_task}});
    check_trace(failure_of(joins_with_limit),
                {{"joins_with_limit", at_limited_join}, {"child", in_child}, {"inner_task", in_inner_task}});
}

Task<> lets_a_failure_go() {
    spawn(child, fail<int>(without_place("k")));
    co_await settle();
}

TEST_CASE("I09 the log of a task that nobody joined has the trace") {
    const CapturedLogs logs;
    run_on(any_backend, lets_a_failure_go);
    CHECK(logs.count("failure_trace_test.cpp:" + std::to_string(in_child) + ", in ") == 1);
    CHECK(logs.count("failure_trace_test.cpp:" + std::to_string(in_inner_task) + ", in ") == 1);
}

}  // namespace
}  // namespace lariat
