// SPDX-License-Identifier: MIT
// The scripts of section 13 of Twisted's Deferred semantics: functions that return Deferred and await. co_await is
// yield: it consumes, also what has been fired; and an abandoned coroutine ends with a failure instead of silence.
#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/python.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <string>

namespace lariat {
namespace {

using test::Object;
using test::result_of;
using test::Script;
using test::type_name;
using test::ValueError;
using D = Deferred<Object>;

D never_waits() {
    const std::string x = co_await std::string("plain");
    const Object y = co_await succeed(Object("fired"));
    co_return x + " " + y.text();
}
D w(Script& out, const char* n, D& shared) {
    const Object v = co_await shared;
    out.print(n, "got", v);
    co_return Object();
}
D y2(Script& out, D& s) {
    const Object a = co_await s;
    const Object b = co_await s;
    out.print("yield twice:", a, b);
    co_return Object();
}
Task<Object> five() { co_return 5; }
D y_co(Script& out) {
    const Object v = co_await five();
    out.print("yielded coroutine gave", v.type_name());
    co_return Object();
}

// Missing against the original: `await twice`, which is `yield twice` here, and the TypeError for a function that is no
// generator, since any function may return a Deferred.
TEST_CASE("script 13: inlineCallbacks and coroutines (I01 I02 I06 I08)") {
    Script out;
    D d = never_waits();
    out.print("already fired:", d.called(), result_of(d));
    D shared;
    w(out, "first", shared);
    w(out, "second", shared);
    shared.callback("value");
    D s = succeed(Object("x"));
    y2(out, s);
    y_co(out);
    CHECK(out.text() == R"(
already fired: True plain fired
first got value
second got None
yield twice: x None
yielded coroutine gave int
)");
}

D waiting_for(Script& out, const char* tag) {
    return D([&out, tag] { out.print("  canceller of", tag); });
}
D end(Script& out, const D& d) {
    d.add_both([&out](DeferredResult<Object> r) {
        return r ? out.print("  result:", *r) : out.print("  result:", type_name(r));
    });
    return d;
}
D simple(Script& out) { co_return co_await waiting_for(out, "a"); }
D swallow(Script& out) {
    try {
        co_await waiting_for(out, "a");
    } catch (const CancelledError&) {
        out.print("  caught");
    }
    co_return "finished normally";
}
D cleanup(Script& out) {
    std::exception_ptr raised;
    try {
        co_await waiting_for(out, "work");
    } catch (...) {
        raised = std::current_exception();
    }
    out.print("  cleaning");
    co_await waiting_for(out, "cleanup");
    out.print("  NOT REACHED after 2nd cancel");
    std::rethrow_exception(raised);
}
D translate(Script& out) {
    try {
        co_await waiting_for(out, "a");
    } catch (const CancelledError&) {
        throw ValueError("translated");
    }
    co_return Object();
}
D outer(Script& out) {
    try {
        co_await simple(out);
    } catch (const CancelledError&) {
        out.print("  outer sees it too");
        throw;
    }
    co_return Object();
}

TEST_CASE("script 13: cancellation of a coroutine (I05)") {
    Script out;
    out.print("not caught");
    end(out, simple(out)).cancel();
    out.print("swallowed");
    end(out, swallow(out)).cancel();
    out.print("cancel twice");
    const D d = end(out, cleanup(out));
    d.cancel();
    out.print("  pending:", !d.called());
    d.cancel();
    out.print("translated");
    end(out, translate(out)).cancel();
    out.print("nested");
    end(out, outer(out)).cancel();
    CHECK(out.text() == R"(
not caught
  canceller of a
  result: CancelledError
swallowed
  canceller of a
  caught
  result: finished normally
cancel twice
  canceller of work
  cleaning
  pending: True
  canceller of cleanup
  result: CancelledError
translated
  canceller of a
  result: ValueError
nested
  canceller of a
  outer sees it too
  result: CancelledError
)");
}

class Finally {
public:
    explicit Finally(Script& out) : out_(out) {}
    ~Finally() { out_.print("finally block runs"); }

private:
    Script& out_;
};
D job(Script& out, D d) {
    const Finally block(out);
    co_return co_await std::move(d);
}

TEST_CASE("script 13: abandoned coroutines (I10)") {
    CapturedLogs logs;
    Script out;
    {
        D lost;
        auto result = job(out, lost);
        result.add_errback([&](const Failure& f) { return out.print("failed:", type_name(f)); });
        lost = D();
    }
    out.print("anything logged:", !logs.events().empty());
    CHECK(out.text() == R"(
finally block runs
failed: AbandonedError
anything logged: False
)");
}

}  // namespace
}  // namespace lariat
