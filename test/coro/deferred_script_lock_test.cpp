// SPDX-License-Identifier: MIT
// The scripts of sections 11 and 12 of Twisted's Deferred semantics. What Twisted prints as AssertionError and
// ValueError is UsageError here; and nothing is lost or stuck where Twisted runs out of stack.
#include <lariat/coro/deferred_lock.hpp>
#include <lariat/coro/deferred_queue.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/test/support/python.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace lariat {
namespace {

using test::Object;
using test::Script;
using test::type_name;

TEST_CASE("script 11: DeferredLock, DeferredSemaphore, DeferredQueue (D22 D23)") {
    Script out;
    DeferredLock lock;
    (void)lock.acquire();
    lock.acquire().add_callback([&] { out.print("  waiter runs inside release()"); });
    auto w = lock.acquire();
    w.add_errback([&](const Failure& f) { out.print("  cancelled waiter:", type_name(f)); });
    w.cancel();
    out.print("release {");
    lock.release();
    out.print("}", "locked", lock.locked(), "waiting", lock.waiting());
    auto held = lock.acquire();
    lock.release();
    held.cancel();
    out.print("cancel after grant: still locked", lock.locked());
    lock.release();
    auto bad = [&](Function<void()> call) {
        try {
            call();
        } catch (const UsageError& e) {
            out.print("UsageError:", e.what());
        }
    };
    bad([&] { lock.release(); });
    bad([] { DeferredSemaphore(1).release(); });
    bad([] { DeferredSemaphore none(0); });
    Deferred<> gate([&] { out.print("  job cancelled"); });
    auto r = lock.run([&] { return gate; });
    r.add_errback([&](const Failure& f) { out.print("  run:", type_name(f)); });
    r.cancel();
    out.print("released after cancel:", !lock.locked());
    DeferredQueue<Object> q(1, 1);
    q.get().add_callback([&](Object v) { return out.print("  got", v); });
    try {
        (void)q.get();
    } catch (const QueueUnderflow&) {
        out.print("QueueUnderflow");
    }
    out.print("put {");
    q.put("x");
    out.print("}");
    q.put("stored");
    try {
        q.put("too many");
    } catch (const QueueOverflow&) {
        out.print("QueueOverflow");
    }
    CHECK(out.text() == R"(
  cancelled waiter: CancelledError
release {
  waiter runs inside release()
} locked True waiting 0
cancel after grant: still locked True
UsageError: Tried to release an unlocked lock
UsageError: Someone released me too many times: too many tokens!
UsageError: DeferredSemaphore requires tokens >= 1
  job cancelled
  run: CancelledError
released after cancel: True
QueueUnderflow
put {
  got x
}
QueueOverflow
)");
}

constexpr int n_levels = 100'000;

Deferred<Object> loop() {
    int t = 0;
    for (int i = 0; i < n_levels; ++i) t += (co_await succeed(Object(1))).number();
    co_return t;
}

Deferred<Object> level(Deferred<Object> d) {
    const Object inner = co_await std::move(d);
    co_return inner.number() + 1;
}

TEST_CASE("script 12: stack safety (D08 I04 I10)") {
    Script out;
    using D = Deferred<Object>;
    D head, d = head;
    for (int i = 0; i < n_levels; ++i) {
        D nxt;
        nxt.add_callback([w = d](Object) { return w; });
        nxt.callback(Object());
        d = nxt;
    }
    d.add_callback([&](Object r) { return out.print("1. chain of", n_levels, "waiting Deferreds:", r); });
    head.callback("ok");
    d = D();
    for (int i = 0; i < n_levels; ++i) d.add_callback([](Object r) { return succeed(Object(r.number() + 1)); });
    d.add_callback([&](Object r) { return out.print("2. already fired inner results:", r); });
    d.callback(0);
    loop().add_callback([&](Object r) { return out.print("3. coroutine over fired Deferreds:", r); });
    for (const int n : {100, 1000}) {
        D leaf;
        d = leaf;
        for (int i = 0; i < n; ++i) d = level(d);
        std::vector<Object> got;
        d.add_callback([&](Object r) { return got.push_back(r), r; });
        leaf.callback(0);
        out.print("4. nested waiting coroutines", n, "->", got.empty() ? Object("RESULT LOST") : got[0]);
    }
    for (const std::size_t n : {std::size_t{100}, std::size_t{5000}}) {
        std::vector<D> ds;
        for (std::size_t i = 0; i < n; ++i) ds.push_back(D());
        for (std::size_t i = 0; i + 1 < n; ++i) ds[i].chain_deferred(ds[i + 1]);
        std::vector<Object> got;
        ds.back().add_callback([&](Object r) { return got.push_back(r), r; });
        ds[0].callback("x");
        out.print("5. chainDeferred", n, "->", got.empty() ? Object("RESULT LOST") : got[0]);
    }
    for (const std::size_t n : {std::size_t{50}, std::size_t{1000}}) {
        DeferredLock lock;
        std::size_t done = 0;
        (void)lock.acquire();
        for (std::size_t i = 0; i < n; ++i) {
            lock.acquire().add_callback([&] {
                ++done;
                lock.release();
            });
        }
        lock.release();
        out.print("6. DeferredLock waiters", n, "->", done == n && !lock.locked() ? "all ran" : "STUCK");
    }
    CHECK(out.text() == R"(
1. chain of 100000 waiting Deferreds: ok
2. already fired inner results: 100000
3. coroutine over fired Deferreds: 100000
4. nested waiting coroutines 100 -> 100
4. nested waiting coroutines 1000 -> 1000
5. chainDeferred 100 -> x
5. chainDeferred 5000 -> x
6. DeferredLock waiters 50 -> all ran
6. DeferredLock waiters 1000 -> all ran
)");
}

}  // namespace
}  // namespace lariat
