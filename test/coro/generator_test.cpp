// SPDX-License-Identifier: MIT
#include <lariat/coro/as_result.hpp>
#include <lariat/coro/async_generator.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/test/support/verbs.hpp>

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

// Counts its objects, to see when they die.
class Counted {
public:
    explicit Counted(int& alive) noexcept : alive_(&alive) { ++*alive_; }
    Counted(Counted&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)) {}
    ~Counted() {
        if (alive_) --*alive_;
    }

private:
    int* alive_;
};

AsyncGenerator<int> counts(int to) {
    for (int i = 0; i < to; ++i) {
        if (i % 2 == 1) co_await yield();
        co_yield i;
    }
}
AsyncGenerator<std::unique_ptr<int>> owners(int to) {
    auto inner = counts(to);
    while (const auto number = co_await inner.next()) co_yield std::make_unique<int>(*number);
}
AsyncGenerator<std::string> texts() {
    const std::string kept = "a text that does not fit into the object";
    co_yield kept;
    co_yield kept + ", twice";
}

Task<> gives_values() {
    auto numbers = counts(4);
    std::vector<int> got;
    while (const auto number = co_await numbers.next()) got.push_back(*number);
    CHECK(got == std::vector{0, 1, 2, 3});
    const auto after = co_await numbers.next();
    CHECK_FALSE(after.has_value());
    auto owned = owners(3);
    int sum = 0;
    while (const auto number = co_await owned.next()) sum += **number;
    CHECK(sum == 3);
    auto lines = texts();
    const auto first = co_await lines.next();
    CHECK(*first == "a text that does not fit into the object");
    const auto second = co_await lines.next();
    CHECK(*second == "a text that does not fit into the object, twice");
}
LARIAT_BACKEND_TEST_CASE("a generator gives its values one by one, and may wait in between") {
    run_on(backend_kind, gives_values);
}

AsyncGenerator<int> begins(bool& begun, Counted) {
    begun = true;
    co_yield 1;
}
AsyncGenerator<int> holds(int& alive) {
    const Counted local(alive);
    co_yield 1;
    co_yield 2;
}
Task<> left_early() {
    int alive = 0;
    bool begun = false;
    {
        auto unused = begins(begun, Counted(alive));
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
    CHECK_FALSE(begun);
    {
        auto numbers = holds(alive);
        CHECK(alive == 0);
        const auto first = co_await numbers.next();
        CHECK(*first == 1);
        CHECK(alive == 1);
        auto moved = std::move(numbers);
        const auto second = co_await moved.next();
        CHECK(*second == 2);
        moved = holds(alive);
        CHECK(alive == 0);
    }
    CHECK(alive == 0);
}
TEST_CASE("a generator runs only when asked, and may be destroyed between values") { run_on(any_backend, left_early); }

AsyncGenerator<int> fails() {
    co_yield 1;
    co_await yield();
    throw ProtocolViolation("no more");
}
Task<> failures() {
    auto numbers = fails();
    const auto first = co_await numbers.next();
    CHECK(*first == 1);
    const auto second = co_await as_result(numbers.next());
    CHECK(second.failure().error_message() == "no more");
    CHECK(second.failure().traceback().find("generator_test.cpp") != std::string::npos);
    const auto third = co_await numbers.next();
    CHECK_FALSE(third.has_value());
}
TEST_CASE("what leaves a generator is thrown by next(), once") { run_on(any_backend, failures); }

Task<int> sum_of(AsyncGenerator<int> numbers) {
    int sum = 0;
    while (const auto number = co_await numbers.next()) sum += *number;
    co_return sum;
}
AsyncGenerator<int> many() {
    for (int i = 0; i < 200'000; ++i) co_yield 1;
}
Task<> long_loop() { CHECK(co_await sum_of(many()) == 200'000); }
TEST_CASE("a long loop over a generator that never waits runs in bounded stack") { run_on(any_backend, long_loop); }

class NextVerb final : public test::Verb {
    const char* name() const override { return "AsyncGenerator::next"; }
    static AsyncGenerator<int> each_event(Event& event) {
        while (true) {
            co_await event.wait();
            event.reset();
            co_yield 1;
        }
    }
    Task<> wait() override {
        auto numbers = each_event(event_);
        const auto value = co_await numbers.next();
        CHECK(value == 1);
    }
    void complete() override { event_.set(); }
    Event event_;
};
constexpr test::MakeVerb generator_verbs[] = {test::make_verb<NextVerb>};
LARIAT_VERB_TEST_CASES("next() of a generator", generator_verbs)

}  // namespace
}  // namespace lariat
