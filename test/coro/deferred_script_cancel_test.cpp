// SPDX-License-Identifier: MIT
// The scripts of sections 6 to 8 and 14 of Twisted's Deferred semantics, with the output Twisted prints.
#include <lariat/coro/deferred_list.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/python.hpp>
#include <lariat/testing/clock.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace lariat {
namespace {

using test::KeyError;
using test::Object;
using test::Script;
using test::type_name;
using test::ValueError;
using test::ZeroDivisionError;
using testing::Clock;
using D = Deferred<Object>;

class CancelScript : public Script {
public:
    D t(const char* tag, const D& d) {
        return d.add_both([this, tag](DeferredResult<Object> r) { return print(" ", tag, type_name(r)); });
    }
    void late(const D& d) {
        try {
            d.callback("late");
            print("  late result dropped");
        } catch (const AlreadyCalledError&) {
            print("  late result: AlreadyCalledError");
        }
    }
};

TEST_CASE("script 6: cancellation (D11 D12 D13)") {
    CancelScript s;
    s.print("no canceller");
    D d = s.t("got", D());
    d.cancel();
    s.late(d);
    s.late(d);
    s.print("quiet canceller");
    d = s.t("got", D([](D&) {}));
    d.cancel();
    s.late(d);
    s.print("canceller with value");
    d = s.t("got", D([](D& self) { self.callback("v"); }));
    d.cancel();
    s.late(d);
    s.print("throwing canceller");
    d = s.t("got", D([](D&) { throw ValueError("from canceller"); }));
    try {
        d.cancel();
    } catch (const ValueError& e) {
        s.print("  cancel() raised", e.what(), "| fired", d.called());
    }
    d.callback("still usable");
    s.print("from inside a callback");
    d = D();
    d.add_callback([&](Object) { return d.cancel(), Object("kept"); });
    s.t("got", d);
    d.callback(1);
    s.print("waiting");
    D inner([&] { s.print("  inner canceller"); });
    d = D([&] { s.print("  outer canceller"); });
    d.add_callback([&](Object) { return inner; });
    s.t("outer got", d);
    d.callback(Object());
    d.cancel();
    CHECK(s.text() == R"(
no canceller
  got CancelledError
  late result dropped
  late result: AlreadyCalledError
quiet canceller
  got CancelledError
  late result: AlreadyCalledError
canceller with value
  got str
  late result: AlreadyCalledError
throwing canceller
  cancel() raised from canceller | fired False
  got str
from inside a callback
  got str
waiting
  inner canceller
  outer got CancelledError
)");
}

/// Prints what is logged, Twisted's two events, the headline and the failure, being one here.
class LogScript : public Script {
public:
    explicit LogScript(CapturedLogs& logs) : logs_(logs) {}

    /// A line of the script, then what `action` makes the log say.
    template <class F>
    void step(const char* headline, F action) {
        print(headline);
        action();
        for (const auto& event : logs_.events()) {
            CHECK(event.level == LogLevel::critical);
            REQUIRE(event.text.find("Unhandled error in Deferred") == 0);
            print("LOG:", "Unhandled error in Deferred:", "");
            const bool debug = event.text.find(" C: Deferred was created:\n") != std::string::npos
                               && event.text.find(" I: First Invoker was:\n") != std::string::npos;
            print("LOG:", class_in_last_line(event.text), debug ? "(has debug info)" : "");
        }
        logs_.clear();
    }

private:
    static std::string class_in_last_line(const std::string& text) {
        const std::string line = text.substr(text.rfind('\n') + 1);
        const std::string type = line.substr(0, line.find(": "));
        const std::string name = type.substr(type.rfind("::") + 2);
        return name == "Cancelled" ? "CancelledError" : name;
    }

