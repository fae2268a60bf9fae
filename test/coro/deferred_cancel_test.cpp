// SPDX-License-Identifier: MIT
// Cancellation and timeouts beyond the scripts.
#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/transcript.hpp>
#include <lariat/testing/clock.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace lariat {
namespace {

using test::KeyError;
using test::short_type;
using test::Transcript;
using test::ValueError;
using testing::Clock;

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
