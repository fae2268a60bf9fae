// SPDX-License-Identifier: MIT
// when_all, when_any, race, as_completed: results, failures, and the losers, which have always ended.
#include <lariat/coro/as_completed.hpp>
#include <lariat/coro/race.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/when_all.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/verbs.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
using test::record;
using test::run_on;
using test::settle;

Task<int> after(int turns, int value) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return value;
}
Task<std::string> text_after(int turns, std::string value) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return value;
}
Task<std::unique_ptr<int>> owner_after(int turns, int value) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return std::make_unique<int>(value);
}
Task<> pass(int turns) {
    for (int i = 0; i < turns; ++i) co_await yield();
}
Task<int> fails_after(int turns, std::string what) {
    for (int i = 0; i < turns; ++i) co_await yield();
    throw ProtocolViolation(what);
}
// Says when it has ended, some turns after it was asked to.
Task<int> lingers(std::vector<std::string>& steps) {
    const Outcome<> slept = co_await as_result(sleep(test::an_hour));
    co_await shield(pass(3));
    steps.push_back(slept.check<Cancelled>() ? "ended" : "slept");
    slept.value();
    co_return 0;
}
Task<int> counts(int& begun) {
    ++begun;
    co_await yield();
    co_return begun;
}
template <class T>
std::vector<Task<T>> list(Task<T> a, Task<T> b, Task<T> c) {
    std::vector<Task<T>> tasks;
    tasks.push_back(std::move(a));
    tasks.push_back(std::move(b));
    tasks.push_back(std::move(c));
    return tasks;
}

Task<> gives_all() {
    auto results = co_await when_all(after(3, 1), text_after(0, "a text that does not fit into the object"), pass(1),
                                     owner_after(2, 7));
    CHECK(std::get<0>(results) == 1);
    CHECK(std::get<1>(results) == "a text that does not fit into the object");
    CHECK(*std::get<3>(results) == 7);
    const std::vector<int> of_list = co_await when_all(list(after(3, 1), after(0, 2), after(1, 3)));
    CHECK(of_list == std::vector{1, 2, 3});
    co_await when_all(pass(1), pass(0));
    co_await when_all(std::vector<Task<>>());
    CHECK((co_await when_all(std::vector<Task<int>>())).empty());
    co_await when_all();
}
LARIAT_BACKEND_TEST_CASE("when_all() gives the results in the order of the tasks") { run_on(backend_kind, gives_all); }

Task<> run_side_by_side() {
    Event first, second;
    // Each waits for what the other does.
    const auto meets = [](Event& mine, Event& other) -> Task<> {
        mine.set();
        co_await other.wait();
    };
    co_await when_all(meets(first, second), meets(second, first));
}
TEST_CASE("when_all() runs its tasks side by side") { run_on(any_backend, run_side_by_side); }

Task<std::string> all_with_failure(std::vector<std::string>& steps) {
    co_await when_all(lingers(steps), fails_after(2, "first"), lingers(steps));
    co_return "returned";
}
Task<> failure_of_one() {
    std::vector<std::string> steps;
    std::string outcome;
    co_await record(outcome, all_with_failure(steps));
    CHECK(outcome == "ProtocolViolation: first");
    CHECK(steps == std::vector<std::string>{"ended", "ended"});
}
LARIAT_BACKEND_TEST_CASE("a failure cancels the others of when_all() and is thrown when they have ended") {
    run_on(backend_kind, failure_of_one);
}

Task<int> fails_in_cleanup(std::string what) {
    co_await as_result(sleep(test::an_hour));
    throw ProtocolViolation(what);
}
Task<std::string> all_fail() {
    co_await when_all(fails_after(1, "first"), fails_in_cleanup("in cleanup"));
    co_return "returned";
}
Task<> later_failures() {
    std::string outcome;
    co_await record(outcome, all_fail());
    CHECK(outcome == "ProtocolViolation: first");
}
TEST_CASE("failures behind the first of when_all() are logged") {
    const CapturedLogs logs;
    run_on(any_backend, later_failures);
    CHECK(logs.count("in cleanup") == 1);
    CHECK(logs.count("first") == 0);
}

Task<std::string> cancelled_and_failing() {
    co_await when_all(fails_in_cleanup("in cleanup"), after(600, 1));
    co_return "returned";
}
Task<> failure_over_cancellation() {
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), cancelled_and_failing());
    co_await yield();
    job.cancel();
    co_await job;
    CHECK(outcome == "ProtocolViolation: in cleanup");
}
TEST_CASE("a failure while when_all() is being cancelled is thrown, and not that it was cancelled") {
    run_on(any_backend, failure_over_cancellation);
}

Task<std::string> fails_at_once(int& begun) {
    co_await when_all(fails_after(0, "at once"), counts(begun));
    co_return "returned";
}
Task<> never_begun() {
    int begun = 0;
    std::string outcome;
    co_await record(outcome, fails_at_once(begun));
    CHECK(outcome == "ProtocolViolation: at once");
    CHECK(begun == 0);
    const auto won = co_await when_any(after(0, 5), counts(begun));
    CHECK(std::get<0>(won) == 5);
    CHECK(begun == 0);
}
TEST_CASE("tasks that had not begun when a group was decided never do") { run_on(any_backend, never_begun); }

Task<> all_outcomes() {
    const auto results = co_await when_all(as_result(fails_after(0, "no")), as_result(after(2, 4)));
    CHECK(std::get<0>(results).failure().error_message() == "no");
    CHECK(*std::get<1>(results) == 4);
}
TEST_CASE("when_all() of as_result() waits for all, whatever becomes of them") { run_on(any_backend, all_outcomes); }

