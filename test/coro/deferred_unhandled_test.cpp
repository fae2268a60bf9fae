// SPDX-License-Identifier: MIT
// Failures that nobody handled are reported when the last handle goes, exactly once.
#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace lariat {
namespace {

using test::KeyError;
using test::ValueError;
using test::ZeroDivisionError;

constexpr std::string_view headline = "Unhandled error in Deferred";

TEST_CASE("D14 a dropped failure is one critical event with the failure and the place of creation") {
    CapturedLogs logs;
    { auto dropped = fail(ValueError("why")); }
    const std::string line = "deferred_unhandled_test.cpp:" + std::to_string(__LINE__ - 1);
    REQUIRE(logs.events().size() == 1);
    CHECK(logs.events()[0].level == LogLevel::critical);
    CHECK(logs.count(headline) == 1);
    CHECK(logs.count("ValueError: why") == 1);
    CHECK(logs.count(line) == 1);
    CHECK(Failure(logs.events()[0].error).check<ValueError>());
}

TEST_CASE("D14 a failure is reported once the last of several handles goes") {
    CapturedLogs logs;
    auto first = fail(KeyError());
    {
        auto second = first;
        first = Deferred<>();
        CHECK(logs.events().empty());
    }
    CHECK(logs.count(headline) == 1);
}

TEST_CASE("D14 a failure that arrives after everybody has gone is reported at once") {
    CapturedLogs logs;
    Deferred<int> source;
    Deferred(source).add_callback([](int x) { return std::to_string(x); }).add_callback([](std::string) {});
    source.errback(KeyError("late"));
    CHECK(logs.events().empty());
    source = Deferred<int>();
    CHECK(logs.count("KeyError: late") == 1);
    CHECK(logs.events().size() == 1);
}

TEST_CASE("D14 chaining moves the responsibility to the outer Deferred") {
    CapturedLogs logs;
    Deferred<> inner;
    auto outer = succeed();
    outer.add_callback([&] { return inner; });
    inner.errback(KeyError());
    inner = Deferred<>();
    CHECK(logs.events().empty());
    outer.add_errback([](const Failure&) {});
    outer = Deferred<>();
    CHECK(logs.events().empty());
}

TEST_CASE("D14 an unfired Deferred that is dropped with its callbacks says nothing and frees them") {
    CapturedLogs logs;
    const auto captured = std::make_shared<int>(1);
    {
        Deferred<int> d;
        d.add_callback([captured](int x) { return x; });
        Deferred(d).add_callback([captured](int) { return std::string(); }).add_callback([captured](std::string) {});
        CHECK(captured.use_count() == 4);
    }
    CHECK(captured.use_count() == 1);
    CHECK(logs.events().empty());
}

TEST_CASE("I10 a Deferred that waits for one which nobody can fire any more is told so") {
    CapturedLogs logs;
    Deferred<int> outer;
    bool abandoned = false;
    {
        Deferred<int> inner;
        outer.add_callback([inner](int) { return inner; });
        outer.add_errback([&](const Failure& f) { return abandoned = f.check<AbandonedError>(), 0; });
        outer.callback(1);
        CHECK(outer.paused() == 1);
    }
    CHECK(abandoned);
    CHECK(logs.events().empty());
}

TEST_CASE("I10 a wait that nobody can end or cancel is ended and reported") {
    CapturedLogs logs;
    {
        Deferred<> outer;
        outer.add_callback([] { return Deferred<>([] {}); });
        outer.callback();
    }
    CHECK(logs.count("AbandonedError") == 1);
}

TEST_CASE("D14 callbacks are destroyed as soon as they have run") {
    const auto captured = std::make_shared<int>(1);
    Deferred<> d;
    d.add_callback([captured] {});
    d.add_callback([captured] {});
    CHECK(captured.use_count() == 3);
    d.add_callback([&] { CHECK(captured.use_count() == 1); });
    d.callback();
    CHECK(captured.use_count() == 1);
}

}  // namespace
}  // namespace lariat
