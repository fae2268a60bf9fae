// SPDX-License-Identifier: MIT
// DeferredLock, DeferredSemaphore and DeferredQueue beyond the scripts.
#include <lariat/coro/deferred_lock.hpp>

#include <lariat/coro/deferred_queue.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace lariat {
namespace {

using test::short_type;
using test::Transcript;

TEST_CASE("D22 100000 waiters that release at once need no stack") {
    DeferredLock lock;
    int served = 0;
    (void)lock.acquire();
    for (int i = 0; i < 100'000; ++i) {
        lock.acquire().add_callback([&] {
            ++served;
            lock.release();
        });
    }
    lock.release();
    CHECK(served == 100'000);
    CHECK_FALSE(lock.locked());
}

TEST_CASE("D22 run passes the result on and releases after success and failure") {
    DeferredSemaphore two(2);
    int got = 0;
    two.run([](int x) { return x + 1; }, 4).add_callback([&](int x) { got = x; });
    CHECK(got == 5);
    std::string failed;
    two.run([] { throw test::KeyError("k"); }).add_errback([&](const Failure& f) { failed = short_type(f); });
    CHECK(failed == "KeyError");
    CHECK(two.tokens() == 2);
    Deferred<> gate;
    two.run([&] { return gate; });
    CHECK(two.tokens() == 1);
    gate.callback();
    CHECK(two.tokens() == 2);
}

TEST_CASE("D22 cancelling run() while it waits leaves the queue") {
    CapturedLogs logs;
    DeferredLock lock;
    (void)lock.acquire();
    bool ran = false;
    auto waiting = lock.run([&] { ran = true; });
    waiting.add_errback([](const Failure&) {});
    waiting.cancel();
    CHECK(lock.waiting() == 0);
    lock.release();
    CHECK_FALSE(ran);
    CHECK_FALSE(lock.locked());
}

Deferred<> under_lock(DeferredLock& lock, Transcript& out, const char* name, Deferred<> gate) {
    co_await lock.acquire();
    out.say(name, "in");
    co_await std::move(gate);
    out.say(name, "out");
    lock.release();
}

TEST_CASE("D22 coroutines under a lock") {
    Transcript out;
    DeferredLock lock;
    Deferred<> a, b;
    under_lock(lock, out, "a", a);
    under_lock(lock, out, "b", b);
    b.callback();
    a.callback();
    CHECK(out.text() == "a in\na out\nb in\nb out\n");
    CHECK_FALSE(lock.locked());
}

Deferred<> waits(Deferred<> d, std::string& state) {
    try {
        co_await std::move(d);
    } catch (const AbandonedError&) {
        state = "abandoned";
    }
}

TEST_CASE("D22 D23 who waits for a lock or a queue that is destroyed is told") {
    std::string locked, ran, got;
    auto lock = std::make_unique<DeferredLock>();
    (void)lock->acquire();
    waits(lock->acquire(), locked);
    auto running = lock->run([&] { ran = "ran"; });
    running.add_errback([&](const Failure& f) { ran = short_type(f); });
    lock.reset();
    CHECK(locked == "abandoned");
    CHECK(ran == "AbandonedError");

    auto queue = std::make_unique<DeferredQueue<int>>();
    auto object = queue->get();
    object.add_errback([&](const Failure& f) { return got = short_type(f), 0; });
    queue.reset();
    CHECK(got == "AbandonedError");
}

TEST_CASE("D23 a cancelled get leaves the queue; objects come out in order") {
    CapturedLogs logs;
    DeferredQueue<std::unique_ptr<int>> q;
    auto waiting = q.get();
    waiting.add_errback([](const Failure&) {});
    waiting.cancel();
    CHECK(q.waiting() == 0);
    q.put(std::make_unique<int>(1));
    q.put(std::make_unique<int>(2));
    int got = 0;
    q.get().add_callback([&](std::unique_ptr<int> p) { got = *p; });
    CHECK(got == 1);
    CHECK(q.pending() == 1);
}

}  // namespace
}  // namespace lariat
