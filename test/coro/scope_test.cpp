// SPDX-License-Identifier: MIT
#include <lariat/coro/task_scope.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
using test::record;
using test::run_on;
using test::settle;

using Steps = std::vector<std::string>;

Task<> works(Steps& steps, std::string name, int turns) {
    for (int i = 0; i < turns; ++i) co_await yield();
    steps.push_back(name + " done");
}
Task<> waits(Steps& steps, std::string name) {
    std::string outcome;
    co_await record(outcome, [](Duration time) -> Task<std::string> {
        co_await sleep(time);
        co_return "slept";
    }(test::an_hour));
    steps.push_back(name + " " + outcome);
    if (outcome != "slept") throw Cancelled();
}
Task<> fails(int turns, std::string text) {
    for (int i = 0; i < turns; ++i) co_await yield();
    throw ProtocolViolation(text);
}

Task<int> spawns_two(TaskScope& scope, Steps& steps) {
    scope.spawn(works, std::ref(steps), "slow", 5);
    scope.spawn(works, std::ref(steps), "quick", 0);
    steps.push_back("body done");
    co_return 7;
}
Task<> joins_all() {
    Steps steps;
    CHECK(co_await with_scope(spawns_two, std::ref(steps)) == 7);
    CHECK(steps == Steps{"quick done", "body done", "slow done"});
}
TEST_CASE("with_scope() gives the body's result when every task has ended") { run_on(any_backend, joins_all); }

Task<> body_fails(TaskScope& scope, Steps& steps) {
    scope.spawn(waits, std::ref(steps), "child");
    co_await yield();
    throw ProtocolViolation("body");
}
Task<std::string> run_body_fails(Steps& steps) {
    co_await with_scope(body_fails, std::ref(steps));
    co_return "returned";
}
Task<> body_failure() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, run_body_fails(steps));
    CHECK(outcome == "ProtocolViolation: body");
    CHECK(steps == Steps{"child Cancelled: scope exit"});
}
TEST_CASE("a body that throws cancels the tasks, and with_scope() throws when they have ended") {
    run_on(any_backend, body_failure);
}

Task<> body_waits(TaskScope& scope, Steps& steps) {
    scope.spawn(waits, std::ref(steps), "child");
    scope.spawn(fails, 2, "first");
    scope.spawn(fails, 20, "second");  // cancelled before
    co_await waits(steps, "body");
}
Task<std::string> run_body_waits(Steps& steps) {
    co_await with_scope(body_waits, std::ref(steps));
    co_return "returned";
}
Task<> child_failure() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, run_body_waits(steps));
    CHECK(outcome == "ProtocolViolation: first");
    CHECK(steps.size() == 2);
}
TEST_CASE("the first failure cancels everything else and is thrown") { run_on(any_backend, child_failure); }

Task<> fails_in_cleanup() {
    bool cancelled = false;
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {
        cancelled = true;
    }
    if (cancelled) throw ProtocolViolation("while cleaning up");
}
Task<> two_fail(TaskScope& scope) {
    scope.spawn(fails_in_cleanup);
    scope.spawn(fails, 1, "the first");
    co_return;
}
Task<std::string> run_two_fail() {
    co_await with_scope(two_fail);
    co_return "returned";
}
Task<> later_failures() {
    std::string outcome;
    co_await record(outcome, run_two_fail());
    CHECK(outcome == "ProtocolViolation: the first");
}
TEST_CASE("failures after the first are logged") {
    const CapturedLogs logs;
    run_on(any_backend, later_failures);
    CHECK(logs.count("while cleaning up") == 1);
    CHECK(logs.count("the first") == 0);
}

Task<> spawns_failing_at_once(TaskScope& scope, bool& reached) {
    scope.spawn(fails, 0, "at once");
    co_await yield();
    reached = true;
}
Task<std::string> run_failing_at_once(bool& reached) {
    co_await with_scope(spawns_failing_at_once, std::ref(reached));
    co_return "returned";
}
Task<> failure_inside_spawn() {
    bool reached = false;
    std::string outcome;
    co_await record(outcome, run_failing_at_once(reached));
    CHECK(outcome == "ProtocolViolation: at once");
    CHECK_FALSE(reached);
}
TEST_CASE("a task that fails inside spawn() interrupts the body at its next await") {
    run_on(any_backend, failure_inside_spawn);
}

