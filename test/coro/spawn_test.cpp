// SPDX-License-Identifier: MIT
#include <lariat/coro/spawn.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
using test::record;
using test::run_on;
using test::settle;

Task<int> twice(int value) {
    co_await yield();
    co_return value * 2;
}
Task<int> fails_now_or_later(bool later) {
    if (later) co_await yield();
    throw ProtocolViolation("spawned and failed");
}
Task<std::string> sleeps_long() {
    co_await sleep(test::an_hour);
    co_return "slept";
}

Task<> joins() {
    JoinHandle<int> job = spawn(twice, 4);
    CHECK_FALSE(job.is_done());
    CHECK(co_await job == 8);
    CHECK(job.is_done());
    CHECK(co_await spawn([](int a, const int& b) -> Task<int> { co_return a + b; }, 1, 2) == 3);
}
TEST_CASE("a spawned task runs at once, and joining it gives its result") { run_on(any_backend, joins); }

Task<std::string> join(JoinHandle<int> job) { co_return std::to_string(co_await job); }
Task<> join_failures() {
    std::string outcome;
    co_await record(outcome, join(spawn(fails_now_or_later, false)));
    CHECK(outcome == "ProtocolViolation: spawned and failed");
    co_await record(outcome, join(spawn(fails_now_or_later, true)));
    CHECK(outcome == "ProtocolViolation: spawned and failed");
}
TEST_CASE("joining a task that failed throws what it threw, and nothing is logged") {
    const CapturedLogs logs;
    run_on(any_backend, join_failures);
    CHECK(logs.count("failed") == 0);
}

Task<> lets_failures_go() {
    spawn(fails_now_or_later, false);
    JoinHandle<int> held = spawn(fails_now_or_later, true);
    co_await settle();
    CHECK(held.is_done());
}
TEST_CASE("the failure of a task that nobody joins is logged with its origin") {
    const CapturedLogs logs;
    run_on(any_backend, lets_failures_go);
    CHECK(logs.count("a task failed; nobody waited for it") == 2);
    CHECK(logs.count("ProtocolViolation: spawned and failed") == 2);
    CHECK(logs.count("spawn_test.cpp") == 2);
}

Task<> cancels() {
    std::string outcome;
    JoinHandle<> job = spawn(record, std::ref(outcome), sleeps_long());
    CHECK(outcome == "nothing yet");
    job.cancel();
    CHECK(outcome == "nothing yet");  // never inside cancel()
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    job.cancel();  // too late, harmless
}
TEST_CASE("cancelling a task interrupts what it waits for, from the loop") { run_on(any_backend, cancels); }

Task<> goes_on_after_cancel(std::vector<std::string>& steps) {
    for (int i = 0; i < 2; ++i) {
        try {
            co_await sleep(test::an_hour);
            steps.push_back("slept");
        } catch (const Cancelled&) {
            steps.push_back("refused");
        }
    }
}
Task<> stays_cancelled() {
    std::vector<std::string> steps;
    const JoinHandle<> job = spawn(goes_on_after_cancel, std::ref(steps));
    job.cancel();
    co_await job;
    CHECK(steps == std::vector<std::string>{"refused", "refused"});
}
TEST_CASE("a cancelled task refuses every further wait") { run_on(any_backend, stays_cancelled); }

Task<int> never_waits(JoinHandle<int>*& self) {
    self->cancel();
    co_return 5;
}
Task<int> waits_first(JoinHandle<int>*& self) {
    co_await yield();
    co_return co_await never_waits(self);
}
Task<> success_wins() {
    JoinHandle<int> job;
    JoinHandle<int>* self = &job;
    job = spawn(waits_first, std::ref(self));
    CHECK(co_await job == 5);
}
TEST_CASE("a task that waits for nothing more ends as if it had not been cancelled") {
    run_on(any_backend, success_wins);
}

Task<std::string> join_text(const JoinHandle<std::string>& job) { co_return co_await job; }
Task<std::string> join_soon(const JoinHandle<std::string>& job) {
    co_return co_await job.join().within(std::chrono::milliseconds(1));
}
Task<> cancels_only_the_wait() {
    const JoinHandle<std::string> job = spawn(sleeps_long);
    std::string outcome;
    const JoinHandle<> joiner = spawn(record, std::ref(outcome), join_text(job));
    joiner.cancel();
    co_await joiner;
    CHECK(outcome == "Cancelled: requested");
    CHECK_FALSE(job.is_done());
    co_await record(outcome, join_soon(job));
    CHECK(outcome == "TimedOut: join timed out after 1 ms");
    job.cancel();
    co_await record(outcome, join_text(job));
    CHECK(outcome == "Cancelled: requested");
}
TEST_CASE("cancelling or timing out a join leaves the task alone") { run_on(any_backend, cancels_only_the_wait); }

Task<> reads_late(const std::string& text, std::string& copy) {
    co_await yield();
    copy = text;
}
Task<> keeps_arguments() {
    std::string copy;
    const JoinHandle<> job =
        spawn(reads_late, std::string("a text that is not in the task's own frame"), std::ref(copy));
    co_await job;
    CHECK(copy == "a text that is not in the task's own frame");
}
TEST_CASE("arguments live until the task has ended") { run_on(any_backend, keeps_arguments); }

Task<> until_shutdown(std::string& outcome) {
    co_await record(outcome, sleeps_long());
    outcome += ", cleaned up";
}
Task<> leaves_one_behind(std::string& outcome) {
    spawn(until_shutdown, std::ref(outcome));
    co_return;
}
TEST_CASE("a task that is left when the reactor shuts down is cancelled and waited for") {
    std::string outcome;
    run_on(any_backend, leaves_one_behind, std::ref(outcome));
    CHECK(outcome == "Cancelled: shutdown, cleaned up");
}

Task<> spawns_in_cleanup(std::string& outcome) {
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {}
    spawn(until_shutdown, std::ref(outcome));
}
Task<> leaves_a_spawner(std::string& outcome) {
    spawn(spawns_in_cleanup, std::ref(outcome));
    co_return;
}
TEST_CASE("a task spawned during the shutdown is cancelled from its start and waited for") {
    std::string outcome;
    run_on(any_backend, leaves_a_spawner, std::ref(outcome));
    CHECK(outcome == "Cancelled: shutdown, cleaned up");
}

TEST_CASE("tasks spawned from callbacks are cancelled by reactor.stop()") {
    std::string outcome;
    Reactor reactor(ReactorOptions().backend(any_backend));
    for (int round = 0; round < 2; ++round) {
        reactor.call_when_running([&] { spawn(until_shutdown, std::ref(outcome)); });
        reactor.call_later(Duration::zero(), [&] { reactor.stop(); });
        reactor.run();
        CHECK(std::exchange(outcome, "") == "Cancelled: shutdown, cleaned up");
    }
}

}  // namespace
}  // namespace lariat
