// SPDX-License-Identifier: MIT
// Several Deferreds of different types.
#include <lariat/coro/deferred_tuple.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>

namespace lariat {
namespace {

using test::KeyError;
using test::short_type;
using test::Transcript;

TEST_CASE("D19 gather_results of different types gives a tuple of values when the last has fired") {
    Deferred<int> number;
    Deferred<std::string> text;
    Deferred<> nothing;
    std::string got;
    gather_results(number, text, nothing, succeed(std::make_unique<int>(3))).add_callback([&](auto all) {
        got = std::to_string(std::get<0>(all)) + " " + std::get<1>(all) + " " + std::to_string(*std::get<3>(all));
    });
    nothing.callback();
    text.callback("two");
    CHECK(got.empty());
    number.callback(1);
    CHECK(got == "1 two 3");
}

TEST_CASE("D19 gather_results of different types fails with the first failure and leaves the others alone") {
    CapturedLogs logs;
    Transcript out;
    {
        Deferred<int> number([&] { out.say("never cancelled"); });
        Deferred<std::string> text;
        auto all = gather_results(number, text);
        all.add_errback([&](const Failure& f) {
            const auto* first = f.value<FirstError>();
            out.say(short_type(f), first->index(), short_type(first->sub_failure()));
        });
        text.errback(KeyError());
        number.errback(KeyError());
    }
    CHECK(out.text() == "FirstError 1 KeyError\n");
    CHECK(logs.events().empty());
}

TEST_CASE("D16 D17 deferred_tuple gives each outcome; children keep failures that it does not consume") {
    CapturedLogs logs;
    Transcript out;
    for (const bool consume : {true, false}) {
        DeferredListOptions options;
        options.consume_errors = consume;
        deferred_tuple(options, succeed(1), fail<std::string>(KeyError())).add_callback([&](const auto& all) {
            out.say(*std::get<0>(all), short_type(std::get<1>(all).failure()));
        });
        out.say("unhandled:", logs.count("KeyError"));
    }
    CHECK(out.text() == "1 KeyError\nunhandled: 0\n1 KeyError\nunhandled: 1\n");
    DeferredListOptions first;
    first.fire_on_one_callback = true;
    CHECK_THROWS_AS(deferred_tuple(first, succeed(1)), UsageError);
}

TEST_CASE("D18 cancelling a tuple of Deferreds cancels all, in order, whatever cancellers throw") {
    CapturedLogs logs;
    Transcript out;
    Deferred<int> number([&] {
        out.say("first");
        throw KeyError("from the canceller");
    });
    Deferred<std::string> text([&] { out.say("second"); });
    DeferredListOptions options;
    options.consume_errors = true;
    auto all = deferred_tuple(options, number, text);
    all.cancel();
    CHECK(out.text() == "first\nsecond\n");
    CHECK(logs.count("from the canceller") == 1);
    CHECK_FALSE(all.called());
    number.callback(1);
    CHECK(all.called());
}

TEST_CASE("D16 a tuple that everybody forgot is freed with its children") {
    CapturedLogs logs;
    const auto held = std::make_shared<int>(1);
    {
        auto all = gather_results(Deferred<int>([held] {}), Deferred<>([held] {}));
        CHECK(held.use_count() == 3);
    }
    CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace lariat
