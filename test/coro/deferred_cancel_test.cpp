// SPDX-License-Identifier: MIT
// The scripts of DEFERRED.md sections 6 and 8: cancellation and timeouts.
#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/clock.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace lariat {
namespace {

using test::Clock;
using test::KeyError;
using test::short_type;
using test::Transcript;
using test::ValueError;

class CancelScript {
public:
    Deferred<std::string> watch(const char* tag, const Deferred<std::string>& d) {
        return d.add_both([this, tag](DeferredResult<std::string> r) {
            out.say(" ", tag, r ? "str" : short_type(r.failure()));
            return DeferredResult<std::string>(std::string());
        });
    }
    void late(const Deferred<std::string>& d) {
        try {
            d.callback("late");
            out.say("  late result dropped");
        } catch (const AlreadyCalledError&) {
            out.say("  late result: AlreadyCalledError");
        }
    }
    Transcript out;
};

TEST_CASE("D11 D12 D13 the whole script of section 6") {
    using D = Deferred<std::string>;
    CancelScript s;
    s.out.say("no canceller");
    D d = s.watch("got", D());
    d.cancel();
    s.late(d);
    s.late(d);
    s.out.say("quiet canceller");
    d = s.watch("got", D([](D&) {}));
    d.cancel();
    s.late(d);
    s.out.say("canceller with value");
    d = s.watch("got", D([](D& self) { self.callback("v"); }));
    d.cancel();
    s.late(d);
    s.out.say("throwing canceller");
    d = s.watch("got", D([] { throw ValueError("from canceller"); }));
    try {
        d.cancel();
    } catch (const ValueError& error) {
        s.out.say("  cancel() raised", error.what(), "| fired", d.called());
    }
    d.callback("still usable");
    s.out.say("from inside a callback");
    d = D();
    d.add_callback([&](std::string) { return d.cancel(), std::string("kept"); });
    s.watch("got", d);
    d.callback("1");
    s.out.say("waiting");
    D inner([&] { s.out.say("  inner canceller"); });
    d = D([&] { s.out.say("  outer canceller"); });
    d.add_callback([&](std::string) { return inner; });
    s.watch("outer got", d);
    d.callback("");
    d.cancel();
    CHECK(s.out.text()
          == "no canceller\n  got Cancelled\n  late result dropped\n  late result: AlreadyCalledError\n"
             "quiet canceller\n  got Cancelled\n  late result: AlreadyCalledError\n"
             "canceller with value\n  got str\n  late result: AlreadyCalledError\n"
             "throwing canceller\n  cancel() raised from canceller | fired 0\n  got str\n"
             "from inside a callback\n  got str\nwaiting\n  inner canceller\n  outer got Cancelled\n");
}

TEST_CASE("D12 a canceller may fail the Deferred, and is gone once it has fired") {
    const auto alive = std::make_shared<int>(1);
    Deferred<> d([alive](Deferred<>& self) { self.errback(KeyError()); });
    std::string got;
    d.add_errback([&](const Failure& f) { got = short_type(f); });
    d.cancel();
    CHECK(got == "KeyError");
    CHECK(alive.use_count() == 1);
    Deferred<> fired([alive] {});
    fired.callback();
    CHECK(alive.use_count() == 1);
    fired.cancel();
}

TEST_CASE("D13 cancelling what the callback made of it cancels the source") {
    bool cancelled = false;
    auto text = Deferred<int>([&] { cancelled = true; }).add_callback([](int x) { return std::to_string(x); });
    std::string got;
    text.add_errback([&](const Failure& f) { got = short_type(f); });
    text.cancel();
    CHECK(cancelled);
    CHECK(got == "Cancelled");
}

TEST_CASE("D13 an inner Deferred that only the outer one knows can be cancelled through it") {
    Transcript out;
    Deferred<> d;
    d.add_callback([&] { return Deferred<>([&] { out.say("canceller"); }); });
    d.add_errback([&](const Failure& f) { out.say(short_type(f)); });
    d.callback();
    d.cancel();
    CHECK(out.text() == "canceller\nCancelled\n");
}

TEST_CASE("D11 the reason of a cancellation arrives") {
    CancelReason reason = CancelReason::requested;
    Deferred<> d;
    d.add_errback([&](const Failure& f) { reason = f.value<Cancelled>()->reason(); });
    d.cancel(CancelReason::shutdown);
    CHECK(reason == CancelReason::shutdown);
}

TEST_CASE("D15 the whole script of section 8") {
    using D = Deferred<std::string>;
    Transcript out;
    Clock c;
    auto end = [&](std::string tag, const D& d) {
        d.add_both([&out, tag](DeferredResult<std::string> r) -> DeferredResult<std::string> {
            out.say(tag, r ? *r : short_type(r.failure()));
            return std::string();
        });
    };
    D d;
    d.add_errback([&](const Failure& f) { return out.say("inside saw", short_type(f)), f; });
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
    d.add_timeout(2s, c, [](DeferredResult<std::string>, Duration limit) {
        return DeferredResult<std::string>("custom " + std::to_string(limit / 1s));
    });
    end("onTimeoutCancel:", d);
    c.advance(2s);
    d = D();
    d.add_timeout(2s, c);
    d.callback("in time");
    out.say("timers left", c.active());
    d = D();
    d.add_timeout(3s, c);
    d.add_timeout(1s, c);
    end("nested, inner deadline shorter:", d);
    c.advance(1s);
    CHECK(out.text()
          == "inside saw Cancelled\noutside: TimedOut\ncanceller gave value: partial\n"
             "canceller gave error: ValueError\nuser cancel before deadline: Cancelled\n"
             "onTimeoutCancel: custom 2\ntimers left 0\nnested, inner deadline shorter: TimedOut\n");
    CHECK(c.active() == 0);
}

TEST_CASE("D15 a timeout on an rvalue goes on with the chain") {
    Clock c;
    std::string got;
    Deferred<int>().add_timeout(5s, c).add_callback([](int) {}).add_errback([&](const Failure& f) {
        got = f.error_message();
    });
    CHECK(got.empty());
    c.advance(5s);
    CHECK(got == "Deferred timed out after 5 s");
}

}  // namespace
}  // namespace lariat
