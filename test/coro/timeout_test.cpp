// SPDX-License-Identifier: MIT
// with_timeout, with_deadline, as_result, shield, checkpoint.
#include <lariat/coro/as_result.hpp>
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/deferred_task.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/when_all.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <memory>
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

Task<std::string> sleeps(Steps& steps, std::string name) {
    const Outcome<> slept = co_await as_result(sleep(test::an_hour));
    if (slept) co_return "slept";
    const auto* cancelled = slept.failure().value<Cancelled>();
    REQUIRE(cancelled != nullptr);
    steps.push_back(name + " " + std::string(to_string(cancelled->reason())));
    slept.failure().raise();
}
Task<std::string> at_once(std::string text) { co_return text; }
Task<int&> refers(int& to) {
    co_await yield();
    co_return to;
}
Task<> rests() { co_await sleep(test::an_hour); }

Task<> limits() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, with_timeout(1ms, sleeps(steps, "a")));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    co_await record(outcome, with_timeout(0s, sleeps(steps, "at once")));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 0 s");
    CHECK(std::exchange(steps, {}) == Steps{"a deadline", "at once deadline"});
    const TimePoint soon = Reactor::current()->now() + 1ms;
    co_await record(outcome, with_deadline(soon, sleeps(steps, "b")));
    CHECK(outcome == "TimedOut: with_deadline() timed out");
    CHECK(Reactor::current()->now() >= soon);
    CHECK(steps == Steps{"b deadline"});
    co_await record(outcome, with_timeout(test::an_hour, at_once("a text that does not fit into the object")));
    CHECK(outcome == "a text that does not fit into the object");
    int target = 1;
    (co_await with_timeout(test::an_hour, refers(target))) = 2;
    CHECK(target == 2);
    co_await sleep_until(soon);
    // A limit that is past: what needs no waiting is done, what waits is not.
    co_await record(outcome, with_deadline(soon, at_once("done")));
    CHECK(outcome == "done");
    co_await record(outcome, with_timeout(-1s, sleeps(steps, "c")));
    CHECK(outcome.find("TimedOut") == 0);
}
LARIAT_BACKEND_TEST_CASE("with_timeout() and with_deadline() interrupt a task and throw TimedOut") {
    run_on(backend_kind, limits);
}

Task<std::string> inner_passes(Steps& steps) {
    std::string inner;
    co_await record(inner, with_timeout(1ms, sleeps(steps, "inner")));
    steps.push_back(inner);
    co_return co_await sleeps(steps, "outer");  // the limit around it still counts
}
Task<std::string> inner_stands(Steps& steps) {
    std::string inner;
    co_await record(inner, with_timeout(test::an_hour, sleeps(steps, "inner")));
    steps.push_back(inner);
    co_await checkpoint();
    co_return "went on";
}
Task<> nested() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, with_timeout(3ms, inner_passes(steps)));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 3 ms");
    CHECK(steps == Steps{"inner deadline", "TimedOut: with_timeout() timed out after 1 ms", "outer deadline"});
    steps.clear();
    co_await record(outcome, with_timeout(2ms, inner_stands(steps)));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 2 ms");
    CHECK(steps == Steps{"inner deadline", "Cancelled: deadline"});
}
LARIAT_BACKEND_TEST_CASE("of nested limits the one that passes is TimedOut in its own scope only") {
    run_on(backend_kind, nested);
}

Task<std::string> slow_to_end() {
    co_await as_result(rests());
    co_await as_result(shield(with_timeout(4ms, rests())));
    co_await checkpoint();
    co_return "went on";
}
Task<std::string> keeps_inner(std::string& inner) {
    co_await record(inner, with_timeout(2ms, slow_to_end()));
    co_await checkpoint();
    co_return "went on";
}
Task<> outer_passes_first() {
    std::string inner, outer;
    co_await record(outer, with_timeout(1ms, keeps_inner(inner)));
    CHECK(inner == "Cancelled: deadline");  // its own limit passed, too, but ended nothing
    CHECK(outer == "TimedOut: with_timeout() timed out after 1 ms");
}
LARIAT_BACKEND_TEST_CASE("a limit that passes in a task which is ending already is not what ended it") {
    run_on(backend_kind, outer_passes_first);
}

