// SPDX-License-Identifier: MIT
// The scripts of sections 1 to 5 of Twisted's Deferred semantics, with the output Twisted prints.
#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/python.hpp>

#include <doctest/doctest.h>

#include <string>

namespace lariat {
namespace {

using test::KeyError;
using test::Object;
using test::result_of;
using test::Script;
using test::type_name;
using test::ValueError;
using test::ZeroDivisionError;
using D = Deferred<Object>;

TEST_CASE("script 1: chain, levels, switching between the two paths (D01 D02)") {
    Script out;
    D d;
    d.add_callbacks(
        [&, x = "x", y = 9](Object r) -> Object {
            out.print("cb1", r, x, y);
            throw ZeroDivisionError();
        },
        [&](const Failure&) { return out.print("sibling: never"); });
    d.add_callback([&](Object) { return out.print("skipped"); });
    d.add_errback(
        [&](const Failure& f, const char* tag) {
            out.print("eb", tag, type_name(f));
            return Object("fixed");
        },
        "tag");
    d.add_both([&](DeferredResult<Object> r) { return out.print("both", *r); });
    d.add_callback([&](Object r) { return out.print("after a None:", r); });
    out.print("fluent:", &d.add_callback([](Object r) { return r; }) == &d);
    d.callback("start");
    CHECK(out.text() == R"(
fluent: True
cb1 start x 9
eb tag ZeroDivisionError
both fixed
after a None: None
)");
}

TEST_CASE("script 2: when do callbacks run? always synchronously (D03)") {
    Script out;
    D d = succeed(Object(1));
    out.print("before add");
    d.add_callback([&](Object r) { return out.print("runs inside addCallback", r), Object(2); });
    out.print("after add");
    d = D();
    auto first = [&](Object) {
        d.add_callback([&](Object r) { return out.print("3 added inside, got", r); });
        out.print("1 first still running");
        return Object("A");
    };
    d.add_callback(first).add_callback([&](Object r) { return out.print("2 second, got", r), Object("B"); });
    d.callback(0);
    CHECK(out.text() == R"(
before add
runs inside addCallback 1
after add
1 first still running
2 second, got A
3 added inside, got B
)");
}

// The last line of the original, a Deferred given to callback(), does not compile: test/compile_fail.
TEST_CASE("script 3: firing twice, what errback accepts (D04 D05)") {
    Script out;
    D d;
    d.add_errback([&](const Failure& f) { return out.print("wrapped", f.type_name(), *f.value<int>()); });
    d.errback(5);
    d = D();
    d.add_errback([&](const Failure& f) { return out.print("current exception", type_name(f)); });
    try {
        throw KeyError("k");
    } catch (const KeyError&) {
        d.errback();
    }
    try {
        D().errback();
    } catch (const NoCurrentExceptionError&) {
        out.print("NoCurrentExceptionError");
    }
    d = D();
    d.add_callbacks([&](Object r) { return out.print(r); },
                    [&](const Failure&) { return out.print("callback(Failure) -> errback"); });
    d.callback(Failure(ValueError()));
    try {
        d.callback(1);
    } catch (const AlreadyCalledError&) {
        out.print("AlreadyCalledError");
    }
    CHECK(out.text() == R"(
wrapped int 5
current exception KeyError
NoCurrentExceptionError
callback(Failure) -> errback
AlreadyCalledError
)");
}

TEST_CASE("script 4: returning a Deferred from a callback (D06 D08)") {
    Script out;
    D inner, outer;
    inner.add_callback([](Object r) { return Object(r.text() + "+before"); });
    outer.add_callback([&](Object) { return inner; }).add_callback([&](Object r) { return out.print("outer got", r); });
    outer.callback(Object());
    inner.add_callback([&](Object r) { return out.print("inner, added after chaining, got", r); });
    out.print("outer called/paused", outer.called(), outer.paused());
    inner.callback("v");
    D fired = succeed(Object("stolen"));
    outer = D();
    outer.add_callback([&](Object) { return fired; }).add_callback([&](Object r) { return out.print(r); });
    outer.callback(Object());
    out.print("fired.result is now", result_of(fired));
    D held = succeed(Object("held"));
    held.pause();
    outer = D();
    outer.add_callback([&](Object) { return held; }).add_callback([&](Object r) { return out.print("outer got", r); });
    outer.callback(Object());
    out.print("inner fired but paused: outer waits");
    held.unpause();
    CHECK(out.text() == R"(
outer called/paused True 1
outer got v+before
inner, added after chaining, got None
stolen
fired.result is now None
inner fired but paused: outer waits
outer got held
)");
}

TEST_CASE("script 4: chainDeferred (D10)") {
    Script out;
    D a, b;
    a.chain_deferred(b);
    b.add_callback([&](Object r) { return out.print("b", r); });
    a.add_callback([&](Object r) { return out.print("a", r); });
    a.callback("x");
    a = D();
    a.chain_deferred(succeed(Object("already")));
    a.add_errback([&](const Failure& f) { return out.print("a failed:", type_name(f)); });
    a.callback("y");
    CHECK(out.text() == R"(
b x
a None
a failed: AlreadyCalledError
)");
}

TEST_CASE("script 5: pause / unpause (D09)") {
    Script out;
    D d;
    d.pause();
    d.pause();
    d.add_callback([&](Object r) { return out.print("ran", r); });
    d.callback(1);
    d.unpause();
    out.print("1 left");
    d.unpause();
    d = D();
    d.add_callback([&](Object) { return d.pause(), out.print("paused itself"); });
    d.add_callback([&](Object) { return out.print("resumed"); });
    d.callback(Object());
    out.print("waiting");
    d.unpause();
    CHECK(out.text() == R"(
1 left
ran 1
paused itself
resumed
waiting
)");
}

}  // namespace
}  // namespace lariat