    CapturedLogs& logs_;
};

TEST_CASE("script 7: unhandled errors (D14 D25)") {
    CapturedLogs logs;
    LogScript s(logs);
    DeferredListOptions consume;
    consume.consume_errors = true;
    Deferred<> keep;
    s.step("1 dropped", [] { (void)fail(ValueError()); });
    s.step("2 kept alive", [&] { keep = fail(ValueError()); });
    s.step("3 handled later", [&] {
        keep.add_errback([](const Failure&) {});
        keep = Deferred<>();
    });
    s.step("4 re-raised in errback",
           [] { fail(ValueError()).add_errback([](const Failure&) { throw ZeroDivisionError(); }); });
    s.step("5 in a DeferredList, not consumed", [] { DeferredList<> list({fail(ValueError())}); });
    s.step("6 in a DeferredList, consumed", [&] { DeferredList<> list({fail(ValueError())}, consume); });
    s.step("7 cancelled without errback", [] { Deferred<>().cancel(); });
    s.step("8 with setDebugging", [] {
        set_debugging(true);
        (void)fail(KeyError());
        set_debugging(false);
    });
    CHECK(s.text() == R"(
1 dropped
LOG: Unhandled error in Deferred: 
LOG: ValueError 
2 kept alive
3 handled later
4 re-raised in errback
LOG: Unhandled error in Deferred: 
LOG: ZeroDivisionError 
5 in a DeferredList, not consumed
LOG: Unhandled error in Deferred: 
LOG: ValueError 
6 in a DeferredList, consumed
7 cancelled without errback
LOG: Unhandled error in Deferred: 
LOG: CancelledError 
8 with setDebugging
LOG: Unhandled error in Deferred: 
LOG: KeyError (has debug info)
)");
}

TEST_CASE("script 8: addTimeout (D15)") {
    Script out;
    Clock c;
    auto end = [&](std::string tag, const D& d) {
        d.add_both([&out, tag](DeferredResult<Object> r) {
            return r ? out.print(tag, *r) : out.print(tag, type_name(r.failure()));
        });
    };
    D d;
    d.add_errback([&](const Failure& f) { return out.print("inside saw", type_name(f)), f; });
    d.add_timeout(2s, c);
    end("outside:", d);
    c.advance(2s);
    d = D([](D& self) { self.callback("partial"); });
    d.add_timeout(2s, c);
    end("canceller gave value:", d);
    c.advance(2s);
    d = D([](D& self) { self.errback(ValueError()); });
    d.add_timeout(2s, c);
    end("canceller gave error:", d);
    c.advance(2s);
    d = D();
    d.add_timeout(2s, c);
    end("user cancel before deadline:", d);
    d.cancel();
    d = D();
    d.add_timeout(2s, c, [](DeferredResult<Object>, Duration t) {
        return DeferredResult<Object>("custom " + std::to_string(t / 1s));
    });
    end("onTimeoutCancel:", d);
    c.advance(2s);
    d = D();
    d.add_timeout(2s, c);
    d.callback("in time");
    out.print("timers left", c.delayed_calls().size());
    d = D();
    d.add_timeout(3s, c);
    d.add_timeout(1s, c);
    end("nested, inner deadline shorter:", d);
    c.advance(1s);
    CHECK(out.text() == R"(
inside saw CancelledError
outside: TimeoutError
canceller gave value: partial
canceller gave error: ValueError
user cancel before deadline: CancelledError
onTimeoutCancel: custom 2
timers left 0
nested, inner deadline shorter: TimeoutError
)");
}

/// `text` with its addresses masked.
std::string masked(std::string text) {
    for (std::size_t at = 0; (at = text.find("0x", at)) != std::string::npos; at += 4) {
        text.replace(at, text.find_first_of(" >", at) - at, "0x..");
    }
    return text;
}

TEST_CASE("script 14: introspection and debugging (D25)") {
    Script out;
    Deferred<std::string> a, b;
    out.print(masked(a.str()));
    a.add_callback([&](std::string) { return b; });
    a.callback("1");
    out.print(masked(a.str()));
    b.callback("v");
    out.print(masked(a.str()));
    set_debugging(true);
    Deferred<int> d;
    d.callback(1);
    try {
        d.callback(2);
    } catch (const AlreadyCalledError& e) {
        const std::string text = e.what();
        std::vector<std::string> found;
        for (const char* line : {" C: Deferred was created:", " I: First Invoker was:"}) {
            if (text.find("\n" + std::string(line) + "\n") != std::string::npos) found.push_back(line);
        }
        REQUIRE(found.size() == 2);
        out.print("['" + found[0] + "', '" + found[1] + "']");
    }
    set_debugging(false);
    CHECK(out.text() == R"(
<Deferred at 0x..>
<Deferred at 0x.. waiting on Deferred at 0x..>
<Deferred at 0x.. current result: 'v'>
[' C: Deferred was created:', ' I: First Invoker was:']
)");
}

}  // namespace
}  // namespace lariat