Task<std::string> waits_for_all(Steps& steps) {
    co_await when_all(sleeps(steps, "one"), with_timeout(test::an_hour, sleeps(steps, "two")));
    co_return "returned";
}
Task<> whole_tree() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, with_timeout(1ms, waits_for_all(steps)));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    CHECK(steps == Steps{"one deadline", "two deadline"});
}
LARIAT_BACKEND_TEST_CASE("a limit reaches everything a task waits for") { run_on(backend_kind, whole_tree); }

Task<> cancelled_from_outside() {
    Steps steps;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), with_timeout(test::an_hour, sleeps(steps, "inner")));
    co_await yield();
    job.cancel(CancelReason::shutdown);
    co_await job;
    CHECK(outcome == "Cancelled: shutdown");
    CHECK(steps == Steps{"inner shutdown"});
}
TEST_CASE("a cancellation from outside passes a limit as what it is") { run_on(any_backend, cancelled_from_outside); }

Task<std::string> succeeds_all_the_same() {
    co_await as_result(rests());
    co_return "cleaned up";
}
Task<std::string> fails_in_cleanup() {
    co_await as_result(rests());
    throw ProtocolViolation("in cleanup");
}
Task<> believed() {
    std::string outcome;
    co_await record(outcome, with_timeout(1ms, succeeds_all_the_same()));
    CHECK(outcome == "cleaned up");
    co_await record(outcome, with_timeout(1ms, fails_in_cleanup()));
    CHECK(outcome == "ProtocolViolation: in cleanup");
}
LARIAT_BACKEND_TEST_CASE("behind its limit a task may still succeed, or fail in its own way") {
    run_on(backend_kind, believed);
}

Deferred<std::string> as_deferred(Steps& steps, Duration limit) {
    std::string outcome;
    co_await record(outcome, with_timeout(limit, sleeps(steps, "task")));
    co_return outcome;
}
Task<> in_a_deferred() {
    Steps steps;
    CHECK(co_await as_deferred(steps, 1ms) == "TimedOut: with_timeout() timed out after 1 ms");
    Deferred<std::string> d = as_deferred(steps, test::an_hour);
    d.cancel();
    CHECK(co_await d == "Cancelled: requested");
    CHECK(steps == Steps{"task deadline", "task requested"});
}
LARIAT_BACKEND_TEST_CASE("a limit works in a function that returns Deferred, and its cancel reaches the task") {
    run_on(backend_kind, in_a_deferred);
}

Deferred<std::string> outcomes_in_a_deferred() {
    const Outcome<> late = co_await as_result(sleep(test::an_hour).within(1ms));
    const Outcome<std::string> text = co_await as_result(at_once("text"));
    co_return late.failure().error_message() + ", " + *text;
}

Task<int> fails() {
    co_await checkpoint();
    throw ProtocolViolation("no");
}
Task<> outcomes() {
    const Outcome<int> failed = co_await as_result(fails());
    CHECK_FALSE(failed);
    CHECK(failed.check<ProtocolViolation>());
    CHECK(failed.failure().traceback().find("fails") != std::string::npos);
    const Outcome<std::string> text = co_await as_result(at_once("a text that does not fit into the object"));
    CHECK(*text == "a text that does not fit into the object");
    CHECK(co_await as_result(yield()));
    const Outcome<> late = co_await as_result(sleep(test::an_hour).within(1ms));
    CHECK(late.check<TimedOut>());
    Deferred<int> d;
    d.callback(3);
    CHECK(*co_await as_result(d) == 3);
    CHECK(co_await outcomes_in_a_deferred() == "sleep timed out after 1 ms, text");
    const Outcome<int> lost = co_await as_result(fail<int>(ProtocolViolation("in a Deferred")));
    CHECK(lost.failure().error_message() == "in a Deferred");
    const JoinHandle<int> job = spawn(fails);
    CHECK((co_await as_result(job)).check<ProtocolViolation>());
    Outcome<std::unique_ptr<int>> owner =
        co_await as_result([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); }());
    CHECK(**owner == 4);
}
LARIAT_BACKEND_TEST_CASE("as_result() gives what an await gave or threw") { run_on(backend_kind, outcomes); }

