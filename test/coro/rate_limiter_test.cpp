// SPDX-License-Identifier: MIT
// RateLimiter in virtual time, where every figure is exact.
#include <lariat/coro/rate_limiter.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace lariat {
namespace {

using test::record;
using test::run_on;

using Times = std::vector<std::int64_t>;

std::int64_t milliseconds_since(TimePoint start) {
    return (Reactor::current()->now() - start) / std::chrono::milliseconds(1);
}
Task<> takes(RateLimiter& limiter, std::int64_t count, Times& times, TimePoint start) {
    co_await limiter.acquire(count);
    times.push_back(milliseconds_since(start));
}
Task<std::string> takes_or_not(RateLimiter& limiter, std::int64_t count) {
    co_await limiter.acquire(count);
    co_return "taken";
}

Task<> steady() {
    RateLimiter limiter(100, 1s, 3);
    const TimePoint start = Reactor::current()->now();
    Times times;
    CHECK(limiter.available() == 3);
    for (int i = 0; i < 7; ++i) co_await takes(limiter, 1, times, start);
    CHECK(times == Times{0, 0, 0, 10, 20, 30, 40});
    CHECK(limiter.available() == 0);
    CHECK_FALSE(limiter.try_acquire());
    co_await sleep_until(start + 1s);
    CHECK(limiter.available() == 3);  // never more
    CHECK(limiter.try_acquire(2));
    CHECK(limiter.available() == 1);
}
TEST_CASE("a burst passes at once, the rest at the rate") { run_on(io::BackendKind::sim, steady); }

Task<> in_order() {
    RateLimiter limiter(1, 1s, 5);
    const TimePoint start = Reactor::current()->now();
    CHECK(limiter.try_acquire(5));
    Times many, few;
    const JoinHandle<> first = spawn(takes, std::ref(limiter), 4, std::ref(many), start);
    const JoinHandle<> second = spawn(takes, std::ref(limiter), 1, std::ref(few), start);
    co_await sleep_until(start + 2s);
    CHECK_FALSE(limiter.try_acquire());  // those who wait come first
    co_await second;
    CHECK(many == Times{4000});
    CHECK(few == Times{5000});
    CHECK(first.is_done());
}
TEST_CASE("one that wants many tokens is not overtaken") { run_on(io::BackendKind::sim, in_order); }

Task<> gives_up() {
    RateLimiter limiter(1, 1s, 5);
    const TimePoint start = Reactor::current()->now();
    CHECK(limiter.try_acquire(5));
    Times times;
    std::string outcome;
    const JoinHandle<> huge = spawn(record, std::ref(outcome), takes_or_not(limiter, 5));
    const JoinHandle<> small = spawn(takes, std::ref(limiter), 1, std::ref(times), start);
    co_await sleep_until(start + 2500ms);
    huge.cancel();
    co_await small;
    CHECK(outcome == "Cancelled: requested");
    CHECK(times == Times{2500});  // at once: two tokens had come
    CHECK(limiter.available() == 1);
    co_await record(outcome, with_timeout(500ms, takes_or_not(limiter, 5)));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 500 ms");
    CHECK(limiter.available() == 2);
}
TEST_CASE("one that gives up takes nothing, and those behind go on") { run_on(io::BackendKind::sim, gives_up); }

Task<std::string> in_cancelled_task(RateLimiter& limiter) {
    co_await as_result(sleep(test::an_hour));
    co_await limiter.acquire();
    co_return "taken";
}
Task<std::string> in_time(RateLimiter& limiter) {
    co_await limiter.acquire();
    co_return "taken";
}
Task<> cancelled() {
    RateLimiter limiter(1, 1s, 1);
    std::string outcome;
    const JoinHandle<> refused = spawn(record, std::ref(outcome), in_cancelled_task(limiter));
    refused.cancel();
    co_await refused;
    CHECK(outcome == "Cancelled: requested");
    CHECK(limiter.available() == 1);
    CHECK(limiter.try_acquire());
    // The token comes at the very time of the deadline.
    co_await record(outcome, with_timeout(1s, in_time(limiter)));
    CHECK(outcome == "taken");
}
TEST_CASE("a cancelled task takes no token; one that comes as the deadline passes is delivered") {
    run_on(io::BackendKind::sim, cancelled);
}

Task<> on_each_backend() {
    RateLimiter limiter(1000, 1s, 1);
    const TimePoint start = Reactor::current()->now();
    for (int i = 0; i < 4; ++i) co_await limiter.acquire();
    CHECK(Reactor::current()->now() - start >= 3ms);
    CHECK_THROWS_AS((void)limiter.acquire(2), UsageError);
    CHECK_THROWS_AS((void)limiter.try_acquire(2), UsageError);
    CHECK_THROWS_AS((void)limiter.try_acquire(-1), UsageError);
    CHECK_THROWS_AS(RateLimiter(0, 1s, 1), UsageError);
    CHECK_THROWS_AS(RateLimiter(1, 1s, 0), UsageError);
    CHECK_THROWS_AS(RateLimiter(2, 1ns, 1), UsageError);
    CHECK_THROWS_AS(RateLimiter(1, 1s, std::int64_t{1} << 62), UsageError);
}
LARIAT_BACKEND_TEST_CASE("tokens do not come too early") { run_on(backend_kind, on_each_backend); }

}  // namespace
}  // namespace lariat
