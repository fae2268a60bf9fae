// SPDX-License-Identifier: MIT
#include <lariat/coro/task.hpp>

#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::any_backend;
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

Task<int> number(int value) { co_return value; }
Task<std::string> text(std::string value) { co_return value; }
Task<std::unique_ptr<int>> owner(int value) { co_return std::make_unique<int>(value); }
Task<int&> reference(int& to) { co_return to; }
Task<> nothing() { co_return; }

Task<> gives_results() {
    CHECK(co_await number(3) == 3);
    CHECK(co_await text("long enough to live on the heap, surely") == "long enough to live on the heap, surely");
    const auto seven = co_await owner(7);
    CHECK(*seven == 7);
    int target = 1;
    (co_await reference(target)) = 2;
    CHECK(target == 2);
    co_await nothing();
    Task<int> named = number(4);
    CHECK(named.is_valid());
    CHECK(co_await std::move(named) == 4);
    CHECK_FALSE(named.is_valid());
}
TEST_CASE("a Task gives its result to whoever awaits it") { run_on(any_backend, gives_results); }

Task<> mark(bool& begun) {
    begun = true;
    co_return;
}
Task<> starts_late() {
    bool begun = false;
    Task<> task = mark(begun);
    CHECK_FALSE(begun);
    co_await std::move(task);
    CHECK(begun);
}
TEST_CASE("a Task does nothing before it is awaited") { run_on(any_backend, starts_late); }

Task<> holds(Counted) { co_return; }
Task<> holds_while_it_waits(Counted) { co_await yield(); }

TEST_CASE("a Task that is never started only destroys its parameters") {
    int alive = 0;
    {
        Task<> task = holds(Counted(alive));
        CHECK(alive == 1);
        task = holds(Counted(alive));
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}

Task<> parameters_die() {
    int alive = 0;
    co_await holds(Counted(alive));
    CHECK(alive == 0);
    Task<> task = holds_while_it_waits(Counted(alive));
    co_await std::move(task);
    CHECK(alive == 0);
}
TEST_CASE("what a Task holds is destroyed when its await is over") { run_on(any_backend, parameters_die); }

Task<int> fails_if(bool later) {
    if (later) co_await yield();
    throw ProtocolViolation("no");
}
Task<int> passes_on(bool later) { co_return co_await fails_if(later) + 1; }
Task<> sees_failure(bool later) {
    std::string caught;
    try {
        co_await passes_on(later);
    } catch (const ProtocolViolation& error) {
        caught = error.what();
    }
    CHECK(caught == "no");
}
TEST_CASE("an exception passes through every Task on its way") {
    run_on(any_backend, sees_failure, false);
    run_on(any_backend, sees_failure, true);
}

Task<> sums_up(int count) {
    long sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await number(1);
    CHECK(sum == count);
}
TEST_CASE("a loop of a million awaits that need no waiting runs in bounded stack") {
    run_on(any_backend, sums_up, 1'000'000);
}

Task<int> number_later(int value) {
    co_await yield();
    co_return value;
}
Task<> sums_up_later(int count) {
    long sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await number_later(1);
    CHECK(sum == count);
}
TEST_CASE("a loop of awaits that wait runs in bounded stack") { run_on(any_backend, sums_up_later, 200'000); }

Task<int> depth(int levels) {
    if (levels == 0) {
        co_await yield();
        co_return 0;
    }
    co_return 1 + co_await depth(levels - 1);
}
Task<> dives(int levels) { CHECK(co_await depth(levels) == levels); }
TEST_CASE("awaits nest like function calls") { run_on(any_backend, dives, 1000); }

// Gives the promise of the coroutine that awaits it.
class WhoAwaits {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <detail::LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        promise_ = &waiter.promise();
        return false;
    }
    [[nodiscard]] const detail::PromiseBase* await_resume() const noexcept { return promise_; }

private:
    const detail::PromiseBase* promise_ = nullptr;
};

Task<> collects_lines(std::vector<std::uint32_t>& lines) {
    const detail::PromiseBase* promise = co_await WhoAwaits();
    for (; promise; promise = promise->parent()) {
        if (std::string_view(promise->wait_file()) == __FILE__) lines.push_back(promise->wait_line());
    }
    lines.push_back(__LINE__ - 4);
}
Task<> passes_lines(std::vector<std::uint32_t>& lines) {
    co_await yield();
    co_await collects_lines(lines);
    lines.push_back(__LINE__ - 1);
}
Task<> knows_its_place() {
    std::vector<std::uint32_t> lines;
    co_await passes_lines(lines);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == lines[3]);
    CHECK(lines[1] == lines[4]);
    CHECK(lines[2] == __LINE__ - 4);
}
TEST_CASE("a Task knows who awaits it, and at which line each of them stands") { run_on(any_backend, knows_its_place); }

#if LARIAT_RECYCLE_FRAMES
TEST_CASE("frames are recycled") {
    void* const first = detail::allocate_frame(200);
    detail::release_frame(first, 200);
    void* const second = detail::allocate_frame(210);  // of the same size class
    CHECK(first == second);
    detail::release_frame(second, 210);
}
#endif

// A class that owns something may have coroutines as members, and stateless or reference-capturing lambdas may be
// coroutines: only temporaries are a danger.
struct Worker {
    std::string name;
    Task<std::string> greet(std::string whom) {
        co_await yield();
        co_return name + " greets " + whom;
    }
};
Task<> members_and_lambdas() {
    Worker worker{"Ann"};
    CHECK(co_await worker.greet("Bob") == "Ann greets Bob");
    const auto twice = [](int value) -> Task<int> { co_return value * 2; };
    CHECK(co_await twice(4) == 8);
    int base = 1;
    const auto add = [&base](int value) -> Task<int> { co_return base + value; };
    CHECK(co_await add(4) == 5);
}
TEST_CASE("members and lambdas may be coroutines") { run_on(any_backend, members_and_lambdas); }

}  // namespace
}  // namespace lariat
