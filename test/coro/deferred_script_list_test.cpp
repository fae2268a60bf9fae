// SPDX-License-Identifier: MIT
// The scripts of sections 9 and 10 of Twisted's Deferred semantics, with the output Twisted prints.
#include <lariat/coro/deferred_list.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/python.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <vector>

namespace lariat {
namespace {

using test::KeyError;
using test::Object;
using test::Script;
using test::type_name;
using test::ValueError;
using test::ZeroDivisionError;
using D = Deferred<Object>;
using List = DeferredList<Object>;

DeferredListOptions flags(bool fire_on_one_callback, bool fire_on_one_errback, bool consume_errors) {
    DeferredListOptions chosen;
    chosen.fire_on_one_callback = fire_on_one_callback;
    chosen.fire_on_one_errback = fire_on_one_errback;
    chosen.consume_errors = consume_errors;
    return chosen;
}

std::string repr(const Object& object) {
    std::ostringstream text;
    text << object;
    return std::string(object.type_name()) == "str" ? "'" + text.str() + "'" : text.str();
}

std::string repr(const DeferredListResult<Object>& result) {
    if (result.winner) return "(" + repr(*result.winner->first) + ", " + std::to_string(result.winner->second) + ")";
    std::string text;
    for (const DeferredResult<Object>& each : result.results) {
        text += text.empty() ? "" : ", ";
        text += each ? "(True, " + repr(*each) + ")" : "(False, '" + type_name(each.failure()) + "')";
    }
    return "[" + text + "]";
}

void show(Script& out, std::string tag, Deferred<DeferredListResult<Object>> list) {
    std::move(list).add_callbacks([&out, tag](const DeferredListResult<Object>& r) { out.print(tag, repr(r)); },
                                  [&out, tag](const Failure& f) {
                                      const auto* first = f.value<FirstError>();
                                      out.print(tag, "FAILED", type_name(f), first->index(),
                                                type_name(first->sub_failure()));
                                  });
}

TEST_CASE("script 9: DeferredList, gatherResults, FirstError (D16 D17 D18 D19)") {
    CapturedLogs logs;
    Script out;
    D a, b;
    show(out, "default", List({a, b}, flags(false, false, true)));
    b.callback("B");
    a.errback(KeyError());
    a = D(), b = D();
    show(out, "one callback", List({a, b}, flags(true, false, true)));
    a.errback(KeyError());
    b.callback("B");
    a = D(), b = D();
    show(out, "one errback", List({a, b}, flags(false, true, true)));
    b.errback(KeyError());
    a.callback("A");
    show(out, "empty", List({}));
    out.print("empty+fireOnOneCallback fired:", List({}, flags(true, false, false)).called());
    show(out, "already fired", List({succeed(Object(1)), succeed(Object(2))}, flags(true, false, false)));
    gather_results(std::vector{succeed(Object(1)), succeed(Object(2))}).add_callback([&](const std::vector<Object>& r) {
        out.print("gather", "[" + repr(r[0]) + ", " + repr(r[1]) + "]");
    });
    std::vector<D> kids;
    for (int i = 0; i < 3; ++i) kids.push_back(D([&out, i] { out.print("  cancel", i); }));
    auto g = gather_results(kids, true);
    g.add_errback([&](const Failure& f) { out.print("gather failed at", f.value<FirstError>()->index()); });
    g.cancel();
    kids.clear();
    for (int i = 0; i < 2; ++i) kids.push_back(D([&out] { out.print("  never cancelled"); }));
    gather_results(kids, true).add_errback([&](const Failure& f) {
        out.print("failed at", f.value<FirstError>()->index(), "- sibling left running:", !kids[0].called());
    });
    kids[1].errback(ValueError());
    CHECK(out.text() == R"(
default [(False, 'KeyError'), (True, 'B')]
one callback ('B', 1)
one errback FAILED FirstError 1 KeyError
empty []
empty+fireOnOneCallback fired: False
already fired (1, 0)
gather [1, 2]
  cancel 0
gather failed at 0
  cancel 1
  cancel 2
failed at 1 - sibling left running: True
)");
    CHECK(logs.events().empty());
}

TEST_CASE("script 9: race (D20)") {
    CapturedLogs logs;
    Script out;
    std::vector<D> ds;
    for (int i = 0; i < 3; ++i) ds.push_back(D([&out, i] { out.print("  cancel", i); }));
    race(ds).add_callback([&](const std::pair<std::size_t, Object>& won) {
        out.print("winner (" + std::to_string(won.first) + ", " + repr(won.second) + ")");
    });
    ds[0].errback(ValueError());
    ds[1].callback("B");
    ds.clear();
    for (int i = 0; i < 2; ++i) ds.push_back(D());
    auto group = race(ds);
    group.add_errback([&](const Failure& f) {
        std::string names;
        for (const Failure& each : f.value<FailureGroup>()->failures())
            names += (names.empty() ? "'" : ", '") + type_name(each) + "'";
        out.print(type_name(f), "[" + names + "]");
    });
    ds[1].errback(KeyError());
    ds[0].errback(ValueError());
    auto r = race(std::vector{D([&] { out.print("  cancelled"); }), D()});
    r.add_errback([&](const Failure& f) { out.print("race cancelled:", type_name(f)); });
    r.cancel();
    out.print("empty fired:", race(std::vector<D>()).called());
    CHECK(out.text() == R"(
  cancel 2
winner (1, 'B')
FailureGroup ['ValueError', 'KeyError']
  cancelled
race cancelled: FailureGroup
empty fired: False
)");
    CHECK(logs.events().empty());
}

Task<Object> co(Script& out) {
    out.print("coroutine body runs");
    co_return "from coroutine";
}

// The last line of the original, ensureDeferred(5), does not compile: there is no such overload.
template <class T>
concept CanEnsure = requires(T value) { ensure_deferred(value); };
static_assert(!CanEnsure<int>);

TEST_CASE("script 10: maybeDeferred, execute, succeed, fail, ensureDeferred (D21 I08)") {
    Script out;
    auto show_result = [&](const char* tag, D d) {
        d.add_callbacks([&out, tag](Object r) { return out.print(tag, "->", r.type_name(), r); },
                        [&out, tag](const Failure& f) { return out.print(tag, "-> fail", type_name(f)); });
    };
    show_result("value", maybe_deferred([] { return Object(1); }));
    show_result("raise", maybe_deferred([]() -> Object { throw ZeroDivisionError(); }));
    show_result("Failure", maybe_deferred([] { return DeferredResult<Object>(Failure(KeyError())); }));
    D d;
    out.print("same object", maybe_deferred([&] { return d; }) == d);
    show_result("coroutine", maybe_deferred([&] { return co(out); }));
    show_result("execute", execute([] { return Object(2); }));
    out.print("ensureDeferred:");
    show_result("ensured", ensure_deferred(co(out)));
    CHECK(out.text() == R"(
value -> int 1
raise -> fail ZeroDivisionError
Failure -> fail KeyError
same object True
coroutine body runs
coroutine -> str from coroutine
execute -> int 2
ensureDeferred:
coroutine body runs
ensured -> str from coroutine
)");
}

}  // namespace
}  // namespace lariat
