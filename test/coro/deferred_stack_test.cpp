// SPDX-License-Identifier: MIT
// 100,000 levels of everything, in bounded stack, in every build mode.
#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace lariat {
namespace {

constexpr int levels = 100'000;

TEST_CASE("D08 a chain of 100000 Deferreds that wait for the next") {
    Deferred<int> head;
    Deferred<int> d = head;
    for (int i = 0; i < levels; ++i) {
        Deferred<int> next;
        next.add_callback([waited = d](int) { return waited; });
        next.callback(0);
        d = next;
    }
    int got = 0;
    d.add_callback([&](int x) { return got = x; });
    head.callback(7);
    CHECK(got == 7);
}

TEST_CASE("D08 the same chain with callbacks left on every inner Deferred") {
    int got = 0, remaining = 0;
    Deferred<int> head;
    Deferred<int> d = head;
    for (int i = 0; i < levels; ++i) {
        Deferred<int> next;
        next.add_callback([waited = d](int) { return waited; });
        next.callback(0);
        d.add_callback([&](int x) { return ++remaining, x; });
        d = next;
    }
    d.add_callback([&](int x) { return got = x; });
    head.callback(7);
    CHECK(got == 7);
    CHECK(remaining == levels);
}

TEST_CASE("D08 100000 callbacks that return fired Deferreds") {
    Deferred<int> d;
    for (int i = 0; i < levels; ++i) d.add_callback([](int x) { return succeed(x + 1); });
    d.callback(0);
    int got = 0;
    d.add_callback([&](int x) { return got = x; });
    CHECK(got == levels);
}

TEST_CASE("D08 100000 changes of type") {
    Deferred<int> d;
    auto head = d;
    for (int i = 0; i < levels / 2; ++i) {
        d = std::move(d).add_callback([](int x) { return long{x} + 1; }).add_callback([](long x) {
            return int(x) + 1;
        });
    }
    head.callback(0);
    int got = 0;
    d.add_callback([&](int x) { return got = x; });
    CHECK(got == levels);
}

TEST_CASE("D10 a chain_deferred chain of 100000") {
    std::vector<Deferred<int>> all(levels);
    for (std::size_t i = 0; i + 1 < all.size(); ++i) all[i] = Deferred<int>();
    for (std::size_t i = 0; i + 1 < all.size(); ++i) all[i].chain_deferred(all[i + 1]);
    int got = 0;
    all.back().add_callback([&](int x) { return got = x; });
    all.front().callback(7);
    CHECK(got == 7);
}

Deferred<int> level(Deferred<int> d) { co_return co_await std::move(d) + 1; }

TEST_CASE("I10 100000 nested waiting coroutines complete in bounded stack") {
    Deferred<int> leaf;
    Deferred<int> d = leaf;
    for (int i = 0; i < levels; ++i) d = level(std::move(d));
    int got = 0;
    d.add_callback([&](int x) { return got = x; });
    leaf.callback(0);
    CHECK(got == levels);
}

TEST_CASE("I10 100000 nested waiting coroutines fail, are cancelled and are abandoned in bounded stack") {
    CapturedLogs logs;
    for (const int how : {0, 1, 2}) {
        Failure failure;
        Deferred<int> leaf;
        Deferred<int> d = leaf;
        for (int i = 0; i < levels; ++i) d = level(std::move(d));
        d.add_errback([&](const Failure& f) { return failure = f, 0; });
        if (how == 0) leaf.errback(test::KeyError());
        if (how == 1) d.cancel();
        if (how == 2) leaf = Deferred<int>();
        CHECK(failure.check<test::KeyError, Cancelled, AbandonedError>());
    }
    CHECK(logs.events().empty());
}

Deferred<long> sum_of_fired() {
    long total = 0;
    for (int i = 0; i < levels; ++i) total += co_await succeed(1);
    co_return total;
}

Deferred<long> sum_of_coroutines() {
    long total = 0;
    for (int i = 0; i < levels; ++i) total += co_await level(succeed(0));
    co_return total;
}

TEST_CASE("I04 awaiting 100000 fired Deferreds in a loop") {
    long got = 0;
    sum_of_fired().add_callback([&](long x) { got = x; });
    CHECK(got == levels);
    sum_of_coroutines().add_callback([&](long x) { got += x; });
    CHECK(got == 2L * levels);
}

TEST_CASE("D08 destroying 100000 Deferreds that hold each other does not recurse") {
    Deferred<int> d;
    for (int i = 0; i < levels; ++i) {
        Deferred<int> next;
        next.add_callback([held = std::move(d)](int) { return held; });
        d = std::move(next);
    }
    d = Deferred<int>();
    Deferred<> waiting;
    for (int i = 0; i < levels; ++i) {
        auto next = succeed();
        next.add_callback([held = std::move(waiting)] { return held; });
        waiting = std::move(next);
    }
    CapturedLogs logs;
    waiting = Deferred<>();
    CHECK(logs.count("AbandonedError") <= 1);
}

}  // namespace
}  // namespace lariat