Task<> two_waiters(TaskScope& scope, Steps& steps) {
    scope.spawn(waits, std::ref(steps), "child");
    co_await waits(steps, "body");
}
Task<std::string> run_two_waiters(Steps& steps) {
    co_await with_scope(two_waiters, std::ref(steps));
    co_return "returned";
}
Task<> cancelled_from_outside() {
    Steps steps;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), run_two_waiters(steps));
    co_await yield();
    job.cancel(CancelReason::shutdown);
    co_await job;
    CHECK(steps == Steps{"body Cancelled: shutdown", "child Cancelled: shutdown"});
    CHECK(outcome == "Cancelled: requested");  // what the body threw
}
TEST_CASE("a cancellation from outside reaches the body and the tasks, which end before with_scope() does") {
    run_on(any_backend, cancelled_from_outside);
}

Task<std::string> scope_in_cancelled_task(Steps& steps) {
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {}
    co_await with_scope(two_waiters, std::ref(steps));
    co_return "returned";
}
Task<> precancelled() {
    Steps steps;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), scope_in_cancelled_task(steps));
    job.cancel();
    co_await job;
    CHECK(steps == Steps{"child Cancelled: requested", "body Cancelled: requested"});
    CHECK(outcome == "Cancelled: requested");
}
TEST_CASE("in a cancelled task the body and the tasks of a scope are cancelled from their start") {
    run_on(any_backend, precancelled);
}

Task<> quits(TaskScope& scope) {
    co_await yield();
    scope.cancel();
}
Task<> until_quit(TaskScope& scope, Steps& steps) {
    scope.spawn(quits, std::ref(scope));
    scope.spawn(waits, std::ref(steps), "child");
    co_await sleep(test::an_hour);
}
Task<> scope_cancel() {
    Steps steps;
    co_await with_scope(until_quit, std::ref(steps));
    CHECK(steps == Steps{"child Cancelled: requested"});
}
TEST_CASE("scope.cancel() ends the body and every task, and with_scope() returns") {
    run_on(any_backend, scope_cancel);
}

Task<> serves(TaskScope& scope, Steps& steps) {
    scope.spawn(fails, 0, "one session");
    co_await settle();
    scope.spawn(works, std::ref(steps), "another", 1);
}
Task<> goes_on() {
    Steps steps;
    co_await with_scope(ScopePolicy::keep_going, serves, std::ref(steps));
    CHECK(steps == Steps{"another done"});
}
TEST_CASE("a scope that keeps going logs failures") {
    const CapturedLogs logs;
    run_on(any_backend, goes_on);
    CHECK(logs.count("one session") == 1);
    CHECK(logs.count("a task failed; its scope goes on") == 1);
}

// The argument refers to a local of the function that awaits the scope: it must be gone before that function goes on.
class Reporter {
public:
    Reporter(Steps& steps, std::string name) noexcept : steps_(&steps), name_(std::move(name)) {}
    Reporter(Reporter&& other) noexcept : steps_(std::exchange(other.steps_, nullptr)), name_(std::move(other.name_)) {}
    ~Reporter() {
        if (steps_) steps_->push_back(name_ + " destroyed");
    }

private:
    Steps* steps_;
    std::string name_;
};
Task<> by_value(Reporter) { co_await yield(); }
Task<> by_reference(const Reporter&) { co_await yield(); }
Task<> spawns_reporters(TaskScope& scope, Steps& steps) {
    scope.spawn(by_value, Reporter(steps, "value"));
    scope.spawn(by_reference, Reporter(steps, "reference"));
    co_return;
}
Task<> destroys_first() {
    Steps steps;
    co_await with_scope(spawns_reporters, std::ref(steps));
    steps.push_back("after the scope");
    CHECK(steps == Steps{"value destroyed", "reference destroyed", "after the scope"});
}
TEST_CASE("the arguments of tasks are destroyed before with_scope() returns") { run_on(any_backend, destroys_first); }

