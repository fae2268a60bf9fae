// SPDX-License-Identifier: MIT
// CancelSource, CancelToken and with_token(): who is cancelled, why, from which thread, and what it leaves behind.
#include <lariat/coro/cancel_token.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/task_tree.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

namespace lariat {
namespace {

using test::record;
using test::run_on;
using test::settle;

Task<std::string> rest() {
    co_await sleep(test::an_hour);
    co_return "slept";
}
Task<std::string> rest_under(CancelToken token) { co_return co_await with_token(std::move(token), rest()); }

Task<> interrupt() {
    CancelSource source;
    const CancelToken token = source.token();
    std::string a, b;
    const JoinHandle<> first = spawn(record, std::ref(a), rest_under(token));
    const JoinHandle<> second = spawn(record, std::ref(b), rest_under(token));
    CHECK_FALSE(token.is_cancelled());
    CHECK_FALSE(token.reason().has_value());
    CHECK(source.cancel(CancelReason::shutdown));
    CHECK(a == "nothing yet");  // never inside cancel()
    CHECK_FALSE(source.cancel(CancelReason::requested));
    co_await first;
    co_await second;
    CHECK(a == "Cancelled: shutdown");
    CHECK(b == "Cancelled: shutdown");
    CHECK(token.is_cancelled());
    CHECK(token.reason() == CancelReason::shutdown);
    co_await record(a, rest_under(token));  // from now on nothing waits
    CHECK(a == "Cancelled: shutdown");
}
LARIAT_BACKEND_TEST_CASE("a token cancels every task it was given to, with the first reason") {
    run_on(backend_kind, interrupt);
}

Task<std::string> go_on(CancelToken token) {
    const Outcome<std::string> outcome = co_await as_result(with_token(token, rest()));
    CHECK(outcome.failure().check<Cancelled>());
    co_await yield();  // this task itself was not cancelled
    co_return "went on";
}
Task<std::string> never_waits(CancelToken token) {
    co_return co_await with_token(token, []() -> Task<std::string> { co_return "done"; }());
}
Task<std::string> shielded(AutoResetEvent& event) {
    co_await shield([](AutoResetEvent& e) -> Task<> { co_await e.wait(); }(event));
    co_return "shielded";
}
Task<> others() {
    CancelSource source;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), go_on(source.token()));
    source.cancel();
    co_await job;
    CHECK(outcome == "went on");
    co_await record(outcome, never_waits(source.token()));
    CHECK(outcome == "done");

    CancelSource again;
    AutoResetEvent event;
    const JoinHandle<> covered = spawn(record, std::ref(outcome), with_token(again.token(), shielded(event)));
    again.cancel();
    co_await settle();
    CHECK(outcome == "nothing yet");
    event.set();
    co_await covered;
    CHECK(outcome == "shielded");
}
TEST_CASE("the task around with_token() goes on; what does not wait, or is shielded, is not interrupted") {
    run_on(test::any_backend, others);
}

Task<> from_outside() {
    CancelSource source;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), rest_under(source.token()));
    CHECK(dump_tasks().find("with_token") == std::string::npos);  // what counts is what is inside
    CHECK(dump_tasks().find("waits for sleep") != std::string::npos);
    job.cancel();
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    co_await record(outcome, with_timeout(std::chrono::milliseconds(1), rest_under(source.token())));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    source.cancel();  // nobody listens any more
}
LARIAT_BACKEND_TEST_CASE("a cancellation or a limit from outside reaches through a token's context") {
    run_on(backend_kind, from_outside);
}

Task<> standard() {
    std::stop_source source;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), rest_under(source.get_token()));
    source.request_stop();
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    {
        CancelSource gone;
        co_await record(outcome, with_timeout(std::chrono::milliseconds(1), rest_under(gone.token())));
    }
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    CHECK_FALSE(CancelToken().is_cancelled());
    co_await record(outcome, never_waits(CancelToken()));
    CHECK(outcome == "done");
}
TEST_CASE("a token may be one of the standard library, or of nobody") { run_on(test::any_backend, standard); }

Task<> cancelled_and_done() {
    CancelSource source;
    AutoResetEvent event;
    std::string outcome;
    const JoinHandle<> job =
        spawn(record, std::ref(outcome), with_token(source.token(), [](AutoResetEvent& e) -> Task<std::string> {
                  co_await e.wait();
                  co_return "done";
              }(event)));
    event.set();
    source.cancel();
    co_await job;
    CHECK(outcome == "done");
}
TEST_CASE("what was completed before its token was cancelled is delivered") {
    run_on(test::any_backend, cancelled_and_done);
}

TEST_SUITE_BEGIN("cancel token threads");

Task<> cancel_from_thread() {
    for (int round = 0; round < 20; ++round) {
        CancelSource source;
        std::string outcome;
        const JoinHandle<> job = spawn(record, std::ref(outcome), rest_under(source.token()));
        std::thread other([&source] { source.cancel(CancelReason::deadline); });
        co_await job;
        other.join();
        CHECK(outcome == "Cancelled: deadline");
    }
}
LARIAT_KERNEL_TEST_CASE("another thread cancels a task that waits") { run_on(backend_kind, cancel_from_thread); }

// The end of the task and the cancellation come at the same time.
Task<std::string> brief(int turns) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return "done";
}
Task<> race_ends() {
    int done = 0, cancelled = 0;
    for (int round = 0; round < 300; ++round) {
        CancelSource source;
        std::string outcome;
        std::atomic<bool> go{false};
        std::thread other([&] {
            while (!go.load()) {}
            source.cancel();
        });
        go.store(true);
        co_await record(outcome, with_token(source.token(), brief(round % 30)));
        other.join();
        ++(outcome == "done" ? done : cancelled);
    }
    CHECK(done + cancelled == 300);
    co_await settle();  // mail to tasks that have ended
}
LARIAT_KERNEL_TEST_CASE("a cancellation that comes from a thread as the task ends does no harm") {
    run_on(backend_kind, race_ends);
}

TEST_SUITE_END();

}  // namespace
}  // namespace lariat
