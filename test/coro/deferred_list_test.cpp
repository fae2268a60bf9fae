// SPDX-License-Identifier: MIT
// DeferredList, gather_results and race beyond the scripts.
#include <lariat/coro/deferred_list.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace lariat {
namespace {

using test::KeyError;
using test::short_type;
using test::Transcript;
using test::ValueError;
using Text = Deferred<std::string>;
using List = DeferredList<std::string>;

DeferredListOptions options(bool one_callback, bool one_errback, bool consume) {
    DeferredListOptions chosen;
    chosen.fire_on_one_callback = one_callback;
    chosen.fire_on_one_errback = one_errback;
    chosen.consume_errors = consume;
    return chosen;
}

TEST_CASE("D14 D17 a child keeps its failure unless the list consumes it; values stay in the children") {
    CapturedLogs logs;
    { List list({fail<std::string>(ValueError())}); }
    CHECK(logs.count("ValueError") == 1);
    { List list({fail<std::string>(ValueError())}, options(false, false, true)); }
    CHECK(logs.events().size() == 1);
    Text child;
    List list({child});
    child.callback("kept");
    std::string got;
    child.add_callback([&](std::string s) { return got = s; });
    CHECK(got == "kept");
}

TEST_CASE("D16 results that can only be moved go to the list") {
    int got = 0;
    DeferredList<std::unique_ptr<int>> list({succeed(std::make_unique<int>(5))});
    std::move(list).add_callback([&](DeferredListResult<std::unique_ptr<int>> r) { got = **r.results[0]; });
    CHECK(got == 5);
}

TEST_CASE("D18 what a child's canceller throws is logged, and the others are cancelled") {
    CapturedLogs logs;
    Deferred<> first([] { throw ValueError("from the canceller"); });
    bool cancelled = false;
    Deferred<> second([&] { cancelled = true; });
    DeferredList<> list({first, second}, options(false, false, true));
    list.cancel();
    CHECK(cancelled);
    CHECK_FALSE(list.called());
    CHECK(logs.count("from the canceller") == 1);
    first.callback();
    CHECK(list.called());
    list.cancel();
}

TEST_CASE("D16 a list that everybody forgot is freed with its children") {
    CapturedLogs logs;
    const auto held = std::make_shared<int>(1);
    {
        std::vector<Deferred<>> kids;
        for (int i = 0; i < 2; ++i) kids.emplace_back([held] {});
        gather_results(kids).add_callback([held] {});
        kids.clear();
    }
    CHECK(held.use_count() == 1);
    CHECK(logs.events().empty());
}

Deferred<int> sum(std::vector<Deferred<int>> parts) {
    int total = 0;
    auto values = co_await gather_results(std::move(parts));
    for (int value : values) total += value;
    co_return total;
}

Deferred<std::size_t> count_of(std::vector<Text> parts) {
    auto list = co_await List(std::move(parts));
    co_return list.results.size();
}

TEST_CASE("D16 a DeferredList can be awaited, and returned from a callback") {
    std::size_t got = 0;
    count_of({succeed(std::string("a"))}).add_callback([&](std::size_t n) { got = n; });
    CHECK(got == 1);
    succeed()
        .add_callback([] { return List({succeed(std::string("a")), succeed(std::string("b"))}); })
        .add_callback([&](const DeferredListResult<std::string>& r) { got = r.results.size(); });
    CHECK(got == 2);
}

TEST_CASE("D19 gather_results can be awaited, and cancelled through the coroutine") {
    Deferred<int> a;
    int got = 0;
    sum({a, succeed(2)}).add_callback([&](int x) { got = x; });
    a.callback(1);
    CHECK(got == 3);
    int cancelled = 0;
    auto waiting = sum({Deferred<int>([&] { ++cancelled; }), Deferred<int>([&] { ++cancelled; })});
    CapturedLogs logs;
    waiting.cancel();
    bool first_error = false;
    waiting.add_errback([&](const Failure& f) { return first_error = f.check<FirstError>(), 0; });
    CHECK(cancelled == 2);
    CHECK(first_error);
}

TEST_CASE("D17 FirstErrors are equal when index and failure are") {
    const Failure failure = KeyError("k");
    CHECK(FirstError(failure, 1) == FirstError(failure, 1));
    CHECK(FirstError(failure, 1) != FirstError(failure, 2));
    CHECK(FirstError(failure, 1) != FirstError(KeyError("k"), 1));
    CHECK(std::string(FirstError(failure, 1).what()) == "FirstError[#1, lariat::test::KeyError: k]");
}

TEST_CASE("D20 the script on race") {
    CapturedLogs logs;
    Transcript out;
    std::vector<Text> ds;
    for (int i = 0; i < 3; ++i) ds.emplace_back([&out, i] { out.say("  cancel", i); });
    race(ds).add_callback(
        [&](const std::pair<std::size_t, std::string>& won) { out.say("winner", won.first, won.second); });
    ds[0].errback(ValueError());
    ds[1].callback("B");
    std::vector<Deferred<>> fails(2);
    fails[0] = Deferred<>();
    fails[1] = Deferred<>();
    Deferred(race(fails)).add_callback([](std::pair<std::size_t, detail::Unit>) {}).add_errback([&](const Failure& f) {
        const auto& group = f.value<FailureGroup>()->failures();
        out.say(short_type(f), short_type(group[0]), short_type(group[1]));
    });
    fails[1].errback(KeyError());
    fails[0].errback(ValueError());
    std::vector<Deferred<>> both{Deferred<>([&] { out.say("  cancelled"); }), Deferred<>()};
    auto r = race(both).add_callback([](auto) {});
    r.add_errback([&](const Failure& f) { out.say("race cancelled:", short_type(f)); });
    r.cancel();
    out.say("empty fired:", race(std::vector<Deferred<>>()).called());
    CHECK(out.text()
          == "  cancel 2\nwinner 1 B\nFailureGroup ValueError KeyError\n  cancelled\n"
             "race cancelled: FailureGroup\nempty fired: 0\n");
    CHECK(logs.events().empty());
}

}  // namespace
}  // namespace lariat