Task<> lambdas() {
    int sum = 0;
    co_await with_scope([&sum](TaskScope& scope) -> Task<> {
        for (int i = 1; i <= 3; ++i)
            scope.spawn([](int& to, int what) -> Task<> { co_await yield(), to += what; }, std::ref(sum), i);
        co_return;
    });
    CHECK(sum == 6);
}
TEST_CASE("the body may be a lambda that captures by reference") { run_on(any_backend, lambdas); }

Task<> nests(TaskScope& scope, int levels, int& count) {
    ++count;
    if (levels == 0) co_return;
    for (int i = 0; i < 2; ++i) scope.spawn(nests, std::ref(scope), levels - 1, std::ref(count));
    co_await yield();
}
Task<> spawned_by_tasks() {
    int count = 0;
    co_await with_scope(nests, 9, std::ref(count));
    CHECK(count == 1023);
}
TEST_CASE("tasks may spawn into their scope") { run_on(any_backend, spawned_by_tasks); }

Task<> counts(int& running, int& most, int& ended) {
    most = std::max(most, ++running);
    co_await yield();
    co_await yield();
    --running;
    ++ended;
}
Task<> spawns_many(TaskScope& scope, int& running, int& most, int& ended) {
    for (int i = 0; i < 20; ++i) {
        const JoinHandle<> handle =
            co_await scope.spawn_when_below(3, counts, std::ref(running), std::ref(most), std::ref(ended));
        CHECK(handle.is_valid());
    }
}
Task<> two_spawners(TaskScope& scope, int& running, int& most, int& ended) {
    scope.spawn(spawns_many, std::ref(scope), std::ref(running), std::ref(most), std::ref(ended));
    co_await spawns_many(scope, running, most, ended);
}
Task<> bounded() {
    int running = 0, most = 0, ended = 0;
    co_await with_scope(spawns_many, std::ref(running), std::ref(most), std::ref(ended));
    CHECK(most == 3);
    CHECK(ended == 20);
    most = ended = 0;
    co_await with_scope(two_spawners, std::ref(running), std::ref(most), std::ref(ended));
    CHECK(most <= 3);  // one of the spawners is a task of the scope, too
    CHECK(ended == 40);
}
LARIAT_BACKEND_TEST_CASE("spawn_when_below() keeps the number of tasks below its limit") {
    run_on(backend_kind, bounded);
}

Task<std::string> spawns_below(TaskScope& scope, std::size_t limit, Steps& steps, std::string name) {
    co_await scope.spawn_when_below(limit, works, std::ref(steps), name, 0);
    co_return name + " spawned";
}
Task<> withdraws_spawn(TaskScope& scope, Steps& steps) {
    CHECK_THROWS_AS((void)scope.spawn_when_below(0, works, std::ref(steps), "never", 0), UsageError);
    const JoinHandle<> child = scope.spawn(waits, std::ref(steps), "child");
    std::string first, second, third;
    const JoinHandle<> a = spawn(record, std::ref(first), spawns_below(scope, 1, steps, "a"));
    const JoinHandle<> b = spawn(record, std::ref(second), spawns_below(scope, 2, steps, "b"));
    co_await settle();
    CHECK(second == "nothing yet");  // not before the first, though there would be room
    a.cancel();
    co_await settle();
    CHECK(first == "Cancelled: requested");
    CHECK(second == "b spawned");
    const JoinHandle<> c = spawn(record, std::ref(third), spawns_below(scope, 1, steps, "c"));
    co_await settle();
    CHECK(third == "nothing yet");
    child.cancel();
    co_await settle();
    CHECK(third == "c spawned");
    CHECK(steps == Steps{"b done", "child Cancelled: requested", "c done"});
}
Task<> withdrawn() {
    Steps steps;
    co_await with_scope(withdraws_spawn, std::ref(steps));
}
TEST_CASE("spawn_when_below() serves in order, and a wait that is cancelled spawns nothing") {
    run_on(any_backend, withdrawn);
}

}  // namespace
}  // namespace lariat
