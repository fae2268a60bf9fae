// SPDX-License-Identifier: MIT
// The scripts of DEFERRED.md section 11: DeferredLock, DeferredSemaphore and DeferredQueue.
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

TEST_CASE("D22 D23 the script of section 11") {
    Transcript out;
    DeferredLock lock;
    (void)lock.acquire();
    lock.acquire().add_callback([&] { out.say("  waiter runs inside release()"); });
    auto w = lock.acquire();
    w.add_errback([&](const Failure& f) { out.say("  cancelled waiter:", short_type(f)); });
    w.cancel();
    out.say("release {");
    lock.release();
    out.say("} locked", lock.locked(), "waiting", lock.waiting());
    auto held = lock.acquire();
    lock.release();
    held.cancel();
    out.say("cancel after grant: still locked", lock.locked());
    lock.release();
    try {
        lock.release();
    } catch (const UsageError& error) {
        out.say(error.what());
    }
    try {
        DeferredSemaphore(2).release();
    } catch (const UsageError& error) {
        out.say(error.what());
    }
    try {
        DeferredSemaphore none(0);
    } catch (const UsageError& error) {
        out.say(error.what());
    }
    Deferred<> gate([&] { out.say("  job cancelled"); });
    auto r = lock.run([&] { return gate; });
    r.add_errback([&](const Failure& f) { out.say("  run:", short_type(f)); });
    r.cancel();
    out.say("released after cancel:", !lock.locked());
    DeferredQueue<std::string> q(1, 1);
    q.get().add_callback([&](std::string v) { out.say("  got", v); });
    try {
        (void)q.get();
    } catch (const QueueUnderflow&) {
        out.say("QueueUnderflow");
    }
    out.say("put {");
    q.put("x");
    out.say("}");
    q.put("stored");
    try {
        q.put("too many");
    } catch (const QueueOverflow&) {
        out.say("QueueOverflow");
    }
    CHECK(out.text()
          == "  cancelled waiter: Cancelled\nrelease {\n  waiter runs inside release()\n} locked 1 waiting 0\n"
             "cancel after grant: still locked 1\nTried to release an unlocked lock\n"
             "Someone released me too many times: too many tokens!\nDeferredSemaphore requires tokens >= 1\n"
             "  job cancelled\n  run: Cancelled\nreleased after cancel: 1\nQueueUnderflow\nput {\n"
             "  got x\n}\nQueueOverflow\n");
}

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