Task<> first_to_end() {
    std::vector<std::string> steps;
    auto won = co_await when_any(lingers(steps), text_after(2, "a text that does not fit into the object"));
    CHECK(won.index() == 1);
    CHECK(std::get<1>(won) == "a text that does not fit into the object");
    CHECK(steps == std::vector<std::string>{"ended"});
    const auto of_list = co_await when_any(list(after(5, 1), after(9, 2), after(1, 3)));
    CHECK(of_list == std::pair<std::size_t, int>(2, 3));
    std::string outcome;
    co_await record(outcome, [](std::vector<std::string>& log) -> Task<std::string> {
        co_await when_any(lingers(log), fails_after(1, "came first"), after(3, 1));
        co_return "returned";
    }(steps));
    CHECK(outcome == "ProtocolViolation: came first");
    CHECK(steps.size() == 2);
    const auto empty = co_await as_result(when_any(std::vector<Task<int>>()));
    CHECK(empty.check<UsageError>());
}
LARIAT_BACKEND_TEST_CASE("when_any() gives what ends first, when the others have ended") {
    run_on(backend_kind, first_to_end);
}

Task<> first_to_succeed() {
    std::vector<std::string> steps;
    const auto won = co_await race(fails_after(0, "early"), lingers(steps), after(3, 8));
    CHECK(won.index() == 2);
    CHECK(std::get<2>(won) == 8);
    CHECK(steps == std::vector<std::string>{"ended"});
    CHECK(co_await race(list(fails_after(0, "a"), after(2, 1), after(4, 2))) == std::pair<std::size_t, int>(1, 1));
    const auto none = co_await as_result(race(list(fails_after(2, "a"), fails_after(0, "b"), fails_after(1, "c"))));
    const auto* group = none.failure().value<FailureGroup>();
    REQUIRE(group != nullptr);
    REQUIRE(group->failures().size() == 3);
    CHECK(group->failures()[0].error_message() == "a");
    CHECK(group->failures()[2].error_message() == "c");
}
LARIAT_BACKEND_TEST_CASE("race() gives what succeeds first, and all failures when nothing does") {
    run_on(backend_kind, first_to_succeed);
}

using Numbers = std::vector<int>;

Task<std::string> take_all(Completions<int>& results, Numbers& order) {
    std::string failures;
    while (auto next = co_await results.next()) {
        order.push_back(static_cast<int>(next->index()));
        if (!next->outcome()) failures += next->outcome().failure().error_message();
    }
    CHECK(results.left() == 0);
    co_return failures;
}
Task<> in_order_of_ends() {
    Numbers order;
    CHECK(co_await as_completed(list(after(4, 1), after(1, 2), fails_after(2, "third")), take_all, std::ref(order))
          == "third");
    CHECK(order == Numbers{1, 2, 0});
    CHECK(co_await as_completed(std::vector<Task<int>>(), take_all, std::ref(order)) == "");
}
LARIAT_BACKEND_TEST_CASE("as_completed() gives results in the order in which tasks end, failures among them") {
    run_on(backend_kind, in_order_of_ends);
}

Task<> take_one(Completions<int>& results, int& value) {
    const auto first = co_await results.next();
    value = *first->outcome();
    CHECK(results.left() == 2);
}
Task<> others_end_with_consumer() {
    std::vector<std::string> steps;
    int value = 0;
    co_await as_completed(list(lingers(steps), after(1, 5), lingers(steps)), take_one, std::ref(value));
    CHECK(value == 5);
    CHECK(steps == std::vector<std::string>{"ended", "ended"});
}
TEST_CASE("what a consumer of as_completed() does not wait for has ended when it returns") {
    run_on(any_backend, others_end_with_consumer);
}

// Verbs made of the combinators, which wait for an event.
class OnEvent : public test::Verb {
public:
    void complete() override { event_.set(); }

protected:
    Task<> passes() {
        co_await event_.wait();
        event_.reset();
    }
    Event event_;
};
Task<> never_ends() { co_await sleep(test::an_hour); }

class WhenAll final : public OnEvent {
    const char* name() const override { return "when_all"; }
    Task<> wait() override { co_await when_all(passes(), passes()); }
};
class WhenAny final : public OnEvent {
    const char* name() const override { return "when_any"; }
    Task<> wait() override { co_await when_any(never_ends(), passes()); }
};
class Race final : public OnEvent {
    const char* name() const override { return "race"; }
    Task<> wait() override { co_await race(never_ends(), passes()); }
};
class AsCompleted final : public OnEvent {
    const char* name() const override { return "as_completed"; }
    static Task<> take(Completions<void>& results) { *(co_await results.next())->outcome(); }
    Task<> wait() override {
        std::vector<Task<>> tasks;
        tasks.push_back(passes());
        co_await as_completed(std::move(tasks), take);
    }
};
class AsResult final : public OnEvent {
    const char* name() const override { return "as_result"; }
    Task<> wait() override {
        const Outcome<> outcome = co_await as_result(passes());
        if (!outcome) outcome.failure().raise();
    }
};
class WithTimeout final : public OnEvent {
    const char* name() const override { return "with_timeout"; }
    Task<> wait() override { co_await with_timeout(test::an_hour, passes()); }
};
constexpr test::MakeVerb combinators[] = {test::make_verb<WhenAll>,  test::make_verb<WhenAny>,
                                          test::make_verb<Race>,     test::make_verb<AsCompleted>,
                                          test::make_verb<AsResult>, test::make_verb<WithTimeout>};
LARIAT_VERB_TEST_CASES("a combinator", combinators)

}  // namespace
}  // namespace lariat