Task<std::string> cleans_up(Steps& steps, Event& cleaned) {
    co_await as_result(rests());
    co_await shield([](Event& event) -> Task<> { co_await event.wait(); }(cleaned));
    steps.push_back("cleaned");
    co_await yield();
    co_return "went on";
}
Task<> shielded() {
    Steps steps;
    Event cleaned;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), cleans_up(steps, cleaned));
    job.cancel();
    co_await settle();
    CHECK(outcome == "nothing yet");  // waits, though it is cancelled
    cleaned.set();
    co_await job;
    CHECK(steps == Steps{"cleaned"});
    CHECK(outcome == "Cancelled: requested");
}
LARIAT_BACKEND_TEST_CASE("what is shielded waits in a cancelled task too, and what follows it does not") {
    run_on(backend_kind, shielded);
}

Task<std::string> shields_first(Steps& steps, Event& go) {
    const auto number = [](Event& event) -> Task<int> {
        co_await event.wait();
        co_return 5;
    };
    if (co_await shield(number(go)) == 5) steps.push_back("delivered");
    co_await checkpoint();
    co_return "went on";
}
Task<> cancelled_behind_shield() {
    Steps steps;
    Event go;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), shields_first(steps, go));
    co_await yield();
    job.cancel(CancelReason::shutdown);
    co_await settle();
    CHECK(outcome == "nothing yet");
    go.set();
    co_await job;
    CHECK(steps == Steps{"delivered"});
    CHECK(outcome == "Cancelled: shutdown");
}
LARIAT_BACKEND_TEST_CASE("a cancellation that finds a shield is remembered") {
    run_on(backend_kind, cancelled_behind_shield);
}

Task<std::string> limited_cleanup(Steps& steps) {
    co_await as_result(rests());
    std::string outcome;
    co_await record(outcome, shield(with_timeout(1ms, sleeps(steps, "goodbye"))));
    co_return outcome;
}
Task<> limit_inside_shield() {
    Steps steps;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), limited_cleanup(steps));
    job.cancel();
    co_await job;
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    CHECK(steps == Steps{"goodbye deadline"});
}
LARIAT_BACKEND_TEST_CASE("a limit inside a shield counts") { run_on(backend_kind, limit_inside_shield); }

Task<std::string> shield_inside_limit(Steps& steps) {
    co_await shield([](Steps& log) -> Task<> {
        co_await as_result(with_timeout(4ms, rests()));
        log.push_back("slept");
    }(steps));
    co_await checkpoint();
    co_return "went on";
}
Task<> limit_around_shield() {
    Steps steps;
    std::string outcome;
    co_await record(outcome, with_timeout(1ms, shield_inside_limit(steps)));
    CHECK(steps == Steps{"slept"});
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
}
LARIAT_BACKEND_TEST_CASE("a limit around a shield ends what follows the shield") {
    run_on(backend_kind, limit_around_shield);
}

Task<std::string> computes(int& rounds, JoinHandle<>& self) {
    co_await yield();
    for (rounds = 0; rounds < 10; ++rounds) {
        if (rounds == 3) self.cancel();
        co_await checkpoint();
    }
    co_return "went on";
}
Task<> checks() {
    int rounds = 0;
    std::string outcome;
    JoinHandle<> job;
    job = spawn(record, std::ref(outcome), computes(rounds, job));
    co_await job;
    CHECK(rounds == 3);
    CHECK(outcome == "Cancelled: requested");
}
TEST_CASE("checkpoint() throws in a cancelled task and goes on at once elsewhere") { run_on(any_backend, checks); }

}  // namespace
}  // namespace lariat
