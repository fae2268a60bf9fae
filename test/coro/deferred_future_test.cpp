// SPDX-License-Identifier: MIT
// as_future and from_future: a Deferred's result for another thread, another thread's result for a Deferred.
#include <lariat/coro/deferred_future.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace lariat {
namespace {

using test::any_backend;
using test::KeyError;
using test::run_on;
using test::settle;
using test::short_type;

// A reactor on this thread, with what another thread does beside it.
class Beside {
public:
    Reactor reactor{ReactorOptions().backend(any_backend)};

    /// Runs the reactor until `work`, which runs in a thread of its own, has returned.
    void run(Function<void()> work) {
        std::jthread other;
        reactor.call_when_running([&] {
            other = std::jthread([&] {
                work();
                reactor.call_from_thread([this] { reactor.stop(); });
            });
        });
        reactor.run(false);
    }
};

template <class T>
std::string thrown_by(std::future<T>& future) {
    try {
        future.get();
        return "nothing";
    } catch (...) {
        return short_type(Failure::current());
    }
}

}  // namespace

TEST_SUITE("threads") {
    TEST_CASE("D26 as_future: another thread gets the value of a Deferred that fires later") {
        Beside world;
        Deferred<std::string> source;
        auto future = as_future(world.reactor, source);
        std::string got;
        world.run([&] {
            world.reactor.call_from_thread([&] { source.callback("value"); });
            got = future.get();
        });
        CHECK(got == "value");
    }

    TEST_CASE("D26 as_future: cancelling the future cancels the Deferred on the reactor's thread") {
        Beside world;
        std::thread::id cancelled_on;
        Deferred<> source([&] { cancelled_on = std::this_thread::get_id(); });
        auto future = as_future(world.reactor, source);
        std::string failed;
        world.run([&] {
            future.cancel();
            failed = thrown_by(future);
            future.cancel();  // too late, harmless
        });
        CHECK(cancelled_on == std::this_thread::get_id());
        CHECK(failed == "Cancelled");
        CHECK(source.called());
    }

    TEST_CASE("D26 from_future: what another thread delivers fires on the reactor's thread") {
        Beside world;
        std::promise<int> promise;
        std::optional<int> got;
        std::thread::id fired_on;
        auto d = from_future(world.reactor, promise.get_future());
        d.add_callback([&](int x) {
            got = x;
            fired_on = std::this_thread::get_id();
            world.reactor.stop();
            return x;
        });
        CHECK_FALSE(d.called());
        std::jthread other;
        world.reactor.call_when_running([&] { other = std::jthread([&] { promise.set_value(9); }); });
        world.reactor.run(false);
        CHECK(got == 9);
        CHECK(fired_on == std::this_thread::get_id());
    }

    TEST_CASE("D26 from_future: cancelling stops the work and drops what still comes") {
        Beside world;
        CapturedLogs logs;
        std::promise<int> promise;
        std::stop_source work;
        auto d = from_future(world.reactor, promise.get_future(), [&] { work.request_stop(); });
        std::string outcome;
        d.add_errback([&](const Failure& f) { return outcome = short_type(f), 0; });
        world.run([&] {
            std::promise<void> cancelled;
            world.reactor.call_from_thread([&] {
                d.cancel();
                cancelled.set_value();
            });
            cancelled.get_future().get();
            promise.set_value(work.stop_requested() ? 1 : 2);
        });
        CHECK(work.stop_requested());
        CHECK(outcome == "Cancelled");
        CHECK(logs.count("Unhandled error") == 0);
    }

    TEST_CASE("D26 from_future: work that std::async puts off runs in the pool") {
        Beside world;
        std::thread::id worked_on = std::this_thread::get_id();
        auto d = from_future(world.reactor, std::async(std::launch::deferred, [&] {
                                 worked_on = std::this_thread::get_id();
                                 throw KeyError("k");
                             }));
        std::string outcome;
        d.add_errback([&](const Failure& f) {
            outcome = f.error_message();
            world.reactor.stop();
        });
        world.reactor.run(false);
        CHECK(outcome == "k");
        CHECK(worked_on != std::this_thread::get_id());
    }

    TEST_CASE("D26 a future and its Deferred may both be dropped") {
        Beside world;
        CapturedLogs logs;
        std::promise<int> promise;
        (void)from_future(world.reactor, promise.get_future());
        world.run([&] { promise.set_value(1); });
        (void)as_future(world.reactor, Deferred<int>());
        CHECK(logs.count("Unhandled error") == 0);
    }
}

TEST_CASE("D26 as_future: values and failures that are there at once; nobody left to fire it") {
    Reactor reactor(ReactorOptions().backend(any_backend));
    CHECK(as_future(reactor, succeed(5)).get() == 5);
    std::future<int> plain = as_future(reactor, fail<int>(KeyError()));
    CHECK(thrown_by(plain) == "KeyError");
    std::future<void> nothing = as_future(reactor, succeed());
    CHECK(thrown_by(nothing) == "nothing");
    Deferred<int> source;
    std::future<int> abandoned = as_future(reactor, source);
    source = Deferred<int>();
    CHECK(thrown_by(abandoned) == "AbandonedError");
    Deferred<int> consumed = succeed(5);
    (void)as_future(reactor, consumed);
    int left = -1;
    consumed.add_callback([&](int x) { return left = x; });
    CHECK(left == 0);
}

TEST_CASE("D26 from_future: one that is ready fires at once") {
    Reactor reactor(ReactorOptions().backend(any_backend));
    std::promise<int> value, failure;
    value.set_value(3);
    failure.set_exception(std::make_exception_ptr(KeyError("k")));
    int got = 0;
    from_future(reactor, value.get_future()).add_callback([&](int x) { return got = x; });
    CHECK(got == 3);
    std::string failed;
    from_future(reactor, failure.get_future()).add_errback([&](const Failure& f) {
        return failed = f.error_message(), 0;
    });
    CHECK(failed == "k");
    CHECK_THROWS_AS((void)from_future(reactor, std::future<int>()), UsageError);
}

}  // namespace lariat
