// SPDX-License-Identifier: MIT
// Levels of callbacks, the two paths, Deferreds returned from callbacks: what the scripts do not show, and what types
// add to it.
#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>

namespace lariat {
namespace {

using test::KeyError;
using test::short_type;
using test::Transcript;
using test::ValueError;
using test::ZeroDivisionError;

TEST_CASE("D01 D02 levels, siblings, extra arguments and switching between the paths") {
    Transcript out;
    Deferred<std::string> d;
    d.add_callbacks(
        [&](const std::string& r) -> std::string {
            out.say("cb1", r);
            throw ZeroDivisionError();
        },
        [&](const Failure& f) {
            out.say("sibling: never");
            return f;
        });
    d.add_callback([&](std::string r) {
        out.say("skipped");
        return r;
    });
    d.add_errback(
        [&](const Failure& f, const char* tag) {
            out.say("eb", tag, short_type(f));
            return "fixed";
        },
        "tag");
    const bool fluent = &d.add_callback([](std::string r) { return r; }) == &d;
    out.say("fluent:", fluent);
    auto after = std::move(d).add_both([&](DeferredResult<std::string> r) { out.say("both", *r); });
    std::move(after).add_callback([&] { out.say("after a None"); });
    Deferred<std::string> e;
    e.add_callback(
        [&](std::string r, std::string x, int y) {
            out.say("arguments", r, x, y);
            return r;
        },
        "x", 9);
    e.callback("start");
    CHECK(out.text() == "fluent: 1\narguments start x 9\n");
}

TEST_CASE("D04 D05 what errback accepts, and firing twice") {
    Transcript out;
    Deferred<> d;
    d.add_errback([&](const Failure& f) { out.say("wrapped", f.type_name(), *f.value<int>()); });
    d.errback(5);
    Deferred<> e;
    e.add_errback([&](const Failure& f) { out.say("current exception", short_type(f)); });
    try {
        throw KeyError("k");
    } catch (const KeyError&) {
        e.errback();
    }
    CHECK_THROWS_AS(Deferred<>().errback(), NoCurrentExceptionError);
    Deferred<int> g;
    g.add_callbacks([&](int x) { return x; }, [&](const Failure&) { out.say("callback(Failure) -> errback"); });
    g.callback(Failure(ValueError()));
    CHECK_THROWS_AS(g.callback(1), AlreadyCalledError);
    CHECK_THROWS_AS(g.errback(KeyError()), AlreadyCalledError);
    Deferred<> failed;
    failed.add_errback([](const Failure&) {});
    failed.errback(KeyError());
    CHECK_THROWS_AS(failed.callback(), AlreadyCalledError);
    CHECK_THROWS_AS(failed.errback(KeyError()), AlreadyCalledError);
    CHECK(out.text() == "wrapped int 5\ncurrent exception KeyError\ncallback(Failure) -> errback\n");
}

TEST_CASE("D02 a callback may return a Failure or a DeferredResult") {
    Transcript out;
    succeed(1)
        .add_callback([](int) -> Failure { return KeyError("k"); })
        .add_errback([&](const Failure& f) { return out.say(short_type(f)), 7; })
        .add_both([&](DeferredResult<int> r) { return out.say("both", *r), r; })
        .add_callback([&](int x) { out.say("still", x); });
    CHECK(out.text() == "KeyError\nboth 7\nstill 7\n");
}

TEST_CASE("D06 the order of outer and inner callbacks is the same when the type changes") {
    Transcript out;
    Deferred<int> inner;
    Deferred<> outer;
    auto text = Deferred<>(outer)
                    .add_callback([&] { return inner; })
                    .add_callback([&](int x) { return out.say("outer got", x), std::to_string(x); })
                    .add_callback([&](const std::string& s) { return out.say("text", s), s; });
    outer.callback();
    inner.add_callback([&](int x) { return out.say("inner got", x), x; });
    CHECK(text.called());
    inner.callback(5);
    CHECK(out.text() == "outer got 5\ntext 5\ninner got 0\n");
}

TEST_CASE("D07 the failure of an inner Deferred moves to the outer one") {
    CapturedLogs logs;
    Transcript out;
    for (const bool fired : {false, true}) {
        Deferred<int> inner;
        if (fired) inner.errback(KeyError("k"));
        auto outer = succeed();
        std::move(outer).add_callback([&] { return inner; }).add_errback([&](const Failure& f) {
            out.say("outer failed", short_type(f));
        });
        if (!fired) inner.errback(KeyError("k"));
        inner.add_callback([&](int x) { return out.say("inner goes on with", x), x; });
    }
    CHECK(out.text() == "outer failed KeyError\ninner goes on with 0\nouter failed KeyError\ninner goes on with 0\n");
    CHECK(logs.events().empty());
}

TEST_CASE("D06 types without a default give ResultTakenError after their result was handed on") {
    Deferred<std::reference_wrapper<int>> inner;
    int x = 5;
    inner.callback(std::ref(x));
    int got = 0;
    succeed().add_callback([&] { return inner; }).add_callback([&](std::reference_wrapper<int> r) { got = r; });
    bool taken = false;
    inner.add_errback([&](const Failure& f) { taken = f.check<ResultTakenError>(); });
    CHECK(got == 5);
    CHECK(taken);
}

TEST_CASE("D10 chain_deferred hands the result over; AlreadyCalledError becomes the failure of the first") {
    Transcript out;
    Deferred<std::string> a, b;
    a.chain_deferred(b);
    b.add_callback([&](std::string r) { return out.say("b", r), r; });
    a.add_callback([&](std::string r) { return out.say("a '" + r + "'"), r; });
    a.callback("x");
    Deferred<std::string> c;
    c.chain_deferred(succeed(std::string("already")));
    c.add_errback([&](const Failure& f) { out.say("a failed:", short_type(f)); });
    c.callback("y");
    Deferred<> e, f;
    e.chain_deferred(f);
    f.add_errback([&](const Failure& x) { out.say("f", short_type(x)); });
    e.errback(KeyError());
    CHECK(out.text() == "b x\na ''\na failed: AlreadyCalledError\nf KeyError\n");
}

TEST_CASE("D06 a callback that returns its own Deferred fails it instead of waiting for ever") {
    Deferred<int> d;
    d.add_callback([&](int) { return d; });
    bool refused = false;
    d.add_errback([&](const Failure& f) { refused = f.check<UsageError>(); });
    d.callback(1);
    CHECK(refused);
}

TEST_CASE("D06 D08 Deferreds that would wait for each other fail instead of waiting for ever") {
    Deferred<int> a, b, c;
    a.add_callback([&](int) { return b; });
    b.add_callback([&](int) { return c; });
    c.add_callback([&](int) { return a; });
    int refused = 0;
    const auto note = [&](const Failure& f) { return refused += f.check<UsageError>(), 7; };
    c.add_errback(note);
    a.callback(1);
    b.callback(2);
    CHECK(a.paused() == 1);
    c.callback(3);
    CHECK(refused == 1);
    int got = 0;
    a.add_callback([&](int x) { return got = x; });
    CHECK(got == 7);
}

TEST_CASE("D06 D10 what is added to a Deferred while it hands its result on runs behind what it has") {
    Transcript out;
    Deferred<int> a, b;
    a.chain_deferred(b);
    a.add_callback([&](int x) { return out.say("a had"), x; });
    b.add_callback([&](int x) {
        a.add_callback([&](int y) { return out.say("a got"), y; });
        return out.say("b"), x;
    });
    a.callback(1);
    CHECK(out.text() == "b\na had\na got\n");
}

TEST_CASE("D09 D10 a Deferred that is held up does not hold up the one that was chained to it") {
    Transcript out;
    Deferred<int> a, b, outer;
    outer.pause();
    outer.add_callback([&](int) { return b; });
    outer.add_callback([&](int x) { return out.say("outer", x), x; });
    outer.callback(0);
    outer.unpause();
    outer.pause();
    a.chain_deferred(b);
    a.add_callback([&](int x) { return out.say("a goes on"), x; });
    a.callback(1);
    CHECK(out.text() == "a goes on\n");
    outer.unpause();
    CHECK(out.text() == "a goes on\nouter 1\n");
}

TEST_CASE("D06 a Deferred that is returned while one of its callbacks runs counts as unfired") {
    Transcript out;
    Deferred<int> inner, outer;
    outer.add_callback([&](int) { return inner; });
    outer.add_callback([&](int x) { return out.say("outer got", x), x; });
    inner.add_callback([&](int x) {
        outer.callback(0);
        return out.say("inner's callback ends"), x + 1;
    });
    inner.callback(1);
    CHECK(out.text() == "inner's callback ends\nouter got 2\n");
}

TEST_CASE("D21 succeed, fail, execute and maybe_deferred") {
    Transcript out;
    auto show = [&](const char* tag, auto d) {
        std::move(d).add_both([&out, tag](auto result) {
            if (result.failure()) {
                out.say(tag, "-> fail", short_type(result.failure()));
            } else if constexpr (std::is_same_v<decltype(result), DeferredResult<int>>) {
                out.say(tag, "->", *result);
            } else {
                out.say(tag, "-> nothing");
            }
        });
    };
    show("value", maybe_deferred([] { return 1; }));
    show("raise", maybe_deferred([]() -> int { throw ZeroDivisionError(); }));
    show("Failure", maybe_deferred([] { return Failure(KeyError()); }));
    show("nothing", maybe_deferred([] {}));
    Deferred<int> d;
    CHECK(maybe_deferred([&] { return d; }) == d);
    show("thrown instead of a Deferred", maybe_deferred([]() -> Deferred<int> { throw KeyError(); }));
    show("execute", execute([](int x) { return x; }, 2));
    show("succeed", succeed());
    show("fail", fail<int>(KeyError()));
    CHECK(out.text()
          == "value -> 1\nraise -> fail ZeroDivisionError\nFailure -> fail KeyError\nnothing -> nothing\n"
             "thrown instead of a Deferred -> fail KeyError\nexecute -> 2\nsucceed -> nothing\n"
             "fail -> fail KeyError\n");
}

TEST_CASE("D01 move-only results and callables, const handles, callables that ignore the result") {
    const Deferred<std::unique_ptr<int>> d;
    int seen = 0;
    d.add_callback([&, owned = std::make_unique<int>(1)](std::unique_ptr<int> p) {
        seen += *p + *owned;
        return p;
    });
    d.add_callback([&](std::unique_ptr<int>& p) { return ++*p, std::move(p); });
    auto after = Deferred(d).add_callback([&] { ++seen; });
    d.callback(std::make_unique<int>(5));
    CHECK(seen == 7);
    CHECK(after.called());
}

TEST_CASE("D25 with debugging AlreadyCalledError says where it was created and first fired") {
    set_debugging(true);
    Deferred<int> d;
    const int created = __LINE__ - 1;
    d.callback(1);
    try {
        d.callback(2);
        FAIL("fired twice");
    } catch (const AlreadyCalledError& error) {
        const std::string text = error.what();
        CHECK(text.find(" C: Deferred was created:\n") != std::string::npos);
        CHECK(text.find("deferred_chain_test.cpp:" + std::to_string(created)) != std::string::npos);
        CHECK(text.find(" I: First Invoker was:\n") != std::string::npos);
        CHECK(text.find("deferred_chain_test.cpp:" + std::to_string(created + 2)) != std::string::npos);
    }
    set_debugging(false);
}

}  // namespace
}  // namespace lariat
